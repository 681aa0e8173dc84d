import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Pieces } from "../../src/pieces.ts";
import type { Upstream } from "../../src/upstream/upstream.ts";
import {
	type FixtureServer,
	fixtureCommand,
	freePort,
	startFixture,
} from "../support/processes.ts";
import {
	asCommand,
	ask,
	callTool,
	overHttp,
	type Pool,
	startPool,
} from "../support/upstreams.ts";

let pool: Pool;
let hostile: FixtureServer;

beforeAll(async () => {
	pool = startPool();
	hostile = await startFixture("hostile");
});
afterAll(async () => {
	await pool.close();
	await hostile.stop();
});

async function failureOf(work: Promise<unknown>): Promise<string> {
	try {
		await work;
	} catch (error) {
		const { code, message } = error as { code: string; message: string };
		return `${code}: ${message}`;
	}
	return "no failure";
}

const NOT_MCP = "the server answered with something that is not an MCP message";

for (const [path, message] of [
	["html", NOT_MCP],
	["garbage", NOT_MCP],
	["truncated", NOT_MCP],
	["500", "the server answered 500"],
	["wrong-id", NOT_MCP],
	["reset", "the connection to the server broke in the middle of an answer"],
	["nowhere", "the server answered 404"],
] as const) {
	test(`connecting to a server that answers ${path} fails in plain words`, async () => {
		const slug = `first-${path}`;
		const upstream = pool.upstream(slug, overHttp(`${hostile.url}/${path}`));
		expect(await failureOf(upstream.facts())).toBe(
			`upstream: ${slug}: ${message}`,
		);
		expect(upstream.state()).toBe("failed");
		expect(upstream.lastError()).toBe(message);
	});
	if (path !== "nowhere")
		test(`a call that is answered by ${path} fails in plain words, and only it`, async () => {
			const slug = `late-${path}`;
			const upstream = pool.upstream(
				slug,
				overHttp(`${hostile.url}/late/${path}`),
			);
			expect(await failureOf(callTool(upstream, "act"))).toBe(
				`upstream: ${slug}: ${message}`,
			);
			expect((await ask(upstream, "ping")).text).toBe("{}");
		});
}

test("an answer of 64 MiB is handed on as it comes", async () => {
	const upstream = pool.upstream("huge", overHttp(`${hostile.url}/late/huge`));
	const reply = await upstream.request({
		method: "tools/call",
		params: Buffer.from('{"name":"act"}'),
		signal: new AbortController().signal,
	});
	let bytes = 0;
	const pieces = reply.body as Pieces;
	for (let part = await pieces.next(); part; part = await pieces.next())
		bytes += part.length;
	expect(bytes).toBe(
		64 * 1024 * 1024 + '{"content":[{"type":"text","text":""}]}'.length,
	);
});

test("a server that is not there fails, is left alone for a while, and says so", async () => {
	const port = await freePort();
	const upstream = pool.upstream(
		"dead",
		overHttp(`http://127.0.0.1:${port}/mcp`),
	);
	const refused = "dead: cannot be reached: the connection was refused";
	expect(await failureOf(callTool(upstream, "x"))).toBe(`upstream: ${refused}`);
	expect(await failureOf(upstream.list("tools"))).toBe(`upstream: ${refused}`);
	expect(await failureOf(upstream.list("tools"))).toBe(
		`unavailable: dead is not available: ${refused.slice("dead: ".length)}`,
	);
});

function child(slug: string, mode: string): Upstream {
	return pool.upstream(
		slug,
		asCommand(fixtureCommand("hostile", "stdio", mode)),
	);
}

test("a process that ends at once fails with its exit code", async () => {
	const upstream = child("ends", "exit");
	expect(await failureOf(upstream.facts())).toBe(
		"upstream: ends: the server's process ended with exit code 3",
	);
	expect(pool.db.query("SELECT * FROM children").all()).toEqual([]);
});

test("a program that does not exist fails and says which", async () => {
	const upstream = pool.upstream("absent", asCommand(["no-such-program"]));
	expect(await failureOf(upstream.facts())).toBe(
		"upstream: absent: cannot start no-such-program: there is no such program",
	);
});

test("a process that ends during a call fails the call at once, and is started again by the next", async () => {
	const upstream = child("dies", "die-on-call");
	expect(await failureOf(callTool(upstream, "act"))).toBe(
		"upstream: dies: the server's process ended with exit code 9",
	);
	expect(upstream.state()).toBe("failed");
	expect((await ask(upstream, "ping")).text).toBe("{}");
	expect(upstream.state()).toBe("ready");
});

test("lines that are no messages are skipped, and a call that got nothing else can be cancelled", async () => {
	const upstream = child("babbles", "garbage-on-call");
	const abort = new AbortController();
	const call = ask(upstream, "tools/call", '{"name":"act"}', {
		signal: abort.signal,
	});
	expect((await ask(upstream, "ping")).text).toBe("{}");
	abort.abort();
	expect(await failureOf(call)).toBe(
		"unavailable: babbles: the call was cancelled",
	);
});

test("a process that writes one line without an end is stopped", async () => {
	const upstream = child("floods", "flood");
	expect(await failureOf(upstream.facts())).toBe(
		"upstream: floods: the server wrote a line of more than 32 MiB",
	);
}, 20_000);

test("a waiting caller can give up on a server that never answers", async () => {
	const upstream = child("silent", "silent");
	const abort = new AbortController();
	const facts = upstream.facts(abort.signal);
	abort.abort();
	expect(await failureOf(facts)).toBe("unavailable: the call was cancelled");
	const waiting = failureOf(upstream.facts());
	await pool.upstreams.drop(upstream.server.id);
	expect(await waiting).toBe("unavailable: the server was changed or removed");
});
