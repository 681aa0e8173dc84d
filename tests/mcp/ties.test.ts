import { afterEach, expect, test } from "bun:test";
import { createTies, type End, type Ties } from "../../src/mcp/ties.ts";
import { toBytes } from "../../src/message.ts";
import type { Reply, Upstream } from "../../src/upstream/upstream.ts";
import { closeAll, opened } from "../support/opened.ts";
import {
	events,
	legacyStart,
	startScripted,
} from "../support/scripted-server.ts";
import { overHttp, startPool } from "../support/upstreams.ts";

afterEach(closeAll);

const NEWS = toBytes('{"jsonrpc":"2.0","method":"it was visited"}');

type Setting = {
	readonly ties: Ties;
	readonly upstream: Upstream;
	readonly pass: (seconds: number) => void;
};

/** Ties to a server that refuses each call with a page of the call's own id, or asks for roots in it. */
function tied(): Setting {
	const server = startScripted((asked) => {
		if (asked.method !== "tools/call") return legacyStart(asked);
		const { name } = JSON.parse(asked.body).params;
		if (name === "roots")
			return events(
				'data: {"jsonrpc":"2.0","id":"r","method":"roots/list"}\n\n',
				`data: {"jsonrpc":"2.0","id":${asked.id},"result":{}}\n\n`,
			);
		const data = { elicitations: [{ elicitationId: name, mode: "url" }] };
		const error = { code: -32042, message: "visit", data };
		return Response.json({ jsonrpc: "2.0", id: asked.id, error });
	});
	const pool = startPool();
	opened.push(pool, { close: server.stop });
	let now = 1_000_000;
	const clock = { now: () => now, nowMs: () => now * 1000 };
	return {
		ties: createTies({ clock }),
		upstream: pool.upstream("it", overHttp(server.url)),
		pass: (seconds) => {
			now += seconds;
		},
	};
}

type Told = End & { readonly heard: string[] };

function end(roots = '{"roots":[]}'): Told {
	const heard: string[] = [];
	return {
		heard,
		tell: (message) => void heard.push(Buffer.from(message).toString()),
		ask: async () => ({ member: "result", body: toBytes(roots) }),
	};
}

function call(
	{ ties, upstream }: Setting,
	name: string,
	whose: End,
	asker: string,
): Promise<Reply> {
	return ties.through(
		upstream,
		{
			method: "tools/call",
			params: toBytes(JSON.stringify({ name })),
			signal: new AbortController().signal,
			asker,
		},
		whose.ask,
		whose,
	);
}

test("a visit is told once, to everybody who was sent there, and not after an hour", async () => {
	const setting = tied();
	const { ties, upstream, pass } = setting;
	const [ada, bob] = [end(), end()];
	await call(setting, "page", ada, "ada");
	await call(setting, "page", bob, "bob");
	await call(setting, "late", ada, "ada");
	ties.visited(upstream, "another", NEWS);
	for (const _ of [1, 2]) ties.visited(upstream, "page", NEWS);
	expect([ada.heard.length, bob.heard.length]).toEqual([1, 1]);
	pass(3601);
	ties.visited(upstream, "late", NEWS);
	expect(ada.heard).toHaveLength(1);
});

test("of pages that nobody visits the oldest are forgotten", async () => {
	const setting = tied();
	const ada = end();
	for (let page = 0; page <= 2000; page++)
		await call(setting, `p${page}`, ada, "ada");
	for (const page of ["p0", "p1", "p2000"])
		setting.ties.visited(setting.upstream, page, NEWS);
	expect(ada.heard).toHaveLength(2);
}, 20_000);

test("changed roots are given for a minute, to servers that had them, and never those of one of two", async () => {
	const setting = tied();
	const { ties, upstream, pass } = setting;
	const question = { method: "roots/list", params: null };
	const [ada, bob] = [end(), end()];
	ties.rootsChanged(ada);
	expect(ties.rootsFor(upstream, question)).toBeNull();
	await call(setting, "roots", ada, "ada");
	expect(ties.rootsFor(upstream, question)).toBeNull();
	ties.rootsChanged(ada);
	expect(await ties.rootsFor(upstream, question)).toMatchObject({
		member: "result",
	});
	await call(setting, "roots", bob, "bob");
	pass(30);
	ties.rootsChanged(bob);
	expect(ties.rootsFor(upstream, question)).toBeNull();
	pass(31);
	expect(ties.rootsFor(upstream, question)).not.toBeNull();
	pass(60);
	expect(ties.rootsFor(upstream, question)).toBeNull();
});
