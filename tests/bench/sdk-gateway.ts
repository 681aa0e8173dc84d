/**
 * A gateway as one builds it on the SDK: its Server in front, its Client behind, every message modelled on both
 * sides. `bun sdk-gateway.ts PORT json|events COMMAND ARG…`, for one stdio server whose tools keep their names. It answers
 * with event streams, as the SDK does unless told otherwise, or with plain JSON, which is cheaper.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import {
	CallToolRequestSchema,
	CallToolResultSchema,
	ListToolsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";

const [port = "0", answers = "events", command = "", ...args] =
	process.argv.slice(2);
const client = new Client({ name: "bench", version: "1" });
await client.connect(
	new StdioClientTransport({ command, args, stderr: "ignore" }),
);

type Transport = WebStandardStreamableHTTPServerTransport;
const sessions = new Map<string, Transport>();

async function open(): Promise<Transport> {
	const server = new Server(
		{ name: "bench", version: "1" },
		{ capabilities: { tools: {} } },
	);
	server.setRequestHandler(ListToolsRequestSchema, () => client.listTools());
	server.setRequestHandler(CallToolRequestSchema, ({ params }) =>
		client.request({ method: "tools/call", params }, CallToolResultSchema),
	);
	const transport: Transport = new WebStandardStreamableHTTPServerTransport({
		sessionIdGenerator: () => crypto.randomUUID(),
		enableJsonResponse: answers === "json",
		onsessioninitialized: (id) => void sessions.set(id, transport),
	});
	await server.connect(transport as Parameters<Server["connect"]>[0]);
	return transport;
}

const server = Bun.serve({
	hostname: "127.0.0.1",
	port: Number(port),
	idleTimeout: 0,
	async fetch(request) {
		const id = request.headers.get("mcp-session-id");
		const transport = id === null ? await open() : sessions.get(id);
		return (
			transport?.handleRequest(request) ?? new Response(null, { status: 404 })
		);
	},
});
console.log(`listening ${server.port}`);
