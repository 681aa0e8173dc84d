/**
 * A fast MCP server for measuring what stands before it: Streamable HTTP in either era, one tool `sized` whose result
 * was prepared at start. `bun upstream.ts PORT BYTES modern|legacy`.
 */
const [port = "0", size = "100", era = "legacy"] = process.argv.slice(2);
const TEXT = JSON.stringify("x".repeat(Number(size)));
const COMPLETE = era === "modern" ? '"resultType":"complete",' : "";
const RESULTS: Readonly<Record<string, string>> = {
	initialize:
		'{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}',
	"server/discover":
		'{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":60000,"cacheScope":"public"}',
	"tools/list": `{${COMPLETE}"tools":[{"name":"sized","inputSchema":{"type":"object"}}],"ttlMs":60000,"cacheScope":"public"}`,
	"tools/call": `{${COMPLETE}"content":[{"type":"text","text":${TEXT}}]}`,
};
const HEADERS = { "content-type": "application/json" };

const server = Bun.serve({
	hostname: "127.0.0.1",
	port: Number(port),
	idleTimeout: 0,
	async fetch(request) {
		if (request.method !== "POST") return new Response(null, { status: 405 });
		const body = await request.text();
		const method = /"method":"([^"]+)"/.exec(body)?.[1] ?? "";
		const id = /"id":("[^"]*"|\d+)/.exec(body)?.[1];
		if (id === undefined) return new Response(null, { status: 202 });
		const result =
			era === "legacy" && method === "server/discover"
				? undefined
				: RESULTS[method];
		return result === undefined
			? new Response(
					`{"jsonrpc":"2.0","id":${id},"error":{"code":-32601,"message":"unknown"}}`,
					{
						status: era === "modern" ? 404 : 200,
						headers: HEADERS,
					},
				)
			: new Response(`{"jsonrpc":"2.0","id":${id},"result":${result}}`, {
					headers: HEADERS,
				});
	},
});
console.log(`listening ${server.port}`);
