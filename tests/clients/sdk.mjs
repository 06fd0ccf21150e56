// Drives a server with the classic MCP SDK for TypeScript: node sdk.mjs http|sse URL. Prints one JSON line.
// The SDK is found through NODE_MODULES, because this file lives outside the folder that it is installed in.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [transport, url] = process.argv.slice(2);
const require = createRequire(`${process.env.NODE_MODULES}/`);
const sdk = (path) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/${path}`)));

const { Client } = await sdk("client/index.js");
const { StreamableHTTPClientTransport } = await sdk("client/streamableHttp.js");
const { SSEClientTransport } = await sdk("client/sse.js");

const client = new Client({ name: "gantry-tests", version: "0" });
const Transport = transport === "sse" ? SSEClientTransport : StreamableHTTPClientTransport;
const wire = new Transport(new URL(url));
await client.connect(wire);

// Listing first: the client then checks every result against the tool's output schema.
const { tools } = await client.listTools();
const progress = [];
const report = {
  protocol: wire.protocolVersion ?? wire._protocolVersion,
  tools: tools.map((tool) => tool.name),
  echo: await client.callTool({ name: "echo", arguments: { text: "zażółć" } }),
  refused: await client.callTool({ name: "echo", arguments: {} }),
};
await client.callTool({ name: "test_tool_with_progress", arguments: {} }, undefined, {
  onprogress: (update) => progress.push(update.progress),
});
report.progress = progress;
report.drops_progress = true;
await client.close();
console.log(JSON.stringify(report));
