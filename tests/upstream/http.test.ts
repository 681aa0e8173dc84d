import { afterEach, expect, test } from "bun:test";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { Upstream } from "../../src/upstream/upstream.ts";
import { closeAll, opened } from "../support/opened.ts";
import {
	type Asked,
	events,
	json,
	legacyStart,
	modernStart,
	result,
	type ScriptedServer,
	startScripted,
} from "../support/scripted-server.ts";
import { until } from "../support/until.ts";
import {
	ask,
	callTool,
	overHttp,
	type Pool,
	startPool,
} from "../support/upstreams.ts";

afterEach(closeAll);

type Setting = {
	readonly server: ScriptedServer;
	readonly pool: Pool;
	readonly upstream: Upstream;
};

function behind(
	script: (
		asked: Asked,
	) => Response | undefined | Promise<Response | undefined>,
	mode: "auto" | "http" | "sse" = "auto",
): Setting {
	const server = startScripted(script);
	const pool = startPool();
	opened.push(pool, { close: server.stop });
	return {
		server,
		pool,
		upstream: pool.upstream("it", overHttp(server.url, mode)),
	};
}

const PARAMS =
	'{ "name":"t\\u00e9", "arguments" : {"big":12345678901234567890,"lone":"\\ud800","neg":-0,"exp":1E400},\n "_meta":{"com.example/x":[ 1.10 ],"traceparent":"00-1"} }';

test("what a client wrote reaches a legacy server byte for byte, in both directions of strange JSON", async () => {
	const { server, upstream } = behind(
		(asked) =>
			legacyStart(asked) ??
			result(asked, ' { "a" : 1.0 , "\\ud800":9999999999999999999 } '),
	);
	const reply = await ask(upstream, "tools/call", PARAMS);
	expect(reply.text).toBe('{ "a" : 1.0 , "\\ud800":9999999999999999999 }');
	expect(server.asked.at(-1)?.body).toBe(
		`{"jsonrpc":"2.0","id":${server.asked.at(-1)?.id},"method":"tools/call","params":${PARAMS}}`,
	);
});

test("2026-07-28 streamable HTTP: headers mirror the body, and no session is kept", async () => {
	const { server, upstream } = behind(
		(asked) =>
			modernStart(asked) ??
			(asked.method === "tools/list"
				? result(
						asked,
						'{"tools":[{"name":"té","inputSchema":{"properties":{"big":{"type":"integer","x-mcp-header":"Big"},"lone":{"type":"string","x-mcp-header":"Lone"}}}},{"name":"bad","inputSchema":{"x-mcp-header":"A"}}]}',
					)
				: result(asked, "{}")),
	);
	await ask(
		upstream,
		"tools/call",
		PARAMS.replace("12345678901234567890", "7"),
	);
	expect((await upstream.list("tools")).map(({ key }) => key)).toEqual(["té"]);
	const call = server.asked.find(({ method }) => method === "tools/call");
	const headers = Object.fromEntries(call?.headers ?? []);
	expect(headers).toMatchObject({
		"mcp-protocol-version": "2026-07-28",
		"mcp-method": "tools/call",
		"mcp-name": "=?base64?dMOp?=",
		"mcp-param-big": "7",
		"mcp-param-lone": "=?base64?77+9?=",
		accept: "application/json, text/event-stream",
		"content-type": "application/json",
	});
	expect(headers["mcp-session-id"]).toBeUndefined();
	expect(call?.body).toContain('"lone":"\\ud800","neg":-0,"exp":1E400}');
	expect(call?.body).toContain(
		'"io.modelcontextprotocol/protocolVersion":"2026-07-28"',
	);
});

test("legacy: session id and version go with every request, and the session is ended on close", async () => {
	const { server, pool, upstream } = behind(
		(asked) => legacyStart(asked, { sessionId: "s-1" }) ?? result(asked, "{}"),
	);
	await ask(upstream, "ping");
	await pool.upstreams.drop(upstream.server.id);
	const seen = server.asked.map(({ verb, method, headers }) => [
		verb,
		method,
		headers.get("mcp-session-id"),
		headers.get("mcp-protocol-version"),
	]);
	expect(seen).toEqual([
		["POST", "server/discover", null, "2026-07-28"],
		["POST", "initialize", null, null],
		["POST", "notifications/initialized", "s-1", "2025-06-18"],
		["POST", "ping", "s-1", "2025-06-18"],
		["DELETE", undefined, "s-1", null],
	]);
});

for (const [status, body] of [
	[404, ""],
	[
		400,
		'{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}',
	],
] as const)
	test(`a server that has forgotten the session (${status}) is initialised again, and the call is sent once more`, async () => {
		let sessions = 0;
		let good = "";
		const { server, upstream } = behind((asked) => {
			if (asked.method === "initialize") good = `s-${++sessions}`;
			const start = legacyStart(asked, { sessionId: good });
			if (start) return start;
			return asked.headers.get("mcp-session-id") === good
				? result(asked, "{}")
				: json(body, status);
		});
		await ask(upstream, "ping");
		good = "forgotten";
		const calls = await Promise.all([
			ask(upstream, "tools/call", '{"name":"x"}'),
			ask(upstream, "tools/call", '{"name":"y"}'),
		]);
		expect(calls.map(({ text }) => text)).toEqual(["{}", "{}"]);
		expect(sessions).toBe(2);
		// Neither the probe for the era nor anything else is repeated.
		expect(
			server.asked.filter(({ method }) => method === "server/discover"),
		).toHaveLength(1);
	});

test("a call whose connection breaks is not sent twice; a read is", async () => {
	const counts: Record<string, number> = {};
	const server = createServer(async (request, response) => {
		const { id, method } = JSON.parse(await text(request));
		counts[method] = (counts[method] ?? 0) + 1;
		const start = legacyStart({ id, method } as Asked);
		if (!start && counts[method] === 1) response.socket?.destroy();
		else {
			const answer = start ?? result({ id } as Asked, "{}");
			response
				.writeHead(answer.status, Object.fromEntries(answer.headers))
				.end(await answer.text());
		}
	});
	await once(server.listen(0, "127.0.0.1"), "listening");
	const pool = startPool();
	opened.push(pool, { close: () => void server.close() });
	const { port } = server.address() as AddressInfo;
	const upstream = pool.upstream("it", overHttp(`http://127.0.0.1:${port}/`));
	await expect(ask(upstream, "tools/call", '{"name":"x"}')).rejects.toThrow(
		"the connection broke before the answer was complete",
	);
	expect(await ask(upstream, "resources/read", '{"uri":"x:y"}')).toEqual({
		member: "result",
		text: "{}",
	});
	expect(counts).toMatchObject({ "tools/call": 1, "resources/read": 2 });
});

test("2025-11-25 transports, Resumability: an answer that stops early is taken up with Last-Event-ID", async () => {
	const { server, upstream } = behind((asked) => {
		const start = legacyStart(asked, { sessionId: "s" });
		if (start) return start;
		if (asked.verb === "DELETE") return undefined;
		if (asked.verb === "GET") {
			const call = server.asked.find(({ method }) => method === "tools/call");
			return events(
				`id: 3\ndata: {"jsonrpc":"2.0","id":${call?.id},"result":{"late":true}}\n\n`,
			);
		}
		return events("retry: 10\nid: 2\ndata:\n\n");
	});
	expect((await ask(upstream, "tools/call", '{"name":"x"}')).text).toBe(
		'{"late":true}',
	);
	const [get] = server.asked.filter(({ verb }) => verb === "GET");
	expect(get?.headers.get("last-event-id")).toBe("2");
});

test("an event stream carries log lines to the call, and a server's questions are answered", async () => {
	const notes: string[] = [];
	const { server, upstream } = behind((asked) => {
		const start = legacyStart(asked);
		if (start) return start;
		if (asked.method === undefined) return new Response(null, { status: 202 });
		return events(
			': hello\n\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1.0}}\n\n',
			'data: {"jsonrpc":"2.0","id":"q1","method":"ping"}\n\n',
			'data: {"jsonrpc":"2.0","id":"q2","method":"sampling/createMessage","params":{}}\n\n',
			`data: {"jsonrpc":"2.0","id":${asked.id},\ndata: "result":{}}\n\n`,
		);
	});
	await ask(upstream, "tools/call", '{"name":"x"}', {
		onNotification: (message) => notes.push(Buffer.from(message).toString()),
	});
	expect(notes).toEqual([
		'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1.0}}',
	]);
	await until(
		"both questions are answered",
		() =>
			server.asked.filter(({ method }) => method === undefined).length === 2,
	);
	const answers = server.asked
		.filter(({ method }) => method === undefined)
		.map(({ body }) => body)
		.sort();
	expect(answers[0]).toBe('{"jsonrpc":"2.0","id":"q1","result":{}}');
	expect(JSON.parse(answers[1] as string)).toMatchObject({
		id: "q2",
		error: { code: -32601 },
	});
});

test("a GET stream is opened where changes are announced, and brings them", async () => {
	const { upstream } = behind((asked) => {
		const start = legacyStart(asked, {
			capabilities: '{"tools":{"listChanged":true},"resources":{}}',
		});
		if (start) return start;
		if (asked.verb !== "GET") return result(asked, '{"tools":[]}');
		return events(
			'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\ndata: {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b"}}\n\n',
		);
	});
	const heard: unknown[] = [];
	upstream.subscribe((event) => heard.push(event));
	await upstream.facts();
	await until("both were heard", () => heard.length === 2);
	expect(heard).toEqual([
		{ type: "list_changed", list: "tools" },
		{ type: "resource_updated", uri: "a:b" },
	]);
});

test("a large answer whose id turns out wrong breaks off instead of ending well", async () => {
	const { upstream } = behind(
		(asked) =>
			legacyStart(asked) ??
			json(
				`{"jsonrpc":"2.0","result":{"x":"${"y".repeat(200_000)}"},"id":"another"}`,
			),
	);
	await expect(ask(upstream, "tools/call", '{"name":"x"}')).rejects.toThrow(
		"not an MCP message",
	);
});

for (const [what, status, body, said] of [
	[
		"401",
		401,
		'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}',
		"it: the server refused our credentials (401)",
	],
	["403", 403, "", "it: the server refused our credentials (403)"],
	["503", 503, "<html>SECRET PAGE", "it: the server answered 503"],
	["a redirect", 302, "", "it: the server redirects elsewhere (302)"],
] as const)
	test(`${what} says nothing about an era: the server is not asked another way`, async () => {
		const { server, upstream } = behind(() => json(body, status));
		await expect(upstream.facts()).rejects.toThrow(said);
		// A 401 makes us look for where to sign in, which is no way to ask it.
		const posts = server.asked.filter(({ verb }) => verb === "POST");
		expect(posts).toHaveLength(1);
	});

for (const [what, answer] of [
	["a 400 that is no JSON-RPC", () => json("{}", 400)],
	[
		"404 with -32601",
		(asked: Asked) =>
			json(
				`{"jsonrpc":"2.0","id":${asked.id},"error":{"code":-32601,"message":"?"}}`,
				404,
			),
	],
	[
		"any error",
		(asked: Asked) =>
			json(
				`{"jsonrpc":"2.0","id":${asked.id},"error":{"code":-32602,"message":"?"}}`,
			),
	],
	[
		"a page",
		() => new Response("<html>", { headers: { "content-type": "text/html" } }),
	],
	[
		"-32022 naming a legacy revision",
		(asked: Asked) =>
			json(
				`{"jsonrpc":"2.0","id":${asked.id},"error":{"code":-32022,"message":"?","data":{"supported":["2025-11-25"]}}}`,
				400,
			),
	],
] as const)
	test(`2026-07-28 versioning: ${what} to the probe leads to initialize`, async () => {
		const { upstream } = behind((asked) =>
			asked.method === "server/discover" ? answer(asked) : legacyStart(asked),
		);
		expect(await upstream.facts()).toMatchObject({
			era: "legacy",
			protocolVersion: "2025-06-18",
		});
	});

test("a server of revisions that we do not know is named as such", async () => {
	const { upstream } = behind((asked) =>
		json(
			`{"jsonrpc":"2.0","id":${asked.id},"error":{"code":-32022,"message":"?","data":{"supported":["2031-01-01"]}}}`,
			400,
		),
	);
	await expect(upstream.facts()).rejects.toThrow(
		"speaks only revisions that we do not know (2031-01-01)",
	);
});

test("2024-11-05 HTTP with SSE: an endpoint at another origin gets nothing", async () => {
	const { server, upstream } = behind(
		(asked) =>
			asked.verb === "GET"
				? events("event: endpoint\ndata: http://127.0.0.1:1/steal\n\n")
				: undefined,
		"sse",
	);
	await expect(upstream.facts()).rejects.toThrow(
		"named an endpoint at another origin",
	);
	expect(server.asked).toHaveLength(1);
});

test("all pages of a list are read, an entry without a key and a second of the same are left out", async () => {
	const { server, upstream } = behind((asked) => {
		const start = legacyStart(asked);
		if (start) return start;
		return asked.body.includes('"cursor":""')
			? result(
					asked,
					'{"tools":[{"name":"b","x":1.0},{"name":"a","twice":true}]}',
				)
			: result(
					asked,
					'{"tools":[{"name":"a"},{"noname":1},7,{"name":"c","name":"d"}],"nextCursor":""}',
				);
	});
	const tools = await upstream.list("tools");
	expect(
		tools.map(({ key, bytes }) => [key, Buffer.from(bytes).toString()]),
	).toEqual([
		["a", '{"name":"a"}'],
		["b", '{"name":"b","x":1.0}'],
	]);
	expect(await upstream.list("tools")).toBe(tools);
	expect(await upstream.list("prompts")).toEqual([]);
	expect(
		server.asked.filter(({ method }) => method === "tools/list"),
	).toHaveLength(2);
});

test("SEP-2549: a list without time to live is read anew each time, and a change is announced", async () => {
	let version = 1;
	const { upstream } = behind(
		(asked) =>
			modernStart(asked) ??
			result(
				asked,
				`{"tools":[{"name":"v${version}"}],"ttlMs":0,"cacheScope":"public"}`,
			),
	);
	const heard: unknown[] = [];
	upstream.subscribe((event) => heard.push(event));
	expect((await upstream.list("tools"))[0]?.key).toBe("v1");
	version = 2;
	expect((await upstream.list("tools"))[0]?.key).toBe("v2");
	expect(heard).toEqual([{ type: "list_changed", list: "tools" }]);
});

for (const [what, answer, said] of [
	[
		"never ends",
		'{"tools":[],"nextCursor":"again"}',
		"does not come to an end",
	],
	["is none", '{"tools":{}}', "is not a list"],
	["is missing", "{}", "is not a list"],
] as const)
	test(`a list that ${what} is refused`, async () => {
		const { upstream } = behind(
			(asked) => legacyStart(asked) ?? result(asked, answer),
		);
		await expect(upstream.list("tools")).rejects.toThrow(said);
	});

test("SEP-2243: a tool whose marks are faulty is left out, and the log says so once", async () => {
	const schema = (type: string): string =>
		`{"type":"object","properties":{"a":{"type":"${type}","x-mcp-header":"A"}}}`;
	const { pool, upstream } = behind(
		(asked) =>
			modernStart(asked) ??
			result(
				asked,
				`{"tools":[{"name":"good","inputSchema":${schema("string")}},{"name":"bad","inputSchema":${schema("number")}}],"ttlMs":0,"cacheScope":"public"}`,
			),
	);
	for (const _ of [1, 2])
		expect((await upstream.list("tools")).map(({ key }) => key)).toEqual([
			"good",
		]);
	const warnings = pool.logged.filter((line) => line.includes("tool left out"));
	expect(warnings).toHaveLength(1);
	expect(JSON.parse(warnings[0] as string)).toMatchObject({ tool: "bad" });
});

test("an administrator's header cannot say something else about the message", async () => {
	const server = startScripted(
		(asked) =>
			modernStart(asked) ?? result(asked, '{"content":[{"text":"ok"}]}'),
	);
	const pool = startPool();
	opened.push(pool, { close: server.stop });
	const upstream = pool.upstream("it", {
		kind: "http",
		url: server.url,
		mode: "auto",
		headers: {
			"X-Mine": "yes",
			"MCP-Method": "evil",
			HOST: "evil.test",
			Accept: "evil",
		},
	});
	expect(await callTool(upstream, "t")).toBe("ok");
	const headers = Object.fromEntries(server.asked.at(-1)?.headers ?? []);
	expect(headers).toMatchObject({
		"x-mine": "yes",
		"mcp-method": "tools/call",
	});
	expect(JSON.stringify(headers)).not.toContain("evil");
});
