"""What a contender is asked, as bytes for a first answer and as arguments for the load."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

MODERN = "2026-07-28"


@dataclass(frozen=True)
class Request:
    """A request, and a text that every right answer holds."""

    path: str
    needle: str
    body: str = ""
    headers: tuple[str, ...] = ()

    def raw(self, port: int) -> bytes:
        method = "POST" if self.body else "GET"
        head = [f"{method} {self.path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close", *self.headers]
        if self.body:
            head.append(f"Content-Length: {len(self.body.encode())}")
        return "\r\n".join([*head, "", self.body]).encode()

    def is_answered_by(self, text: str) -> bool:
        return text.startswith("HTTP/1.1 200") and self.needle in text and '"isError":true' not in text


def modern(method: str, params: dict, needle: str, *headers: str) -> Request:
    """A request as a client of 2026-07-28 sends it."""
    meta = {"protocolVersion": MODERN, "clientCapabilities": {}}
    params = {**params, "_meta": {f"io.modelcontextprotocol/{key}": value for key, value in meta.items()}}
    named = [f"Mcp-Name: {params['name']}"] if "name" in params else []
    told = (f"MCP-Protocol-Version: {MODERN}", f"Mcp-Method: {method}", *named, *headers)
    return rpc(method, params, needle, *told)


def rpc(method: str, params: dict, needle: str, *headers: str) -> Request:
    """A request without a session; servers of 2025 that keep none answer it as it is."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    accept = "Accept: application/json, text/event-stream"
    return Request("/mcp", needle, body, ("Content-Type: application/json", accept, *headers))


def tool_call(tool: str, arguments: dict, needle: str, *headers: str) -> Request:
    """A call of a tool by a client of 2026-07-28."""
    return modern("tools/call", {"name": tool, "arguments": arguments}, needle, *headers)


def new_key(folder: Path, among: int = 1) -> tuple[list, str]:
    """Options that make a server ask for a key, and the header that shows the last of so many. Every other key is
    stored by its SHA-256."""
    keys, path = [secrets.token_hex(24) for _ in range(among)], folder / f"keys-{among}"
    stored = (f"sha256:{hashlib.sha256(key.encode()).hexdigest()}" if n % 2 else key for n, key in enumerate(keys))
    path.touch(0o600)
    path.write_text("".join(f"bench-{n}:admin:{key}\n" for n, key in enumerate(stored)))
    return ["--auth", "api-key", "--api-keys-file", path], f"Authorization: Bearer {keys[-1]}"
