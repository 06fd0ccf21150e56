"""Calls a tool with the MCP SDK for Python, generation 1, and a user who answers each form the same way:
python ask_mcp1.py http|sse URL accept|decline|deaf TOOL ARGUMENTS. Prints one JSON line. `deaf` has no user."""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client
from mcp.types import ElicitResult


async def main(transport, url, user, tool, arguments):
    connect = sse_client if transport == "sse" else streamablehttp_client
    asked = []

    async def answer(context, params):
        asked.append(params.message)
        return ElicitResult(action=user, content={"confirm": True} if user == "accept" else None)

    callback = {} if user == "deaf" else {"elicitation_callback": answer}
    async with connect(url) as streams, ClientSession(*streams[:2], **callback) as session:
        await session.initialize()
        result = await session.call_tool(tool, json.loads(arguments))
        print(json.dumps({"asked": asked, "result": result.model_dump(by_alias=True, mode="json", exclude_none=True)}))


asyncio.run(main(*sys.argv[1:]))
