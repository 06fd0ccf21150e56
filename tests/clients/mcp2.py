"""Drives a server with the MCP SDK for Python, generation 2: python mcp2.py legacy|auto|REVISION URL. Prints one JSON line."""

import asyncio
import json
import sys

from mcp import Client


def wire(result):
    return result.model_dump(by_alias=True, mode="json", exclude_none=True)


async def main(mode, url):
    seen = []

    async def progress(done, total, message):
        seen.append(done)

    async with Client(url, mode=mode) as client:
        tools = (await client.list_tools()).tools
        report = {
            "protocol": client.protocol_version,
            "tools": [tool.name for tool in tools],
            "echo": wire(await client.call_tool("echo", {"text": "zażółć"})),
            "refused": wire(await client.call_tool("echo", {})),
        }
        await client.call_tool("test_tool_with_progress", {}, progress_callback=progress)
        report["progress"] = seen
    print(json.dumps(report))


asyncio.run(main(*sys.argv[1:]))
