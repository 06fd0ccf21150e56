"""The tool `echo` on FastMCP without sessions, event streams or an access log. ADDR PORT [LOOP PARSER]"""

import sys
from dataclasses import dataclass

import uvicorn
from fastmcp import FastMCP

mcp = FastMCP("echo")


@dataclass
class Echo:
    text: str


@mcp.tool(annotations={"readOnlyHint": True, "idempotentHint": True, "openWorldHint": False})
async def echo(text: str) -> Echo:
    """Says back what it is told."""
    return Echo(text)


if __name__ == "__main__":
    address, port, *inside = sys.argv[1:]
    app = mcp.http_app(path="/mcp", stateless_http=True, json_response=True)
    chosen = dict(zip(("loop", "http"), inside))
    uvicorn.run(app, host=address, port=int(port), access_log=False, log_level="warning", **chosen)
