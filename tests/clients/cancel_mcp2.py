"""Cancels a call with the MCP SDK for Python, generation 2: python cancel_mcp2.py legacy|auto|REVISION URL.

Cancels at the first line on stdin and leaves at the second, so that the test can see what each of them does."""

import asyncio
import sys

from mcp import Client


async def line():
    await asyncio.to_thread(sys.stdin.readline)


async def main(mode, url):
    async with Client(url, mode=mode) as client:
        call = asyncio.create_task(client.call_tool("wait", {"seconds": 60}))
        await line()
        call.cancel()
        await line()


asyncio.run(main(*sys.argv[1:]))
