"""Cancels a call with the MCP SDK for Python, generation 1: python cancel_mcp1.py http|sse URL.

Cancels at the first line on stdin and leaves at the second, so that the test can see what each of them does."""

import asyncio
import sys

import mcp.types as types
from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client


async def line():
    await asyncio.to_thread(sys.stdin.readline)


async def main(transport, url):
    connect = sse_client if transport == "sse" else streamablehttp_client
    async with connect(url) as streams, ClientSession(*streams[:2]) as session:
        await session.initialize()
        request = session._request_id  # this SDK has no way to cancel but the notification itself
        call = asyncio.create_task(session.call_tool("wait", {"seconds": 60}))
        await line()
        cancelled = types.CancelledNotificationParams(requestId=request)
        await session.send_notification(types.ClientNotification(types.CancelledNotification(params=cancelled)))
        await line()
        call.cancel()


asyncio.run(main(*sys.argv[1:]))
