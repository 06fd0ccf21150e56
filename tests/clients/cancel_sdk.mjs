// Cancels a call with the classic MCP SDK for TypeScript: node cancel_sdk.mjs URL, with NODE_MODULES as in sdk.mjs.
// Cancels at the first line on stdin and leaves at the second, so that the test can see what each of them does.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.NODE_MODULES}/`);
const sdk = (path) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/${path}`)));
const { Client } = await sdk("client/index.js");
const { StreamableHTTPClientTransport } = await sdk("client/streamableHttp.js");

const client = new Client({ name: "gantry-tests", version: "0" });
await client.connect(new StreamableHTTPClientTransport(new URL(process.argv[2])));
const abort = new AbortController();
const call = client.callTool({ name: "wait", arguments: { seconds: 60 } }, undefined, { signal: abort.signal });
call.catch(() => {});

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
await lines.next();
abort.abort("the test says so");
await lines.next();
process.exit(0);
