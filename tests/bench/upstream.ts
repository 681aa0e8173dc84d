/**
 * A fast MCP server for measuring what stands before it, whose answers were prepared at start. Over Streamable HTTP
 * the path says what it is: `/<bytes>` has one tool `sized` with a result of so many bytes, `/list/<tools>` has so
 * many tools. `bun upstream.ts PORT modern|legacy`, or `bun upstream.ts stdio BYTES`.
 */
import { readSync, writeSync } from "node:fs";

const [where = "0", what = "legacy"] = process.argv.slice(2);
const HEADERS = { "content-type": "application/json" };

type Answers = Readonly<Record<string, string>>;

function answersOf(modern: boolean, bytes: number, tools: number): Answers {
	const complete = modern ? '"resultType":"complete",' : "";
	const list =
		tools === 0
			? '{"name":"sized","inputSchema":{"type":"object"}}'
			: Array.from({ length: tools }, (_, at) =>
					JSON.stringify({
						name: `tool_${at}`,
						description: `The tool number ${at}, which does what its number says`,
						inputSchema: {
							type: "object",
							properties: { path: { type: "string", description: "where" } },
							required: ["path"],
						},
					}),
				).join(",");
	return {
		initialize:
			'{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}',
		...(modern && {
			"server/discover":
				'{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":600000,"cacheScope":"public"}',
		}),
		"tools/list": `{${complete}"tools":[${list}],"ttlMs":600000,"cacheScope":"public"}`,
		"tools/call": `{${complete}"content":[{"type":"text","text":"${"x".repeat(bytes)}"}]}`,
	};
}

function answer(answers: Answers, message: string): string | null {
	const method = /"method":"([^"]+)"/.exec(message)?.[1] ?? "";
	const id = /"id":("[^"]*"|\d+)/.exec(message)?.[1];
	if (id === undefined) return null;
	const result = answers[method];
	return result === undefined
		? `{"jsonrpc":"2.0","id":${id},"error":{"code":-32601,"message":"unknown"}}`
		: `{"jsonrpc":"2.0","id":${id},"result":${result}}`;
}

if (where === "stdio") {
	const answers = answersOf(false, Number(what), 0);
	const chunk = Buffer.alloc(64 * 1024);
	let held = "";
	for (;;) {
		// Blocking calls are the cheapest: this server must not be the limit of the gateway that shares its machine.
		const length = readSync(0, chunk);
		if (length === 0) break;
		const lines = (held + chunk.toString("latin1", 0, length)).split("\n");
		held = lines.pop() ?? "";
		const out = lines.flatMap((line) => answer(answers, line) ?? []);
		if (out.length > 0) writeSync(1, `${out.join("\n")}\n`);
	}
} else {
	const modern = what === "modern";
	const known = new Map<string, Answers>();
	const answersAt = (url: string): Answers => {
		const found = known.get(url);
		if (found) return found;
		const list = /\/list\/(\d+)/.exec(url)?.[1];
		const bytes = /\/(\d+)$/.exec(url)?.[1] ?? "100";
		const made = answersOf(
			modern,
			list === undefined ? Number(bytes) : 100,
			Number(list ?? 0),
		);
		known.set(url, made);
		return made;
	};
	const server = Bun.serve({
		hostname: "127.0.0.1",
		port: Number(where),
		idleTimeout: 0,
		async fetch(request) {
			if (request.method !== "POST") return new Response(null, { status: 405 });
			const text = answer(answersAt(request.url), await request.text());
			if (text === null) return new Response(null, { status: 202 });
			const unknown = modern && text.includes('"code":-32601');
			return new Response(text, {
				status: unknown ? 404 : 200,
				headers: HEADERS,
			});
		},
	});
	console.log(`listening ${server.port}`);
}
