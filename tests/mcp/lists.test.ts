/** Merged lists over real upstreams of scripted servers: when they are asked, and that none is out of date. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { type Clock, systemClock } from "../../src/clock.ts";
import { createLog } from "../../src/log.ts";
import { createLists, type Lists } from "../../src/mcp/lists.ts";
import { createShapes } from "../../src/mcp/shape.ts";
import type { View } from "../../src/mcp/view.ts";
import { textOf } from "../../src/message.ts";
import type { Server, Slot } from "../../src/store/servers.ts";
import { setSecret } from "../../src/upstream/credentials.ts";
import {
	events,
	legacyStart,
	modernStart,
	result,
	type ScriptedServer,
	startScripted,
} from "../support/scripted-server.ts";
import { ask, overHttp, type Pool, startPool } from "../support/upstreams.ts";
import { viewOf } from "../support/views.ts";

const KEY: Slot = {
	name: "KEY",
	injection: "header",
	target: "x-key",
	personal: true,
	optional: false,
};

let laterMs = 0;
const clock: Clock = {
	now: () => systemClock.now() + laterMs / 1000,
	nowMs: () => systemClock.nowMs() + laterMs,
};
let pool: Pool;
let lists: Lists;
/** How often an upstream was looked at. */
let looks = 0;
const running: ScriptedServer[] = [];

beforeEach(() => {
	laterMs = 0;
	looks = 0;
	pool = startPool({ clock });
	lists = createLists({
		upstreamOf: (view, server) => {
			looks++;
			return pool.upstreams.forUser(server, view.caller.userId);
		},
		changes: pool.upstreams.changes,
		shapes: createShapes({ judge: () => new Map() }),
		clock,
		log: createLog({ level: "error", format: "json", write: () => {} }),
	});
});
afterEach(async () => {
	await pool.close();
	for (const server of running.splice(0)) server.stop();
});

/** A legacy server whose one tool is called what `toolOf` says, and that tells of a change within any call. */
function serve(toolOf: (key: string | null) => string): ScriptedServer {
	const server = startScripted((asked) => {
		if (asked.method === "tools/list")
			return result(
				asked,
				`{"tools":[{"name":"${toolOf(asked.headers.get("x-key"))}"}]}`,
			);
		if (asked.method === "tools/call")
			return events(
				'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n',
				`data: {"jsonrpc":"2.0","id":${JSON.stringify(asked.id)},"result":{}}\n\n`,
			);
		return legacyStart(asked);
	});
	running.push(server);
	return server;
}

function seenBy(user: 0 | 1, servers: readonly Server[]): View {
	return viewOf(servers, pool.userIds[user]);
}

async function toolsOf(view: View): Promise<readonly string[]> {
	const { bytes } = await lists.merged(view, "tools");
	const { tools } = JSON.parse(textOf(bytes)) as { tools: { name: string }[] };
	return tools.map(({ name }) => name);
}

test("a warm list looks at no upstream, however many servers it is of", async () => {
	const servers = Array.from({ length: 20 }, (_, at) =>
		pool.add(`s${at}`, overHttp(serve(() => "t").url)),
	);
	const view = seenBy(0, servers);
	await toolsOf(view);
	await toolsOf(view);
	looks = 0;
	for (let round = 0; round < 10; round++)
		expect(await toolsOf(view)).toHaveLength(20);
	expect(looks).toBe(0);
});

test("a server that says its list has changed is asked anew; the others are not", async () => {
	let tool = "before";
	const changing = serve(() => tool);
	const steady = serve(() => "same");
	const servers = [
		pool.add("a", overHttp(changing.url)),
		pool.add("b", overHttp(steady.url)),
	];
	const view = seenBy(0, servers);
	for (let round = 0; round < 3; round++)
		expect(await toolsOf(view)).toEqual(["a_before", "b_same"]);
	const asked = steady.asked.length;
	tool = "after";
	expect(await toolsOf(view)).toEqual(["a_before", "b_same"]);
	const upstream = pool.upstreams.forUser(
		servers[0] as Server,
		pool.userIds[0],
	);
	await ask(upstream, "tools/call", '{"name":"before"}');
	expect(await toolsOf(view)).toEqual(["a_after", "b_same"]);
	expect(steady.asked.length).toBe(asked);
});

test("a list holds as long as the part that holds the shortest, and says so", async () => {
	let tool = "before";
	const brief = startScripted(
		(asked) =>
			modernStart(asked) ??
			(asked.method === "tools/list"
				? result(
						asked,
						`{"resultType":"complete","tools":[{"name":"${tool}"}],"ttlMs":5000,"cacheScope":"public"}`,
					)
				: undefined),
	);
	running.push(brief);
	const view = seenBy(0, [
		pool.add("brief", overHttp(brief.url)),
		pool.add("long", overHttp(serve(() => "same").url)),
	]);
	await toolsOf(view);
	await toolsOf(view);
	tool = "after";
	laterMs += 4000;
	expect(await toolsOf(view)).toEqual(["brief_before", "long_same"]);
	const { ttlMs } = await lists.merged(view, "tools");
	expect(ttlMs).toBeGreaterThan(0);
	expect(ttlMs).toBeLessThan(1000);
	laterMs += 1000;
	expect(await toolsOf(view)).toEqual(["brief_after", "long_same"]);
});

test("a user who gives a secret has the server's tools at once, and nobody else has them", async () => {
	const server = pool.add("own", overHttp(serve((key) => `of_${key}`).url), [
		KEY,
	]);
	const views = [seenBy(0, [server]), seenBy(1, [server])] as const;
	for (let round = 0; round < 3; round++)
		for (const view of views) expect(await toolsOf(view)).toEqual([]);
	const give = async (user: 0 | 1, value: string): Promise<void> => {
		const owner = pool.userIds[user];
		setSecret(pool.db, pool.vault, { server, slot: KEY, owner, value }, 1);
		await pool.upstreams.drop(server.id, owner);
	};
	await give(0, "ada");
	expect(await toolsOf(views[0])).toEqual(["own_of_ada"]);
	expect(await toolsOf(views[1])).toEqual([]);
	await give(1, "bob");
	await give(0, "ada2");
	for (let round = 0; round < 3; round++) {
		expect(await toolsOf(views[0])).toEqual(["own_of_ada2"]);
		expect(await toolsOf(views[1])).toEqual(["own_of_bob"]);
	}
});

test("a server that is dead costs its own tools only, and has them again when it is back", async () => {
	let isDead = true;
	const weak = startScripted((asked) => {
		if (isDead) return new Response("no", { status: 503 });
		return asked.method === "tools/list"
			? result(asked, '{"tools":[{"name":"back"}]}')
			: legacyStart(asked);
	});
	running.push(weak);
	const view = seenBy(0, [
		pool.add("a", overHttp(serve(() => "there").url)),
		pool.add("weak", overHttp(weak.url)),
	]);
	const first = await lists.merged(view, "tools");
	for (let round = 0; round < 3; round++) {
		const { bytes } = await lists.merged(view, "tools");
		expect(textOf(bytes)).toBe('{"tools":[{"name":"a_there"}]}');
		// What cannot be had is not put together again.
		expect(bytes).toBe(first.bytes);
	}
	isDead = false;
	laterMs += 60_000;
	expect(await toolsOf(view)).toEqual(["a_there", "weak_back"]);
});

test("a server that an administrator changed is asked anew", async () => {
	let tool = "before";
	const server = serve(() => tool);
	const row = pool.add("a", overHttp(server.url));
	const view = seenBy(0, [row]);
	for (let round = 0; round < 3; round++)
		expect(await toolsOf(view)).toEqual(["a_before"]);
	tool = "after";
	await pool.upstreams.drop(row.id);
	expect(await toolsOf(view)).toEqual(["a_after"]);
});
