"""Drives a server with FastMCP's client: python fastmcp_client.py legacy|auto|REVISION URL. Prints one JSON line."""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.exceptions import ToolError


def wire(result):
    return result.model_dump(by_alias=True, mode="json", exclude_none=True)


async def main(mode, url):
    seen = []

    async def progress(done, total, message):
        seen.append(done)

    async with Client(url, mode=mode) as client:
        tools = await client.list_tools()
        report = {
            "protocol": client.protocol_version,
            "tools": [tool.name for tool in tools],
            "echo": wire(await client.call_tool_mcp("echo", {"text": "zażółć"})),
            "refused": wire(await client.call_tool_mcp("echo", {})),
        }
        await client.call_tool("test_tool_with_progress", {}, progress_handler=progress)
        report["progress"] = seen
        try:
            await client.call_tool("echo", {})
        except ToolError as error:
            report["raised"] = json.loads(str(error))
    print(json.dumps(report))


asyncio.run(main(*sys.argv[1:]))
