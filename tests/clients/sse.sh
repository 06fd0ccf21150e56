#!/usr/bin/env bash
# Speaks HTTP+SSE with nothing but curl: sse.sh URL TEXT. Shakes hands, calls `echo` and prints its JSON-RPC answer.
set -euo pipefail

curl=${CURL:-curl}
url=$1
stream=$(mktemp)
"$curl" -sSN --max-time 20 "$url" >"$stream" &
reader=$!
trap 'kill "$reader" 2>/dev/null || true; rm -f "$stream"' EXIT

# The data of the first event that contains TEXT, once it has come.
event() {
  local tries
  for ((tries = 0; tries < 200; tries++)); do
    if grep -m 1 "^data:.*$1" "$stream" | sed 's/^data: *//; s/\r$//'; then return; fi
    sleep 0.05
  done
  echo "no event with $1 in: $(<"$stream")" >&2
  return 1
}

post() { "$curl" -sS --fail-with-body --max-time 10 -H 'content-type: application/json' -d "$1" "$endpoint" >/dev/null; }

endpoint=$(event messages)
case $endpoint in
  /*) endpoint=$(cut -d/ -f1-3 <<<"$url")$endpoint ;;
  *) endpoint=${url%/*}/$endpoint ;;
esac

client='"capabilities": {}, "clientInfo": {"name": "curl", "version": "0"}'
post '{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2024-11-05", '"$client"'}}'
event '"id":1[,}]' >/dev/null
post '{"jsonrpc": "2.0", "method": "notifications/initialized"}'
post '{"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "echo", "arguments": {"text": "'"$2"'"}}}'
event '"id":2[,}]'
