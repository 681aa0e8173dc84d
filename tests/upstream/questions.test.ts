import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { textOf, toBytes } from "../../src/message.ts";
import type { Transport } from "../../src/store/servers.ts";
import type { Question, Reply, Upstream } from "../../src/upstream/upstream.ts";
import {
	fixtureCommand as conformance,
	startFixture as conformanceServer,
} from "../conformance/fixtures.ts";
import { type FixtureServer, startEverything } from "../support/processes.ts";
import {
	events,
	legacyStart,
	result,
	startScripted,
} from "../support/scripted-server.ts";
import { until } from "../support/until.ts";
import {
	asCommand,
	ask,
	callTool,
	overHttp,
	type Pool,
	startPool,
} from "../support/upstreams.ts";

const EVERYTHING = join(
	import.meta.dir,
	"../../node_modules/@modelcontextprotocol/server-everything/dist/index.js",
);
const ABLE = '{"elicitation":{"form":{}},"roots":{},"sampling":{}}';

let pool: Pool;
let listening: FixtureServer[] = [];
const transports = new Map<string, Transport>();

beforeAll(async () => {
	pool = startPool();
	const [http, sse] = await Promise.all([
		startEverything("streamableHttp"),
		startEverything("sse"),
	]);
	listening = [http, sse];
	transports.set("stdio", asCommand([process.execPath, EVERYTHING, "stdio"]));
	transports.set("http", overHttp(http.url));
	transports.set("sse", overHttp(sse.url));
}, 30_000);

afterAll(async () => {
	await pool.close();
	await Promise.all(listening.map((server) => server.stop()));
});

let added = 0;
function able(transport: Transport, owner: Pool = pool): Upstream {
	return owner.upstreams.forUser(
		owner.add(`able-${++added}`, transport),
		owner.userIds[0],
		ABLE,
	);
}

function says(text: string): Reply {
	return { member: "result", body: toBytes(text) };
}

function textsOf(params: Question["params"]): string {
	return params ? textOf(params) : "";
}

for (const kind of ["stdio", "http", "sse"])
	describe(`server-everything over ${kind}`, () => {
		let upstream: Upstream;
		beforeAll(() => {
			upstream = able(transports.get(kind) as Transport);
		});

		test("what our caller can be asked is declared, so the tools that ask are there", async () => {
			const names = (await upstream.list("tools")).map(({ key }) => key);
			expect(names).toContain("trigger-sampling-request");
			const plain = pool.upstreams.forUser(upstream.server, pool.userIds[0]);
			expect(plain).not.toBe(upstream);
			expect((await plain.list("tools")).map(({ key }) => key)).not.toContain(
				"trigger-sampling-request",
			);
		}, 20_000);

		test("a question in the middle of a call is answered by the call's own caller", async () => {
			const asked: Question[] = [];
			const text = await callTool(
				upstream,
				"trigger-sampling-request",
				{ prompt: "what is 6 * 7?" },
				{
					asker: "ada",
					onQuestion: async (question) => {
						if (question.method === "roots/list") return says('{"roots":[]}');
						asked.push(question);
						return says(
							'{ "role":"assistant", "model":"m","content":{"type":"text","text":"forty-two"} }',
						);
					},
				},
			);
			expect(asked.map(({ method }) => method)).toEqual([
				"sampling/createMessage",
			]);
			expect(textsOf(asked[0]?.params ?? null)).toContain("what is 6 * 7?");
			expect(text).toContain("forty-two");
		}, 20_000);

		test("an elicitation that the user declines is declined", async () => {
			const { text } = await ask(
				upstream,
				"tools/call",
				'{"name":"trigger-elicitation-request","arguments":{}}',
				{ onQuestion: async () => says('{"action":"decline"}') },
			);
			expect(text).toContain("User declined");
		}, 20_000);
	});

test("two people's calls over HTTP at once are each asked on the call's own stream", async () => {
	const server = await conformanceServer("http-legacy");
	const shared = able(overHttp(server.url));
	const bothAsked = Promise.withResolvers<void>();
	let asked = 0;
	const answers = await Promise.all(
		["ada", "bob"].map((asker) =>
			callTool(
				shared,
				"test_elicitation",
				{ message: `for ${asker}` },
				{
					asker,
					onQuestion: async ({ params }) => {
						if (++asked === 2) bothAsked.resolve();
						await bothAsked.promise;
						const { message } = JSON.parse(textsOf(params));
						return says(
							JSON.stringify({
								action: "accept",
								content: { username: `${asker}, ${message}`, email: "" },
							}),
						);
					},
				},
			),
		),
	);
	expect(answers.map((text) => /"username":"([^"]*)/.exec(text)?.[1])).toEqual([
		"ada, for ada",
		"bob, for bob",
	]);
	await server.stop();
}, 20_000);

test("two people's calls over stdio at once are not asked; one person's call is", async () => {
	const shared = able(asCommand(conformance("stdio-legacy")));
	const call = (asker: string, onQuestion: () => Promise<Reply>) =>
		ask(
			shared,
			"tools/call",
			'{"name":"test_elicitation","arguments":{"message":"?"}}',
			{ asker, onQuestion },
		);
	const declined = says('{"action":"decline"}');
	let second: ReturnType<typeof call> | null = null;
	const first = await call("ada", async () => {
		second = call("bob", async () => declined);
		expect((await second).text).toContain("several people use this server");
		return declined;
	});
	expect(first.text).toContain("decline");
}, 20_000);

describe("scripted over HTTP", () => {
	const open: { close: () => Promise<void> | void }[] = [];
	afterAll(async () => {
		for (const each of open) await each.close();
	});

	/** A server that asks on the stream of a call, and answers the call with what it was answered. */
	function asking(question: (id: string) => string): {
		readonly upstream: Upstream;
		readonly answers: () => readonly string[];
		readonly say: (message: string) => void;
	} {
		const answers: string[] = [];
		let say: (message: string) => void = () => {};
		const server = startScripted((asked) => {
			const start = legacyStart(asked, { sessionId: "s" });
			if (start) return start;
			if (asked.method === undefined && asked.verb === "POST") {
				answers.push(asked.body);
				return new Response(null, { status: 202 });
			}
			if (asked.method === "cancelled-calls") return result(asked, "{}");
			if (asked.method !== "tools/call") return undefined;
			const { readable, writable } = new TransformStream<
				Uint8Array,
				Uint8Array
			>();
			const writer = writable.getWriter();
			say = (message) =>
				void writer.write(toBytes(`data: ${message}\n\n`)).catch(() => {});
			say(question(JSON.stringify(asked.id)));
			return new Response(readable, {
				headers: { "content-type": "text/event-stream" },
			});
		});
		const own = startPool();
		open.push(own, { close: server.stop });
		return {
			upstream: able(overHttp(server.url), own),
			answers: () => answers,
			say: (message) => say(message),
		};
	}

	const ODD = '{ "message":"\\ud800", "n":12345678901234567890 ,"a":1.0}';

	test("params and answer pass as bytes, untouched", async () => {
		const { upstream, answers, say } = asking(
			() =>
				`{"jsonrpc":"2.0","id":"q/1","method":"elicitation/create","params":${ODD}}`,
		);
		let seen = "";
		const call = ask(upstream, "tools/call", '{"name":"x"}', {
			onQuestion: async ({ params }) => {
				seen = textsOf(params);
				return { member: "error", body: toBytes(ODD) };
			},
		});
		await until("the answer came", () => answers().length === 1);
		expect(seen).toBe(ODD);
		expect(answers()[0]).toBe(`{"jsonrpc":"2.0","id":"q/1","error":${ODD}}`);
		say('{"jsonrpc":"2.0","id":2,"result":{}}');
		say('{"jsonrpc":"2.0","id":3,"result":{}}');
		await call;
	});

	test("without anybody to ask it is refused as an unknown method, and ping is answered", async () => {
		const { upstream, answers, say } = asking(
			() => '{"jsonrpc":"2.0","id":1,"method":"roots/list"}',
		);
		const abort = new AbortController();
		const call = ask(upstream, "tools/call", '{"name":"x"}', {
			signal: abort.signal,
		});
		await until("it was refused", () => answers().length === 1);
		say('{"jsonrpc":"2.0","id":2,"method":"ping"}');
		await until("ping was answered", () => answers().length === 2);
		expect(JSON.parse(answers()[0] as string)).toMatchObject({
			id: 1,
			error: { code: -32601 },
		});
		expect(answers()[1]).toBe('{"jsonrpc":"2.0","id":2,"result":{}}');
		abort.abort();
		await expect(call).rejects.toThrow("cancelled");
	});

	test("a call that ends before its question is answered takes the question with it", async () => {
		const { upstream, answers } = asking(
			() => '{"jsonrpc":"2.0","id":7,"method":"roots/list"}',
		);
		const abort = new AbortController();
		const call = ask(upstream, "tools/call", '{"name":"x"}', {
			signal: abort.signal,
			onQuestion: () => {
				abort.abort();
				return new Promise(() => {});
			},
		});
		await expect(call).rejects.toThrow("cancelled");
		await until("the server was told", () => answers().length === 1);
		expect(JSON.parse(answers()[0] as string)).toMatchObject({
			id: 7,
			error: {
				code: -32603,
				message: "the call that the question belongs to has ended",
			},
		});
	});

	test("a server that withdraws its question gets no answer to it (2025-11-25 cancellation)", async () => {
		const { upstream, answers, say } = asking(
			() => '{"jsonrpc":"2.0","id":"w","method":"roots/list"}',
		);
		const { promise, resolve } = Promise.withResolvers<Reply>();
		const abort = new AbortController();
		const call = ask(upstream, "tools/call", '{"name":"x"}', {
			signal: abort.signal,
			onQuestion: ({ method }) => {
				if (method !== "roots/list") return Promise.resolve(says("{}"));
				say(
					'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"w"}}',
				);
				say('{"jsonrpc":"2.0","id":"p","method":"ping"}');
				return promise;
			},
		});
		await until("ping was answered", () => answers().length === 1);
		resolve(says('{"roots":[]}'));
		say('{"jsonrpc":"2.0","id":"next","method":"sampling/createMessage"}');
		await until("the next was answered", () => answers().length === 2);
		expect(answers().map((answer) => JSON.parse(answer).id)).toEqual([
			"p",
			"next",
		]);
		abort.abort();
		await call.catch(() => {});
	});
});

test("an interactive connection listens for questions even where the server tells of no changes", async () => {
	const server = startScripted(
		(asked) =>
			legacyStart(asked, { sessionId: "s", capabilities: "{}" }) ??
			(asked.verb === "GET" ? events("") : result(asked, "{}")),
	);
	const own = startPool();
	const plain = own.upstream("plain", overHttp(server.url));
	await ask(plain, "ping");
	await ask(able(overHttp(server.url), own), "ping");
	await until("a stream was opened", () =>
		server.asked.some(({ verb }) => verb === "GET"),
	);
	const initialised = server.asked.flatMap(({ method, body }) =>
		method === "initialize" ? [JSON.parse(body).params.capabilities] : [],
	);
	expect(initialised).toEqual([{}, JSON.parse(ABLE)]);
	expect(server.asked.filter(({ verb }) => verb === "GET")).toHaveLength(1);
	await own.close();
	server.stop();
});
