"""Drives a server with the MCP SDK for Python, generation 1: python mcp1.py http|sse URL. Prints one JSON line."""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client


def wire(result):
    return result.model_dump(by_alias=True, mode="json", exclude_none=True)


async def main(transport, url):
    connect = sse_client if transport == "sse" else streamablehttp_client
    seen = []

    async def progress(done, total, message):
        seen.append(done)

    async with connect(url) as streams, ClientSession(*streams[:2]) as session:
        hello = await session.initialize()
        tools = (await session.list_tools()).tools
        report = {
            "protocol": hello.protocolVersion,
            "tools": [tool.name for tool in tools],
            "echo": wire(await session.call_tool("echo", {"text": "zażółć"})),
            "refused": wire(await session.call_tool("echo", {})),
        }
        await session.call_tool("test_tool_with_progress", {}, progress_callback=progress)
        report["progress"] = seen
    print(json.dumps(report))


asyncio.run(main(*sys.argv[1:]))
