/**
 * What must be said otherwise to a client of the other era, or to a client of several servers: structured output,
 * pages of MCP Apps, how long a list holds, who asks. What passes unchanged is in `fidelity.test.ts`.
 *
 * @see specification 2026-07-28, changelog (SEP-2106, SEP-2133, SEP-2549); the extension io.modelcontextprotocol/ui
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { META } from "../../src/protocol.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	type Asked,
	json,
	legacyStart,
	modernStart,
	result,
	type ScriptedServer,
	startScripted,
} from "../support/scripted-server.ts";
import {
	openLegacySession,
	type RpcMessage,
	sendModern,
} from "../support/wire.ts";

setDefaultTimeout(30_000);

const UI = "io.modelcontextprotocol/ui";
const HOST = {
	extensions: { [UI]: { mimeTypes: ["text/html;profile=mcp-app"] } },
};
const PAGE = "ui://charts/bar.html";
const CONTENTS = `{"uri":"${PAGE}","mimeType":"text/html;profile=mcp-app","text":"<p>","_meta":{"ui":{"csp":{"connectDomains":["https://example.org"]},"prefersBorder":true}}}`;
/** More than is held before it is handed on. */
const LONG = `{"uri":"ui://charts/long","text":"${"x".repeat(300_000)}"}`;

const TOOLS = `{"tools":[
	{"name":"numbers","inputSchema":{"type":"object"},"outputSchema":{"type":"array","items":{"$ref":"#/$defs/n"},"$defs":{"n":{"type":"number"}}}},
	{"name":"chart","inputSchema":{"type":"object"},"_meta":{"ui":{"resourceUri":"${PAGE}","visibility":["model"]}}}
],"resultType":"complete","ttlMs":5000,"cacheScope":"public"}`;

/** What an older server may say without meaning anything of the newer era. */
const POSED =
	'{"content":[],"resultType":"input_required","inputRequests":{"who":{"method":"elicitation/create","params":{"message":"Your password?"}}}}';

const CAPABILITIES = `{"tools":{},"resources":{},"extensions":{"${UI}":{},"com.example/other":{}}}`;

/** What both scripted servers answer in the same words. */
function shared(asked: Asked): Response | undefined {
	if (asked.method === "tools/call" && asked.body.includes('"chart"'))
		return json(
			`{"jsonrpc":"2.0","id":${asked.id},"error":{"code":-32602,"code":-32020,"message":"no"}}`,
		);
	switch (asked.method) {
		case "tools/list":
			return result(asked, TOOLS);
		case "tools/call":
			return result(
				asked,
				'{"resultType":"complete","content":[],"structuredContent":[1,2.50]}',
			);
		case "resources/read":
			return result(
				asked,
				`{"resultType":"complete","contents":[${asked.body.includes(PAGE) ? CONTENTS : LONG}],"ttlMs":60000,"cacheScope":"public"}`,
			);
		default:
			return undefined;
	}
}

let gateway: Gateway;
let key: string;
let modern: ScriptedServer;
let legacy: ScriptedServer;
let asking: ScriptedServer;
let visits: ScriptedServer;
let visited = false;

beforeAll(async () => {
	modern = startScripted((asked) =>
		asked.method === "server/discover"
			? result(
					asked,
					`{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":${CAPABILITIES},"ttlMs":0,"cacheScope":"public"}`,
				)
			: shared(asked),
	);
	legacy = startScripted(
		(asked) =>
			legacyStart(asked, { capabilities: CAPABILITIES }) ??
			(asked.body.includes('"poses"') ? result(asked, POSED) : undefined) ??
			(asked.method === "resources/read"
				? result(asked, `{"contents":[${CONTENTS}]}`)
				: shared(asked)),
	);
	asking = startScripted((asked) => {
		const { id, method, body } = asked;
		if (method !== "tools/call" || body.includes("inputResponses"))
			return method === "server/discover"
				? result(
						asked,
						'{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"public"}',
					)
				: shared(asked);
		return Response.json({
			jsonrpc: "2.0",
			id,
			result: {
				resultType: "input_required",
				inputRequests: {
					who: {
						method: "elicitation/create",
						params: { message: "Who?", requestedSchema: { type: "object" } },
					},
				},
			},
		});
	});
	visits = startScripted((asked) => {
		const { id, method } = asked;
		if (method !== "tools/call" || visited)
			return legacyStart(asked) ?? shared(asked);
		return Response.json({
			jsonrpc: "2.0",
			id,
			error: {
				code: -32042,
				message: "visit first",
				data: {
					elicitations: [
						{
							mode: "url",
							elicitationId: "e1",
							message: "Sign in",
							url: "https://example.org/sign-in",
						},
					],
				},
			},
		});
	});
	gateway = await startGateway();
	const servers = { modern, legacy, asking, visits };
	await gateway.addServers(
		Object.fromEntries(
			Object.entries(servers).map(([slug, { url }]) => [slug, ["--url", url]]),
		),
	);
	key = await gateway.apiKey("eras");
});

afterAll(async () => {
	await gateway?.stop();
	for (const server of [modern, legacy, asking, visits]) server.stop();
});

function ask(
	method: string,
	params: Record<string, unknown> = {},
	capabilities: unknown = {},
	slug?: string,
): ReturnType<typeof sendModern> {
	return sendModern(gateway.endpoint(slug), key, method, {
		...params,
		_meta: { [META.clientCapabilities]: capabilities },
	});
}

test("an output that is no object is one to a legacy client, whose SDK finds it valid", async () => {
	const client = new Client({ name: "eras", version: "1.0.0" });
	await client.connect(
		new StreamableHTTPClientTransport(new URL(gateway.endpoint()), {
			requestInit: { headers: { Authorization: `Bearer ${key}` } },
		}) as Parameters<Client["connect"]>[0],
	);
	const { tools } = await client.listTools();
	expect(
		tools.find(({ name }) => name === "modern_numbers")?.outputSchema,
	).toMatchObject({
		type: "object",
		properties: { result: { type: "array" } },
		required: ["result"],
	});
	const called = await client.callTool({ name: "modern_numbers" });
	expect(called.structuredContent).toEqual({ result: [1, 2.5] });
	await client.close();
	const { text } = await ask("tools/call", {
		name: "modern_numbers",
		arguments: {},
	});
	expect(text).toContain('"structuredContent":[1,2.50]');
});

test("a server's error in which a member stands twice is the server's fault to clients of both eras", async () => {
	const session = await openLegacySession(gateway.endpoint(), key);
	for (const slug of ["modern", "legacy"]) {
		const call = { name: `${slug}_chart`, arguments: {} };
		for (const { status, last } of [
			await ask("tools/call", call),
			await session.request("tools/call", call),
		]) {
			expect(status).toBe(200);
			expect(last?.error).toEqual({
				code: -32603,
				message:
					"the server's answer cannot be read: a member stands twice in the message",
			});
		}
	}
});

test("a legacy server's result that looks like a modern question is a result, and asks a modern client nothing", async () => {
	for (const slug of [undefined, "legacy"]) {
		const { text } = await ask(
			"tools/call",
			{
				name: slug ? "numbers" : "legacy_numbers",
				arguments: { do: "poses" },
			},
			{ elicitation: { form: {} } },
			slug,
		);
		expect(text).toContain(POSED.replace('"input_required"', '"complete"'));
	}
});

test("MCP Apps: both ends hear of the extension with its settings, and of no other that we do not know", async () => {
	const { last } = await ask("server/discover", {}, HOST);
	expect(last?.result?.["capabilities"]).toMatchObject({
		extensions: { [UI]: {} },
	});
	expect(JSON.stringify(last)).not.toContain("com.example");
	await ask("tools/list", {}, { ...HOST, "com.example": {} });
	expect(
		modern.asked.some(({ body }) => body.includes(JSON.stringify(HOST))),
	).toBe(true);
	await openLegacySession(gateway.endpoint(), key, undefined, HOST);
	expect(
		legacy.asked.some(
			({ method, body }) =>
				method === "initialize" && body.includes(JSON.stringify(HOST)),
		),
	).toBe(true);
});

test("MCP Apps: the page that a tool names can be read under that name, as it was written", async () => {
	const session = await openLegacySession(gateway.endpoint(), key);
	for (const slug of ["modern", "legacy"]) {
		const uri = `ui://${slug}/charts/bar.html`;
		const contents = CONTENTS.replace(PAGE, uri);
		const tool = `"_meta":{"ui":{"resourceUri":"${uri}","visibility":["model"]}}`;
		for (const [list, read] of [
			[await ask("tools/list"), await ask("resources/read", { uri })],
			[
				await session.request("tools/list"),
				await session.request("resources/read", { uri }),
			],
		] as const) {
			expect(list.text).toContain(tool);
			expect(read.text).toContain(contents);
		}
	}
});

test("a list holds as long as the shortest of what it was made of, and is its caller's own (SEP-2549)", async () => {
	const { last } = await ask("tools/list", {}, {}, "modern");
	expect(Number(last?.result?.["ttlMs"])).toBeLessThanOrEqual(5000);
	expect(last?.result?.["cacheScope"]).toBe("private");
	const read = await ask("resources/read", { uri: PAGE }, {}, "modern");
	expect(read.last?.result).toMatchObject({
		cacheScope: "public",
		ttlMs: 60_000,
	});
	const old = await ask("resources/read", { uri: PAGE }, {}, "legacy");
	expect(old.last?.result).toMatchObject({ cacheScope: "private", ttlMs: 0 });
});

test("what is read with somebody's own secret is theirs alone to keep, whatever its server says of it", async () => {
	await gateway.addServers({
		own: ["--url", modern.url, "--slot", "KEY=header:X-Key,personal"],
	});
	await gateway.cli(
		["secrets", "set", "own", "KEY", "--user", gateway.owner.email],
		"a-key",
	);
	for (const uri of [PAGE, "ui://charts/long"])
		for (const [slug, cacheScope] of [
			["own", "private"],
			["modern", "public"],
		] as const) {
			const { last } = await ask("resources/read", { uri }, {}, slug);
			expect(last?.result).toMatchObject({ cacheScope, ttlMs: 60_000 });
		}
});

test("among several servers a question says whose it is, to clients of both eras", async () => {
	const call = { name: "asking_numbers", arguments: {} };
	const capabilities = { elicitation: {} };
	const { last } = await ask("tools/call", call, capabilities);
	expect(last?.result?.["inputRequests"]).toMatchObject({
		who: { params: { message: "asking: Who?" } },
	});
	const session = await openLegacySession(
		gateway.endpoint(),
		key,
		undefined,
		capabilities,
	);
	const stream = await session.open("tools/call", call);
	const question = (await stream.next()) as RpcMessage;
	expect(question.params?.["message"]).toBe("asking: Who?");
	await session.answer(question, { action: "decline" });
	expect((await stream.next())?.result).toBeDefined();
	stream.close();
	const own = await ask(
		"tools/call",
		{ ...call, name: "numbers" },
		capabilities,
		"asking",
	);
	expect(own.last?.result?.["inputRequests"]).toMatchObject({
		who: { params: { message: "Who?" } },
	});
});

test("a legacy server's wish that the user visits a page is a question to a modern client that can, and no error of its era", async () => {
	const call = { name: "visits_numbers", arguments: {} };
	const able = { elicitation: { form: {}, url: {} } };
	const first = await ask("tools/call", call, able);
	expect(first.last?.result).toEqual({
		resultType: "input_required",
		inputRequests: {
			page1: {
				method: "elicitation/create",
				params: {
					mode: "url",
					message: "visits: Sign in",
					url: "https://example.org/sign-in",
				},
			},
		},
	});
	visited = true;
	const inputResponses = { page1: { action: "accept" } };
	const again = await ask("tools/call", { ...call, inputResponses }, able);
	expect(again.last?.result).toMatchObject({ resultType: "complete" });
	expect(visits.asked.at(-1)?.body).not.toContain("inputResponses");
	visited = false;
	const unable = await ask("tools/call", call, { elicitation: {} });
	expect(unable.last?.error).toMatchObject({
		code: -32603,
		message: "visit first",
	});
	const session = await openLegacySession(gateway.endpoint(), key);
	const old = await session.request("tools/call", call);
	expect(old.last?.error?.code).toBe(-32042);
});

test("what nobody knows is unknown in the words of each era", async () => {
	const unknown = await ask("vendor/unknown");
	expect([unknown.status, unknown.last?.error?.code]).toEqual([404, -32601]);
	const session = await openLegacySession(gateway.endpoint(), key);
	const old = await session.request("vendor/unknown");
	expect(old.last?.error?.code).toBe(-32601);
});

test("ping is answered here to a legacy client, and is unknown in the modern era", async () => {
	const session = await openLegacySession(gateway.endpoint("legacy"), key);
	expect((await session.request("ping")).last?.result).toEqual({});
	expect(legacy.asked.some(({ method }) => method === "ping")).toBe(false);
	const gone = await ask("ping");
	expect([gone.status, gone.last?.error?.code]).toEqual([404, -32601]);
});

test("every list that is declared answers, and no cursor is taken that the gateway has not given", async () => {
	const session = await openLegacySession(gateway.endpoint(), key);
	const { last } = await ask("server/discover");
	expect(last?.result?.["capabilities"]).toMatchObject({
		tools: { listChanged: true },
		resources: { listChanged: true },
	});
	for (const [method, member] of [
		["tools/list", "tools"],
		["resources/list", "resources"],
		["resources/templates/list", "resourceTemplates"],
		["prompts/list", "prompts"],
	] as const)
		for (const list of [
			(params: Record<string, unknown>) => ask(method, params),
			(params: Record<string, unknown>) => session.request(method, params),
		]) {
			expect((await list({})).last?.result?.[member]).toBeArray();
			for (const cursor of ["", "made-up", 7])
				expect((await list({ cursor })).last?.error?.code).toBe(-32602);
		}
});

test("a schema that points into the network is passed on, and nobody fetches it (2026-07-28 basic, $ref)", async () => {
	const bait = startScripted(() => undefined);
	const schema = `{"type":"object","properties":{"a":{"$ref":"${bait.url}/a.json"}}}`;
	const tool = `{"name":"far","inputSchema":${schema},"outputSchema":${schema}}`;
	const server = startScripted(
		(asked) =>
			modernStart(asked) ??
			result(
				asked,
				asked.method === "tools/list"
					? `{"resultType":"complete","tools":[${tool}],"ttlMs":1000,"cacheScope":"public"}`
					: '{"resultType":"complete","content":[],"structuredContent":{"a":1}}',
			),
	);
	await gateway.addServers({ far: ["--url", server.url] });
	const call = { name: "far", arguments: { a: 1 } };
	const session = await openLegacySession(gateway.endpoint("far"), key);
	for (const [list, called] of [
		[
			await ask("tools/list", {}, {}, "far"),
			await ask("tools/call", call, {}, "far"),
		],
		[
			await session.request("tools/list"),
			await session.request("tools/call", call),
		],
	] as const) {
		expect(list.text).toContain(schema);
		expect(called.text).toContain('"structuredContent":{"a":1}');
	}
	expect(bait.asked).toEqual([]);
	server.stop();
	bait.stop();
});
