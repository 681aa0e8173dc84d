import { afterEach, expect, test } from "bun:test";
import { listChildren } from "../../src/store/children.ts";
import type { Upstream, UpstreamEvent } from "../../src/upstream/upstream.ts";
import { fixtureCommand as conformance } from "../conformance/fixtures.ts";
import { closeAll, opened } from "../support/opened.ts";
import { fixtureCommand } from "../support/processes.ts";
import { until } from "../support/until.ts";
import {
	asCommand,
	ask,
	callTool,
	type Pool,
	startPool,
} from "../support/upstreams.ts";

afterEach(closeAll);

const ABILITIES = [
	"{}",
	'{"elicitation":{"form":{}}}',
	'{"sampling":{}}',
	'{"roots":{}}',
] as const;

/** The upstreams of one user for clients of each of the abilities, behind a server that is a process. */
function variants(
	pool: Pool,
	command: readonly [string, ...string[]],
): readonly Upstream[] {
	const server = pool.add("many", asCommand(command));
	return ABILITIES.map((capabilities) =>
		pool.upstreams.forUser(server, pool.userIds[0], capabilities),
	);
}

function pooled(idleStopMs?: number): Pool {
	const pool = startPool(idleStopMs === undefined ? {} : { idleStopMs });
	opened.push(pool);
	return pool;
}

test("2026-07-28 basic, Statelessness: a modern server's clients share one process, and each is told apart with every request", async () => {
	const pool = pooled();
	const [plain, elicits, ...others] = variants(
		pool,
		conformance("stdio-modern"),
	) as [Upstream, Upstream, ...Upstream[]];
	const all = [plain, elicits, ...others];
	const facts = await Promise.all(all.map((upstream) => upstream.facts()));
	expect(facts.map(({ era }) => era)).toEqual(all.map(() => "modern"));
	expect(listChildren(pool.db)).toHaveLength(1);
	const call = JSON.stringify({
		name: "test_input_required_result_elicitation",
		arguments: {},
	});
	const [asked, refused] = await Promise.all([
		ask(elicits, "tools/call", call),
		ask(plain, "tools/call", call),
	]);
	expect(asked.text).toContain("input_required");
	expect(refused.text).toContain("-32021");
});

test("a legacy server is told once what its client can do, so each kind of client has a process", async () => {
	const pool = pooled();
	const all = variants(pool, conformance("stdio-legacy"));
	await Promise.all(all.map((upstream) => upstream.facts()));
	expect(listChildren(pool.db)).toHaveLength(ABILITIES.length);
});

test("the process stops when the last who uses it sleeps, and the next starts it again", async () => {
	const pool = pooled(300);
	const [first, second] = variants(pool, conformance("stdio-modern")) as [
		Upstream,
		Upstream,
	];
	await Promise.all([first.facts(), second.facts()]);
	const [before] = listChildren(pool.db);
	await until("both sleep and the process is gone", () => {
		const states = [first.state(), second.state()];
		return (
			states.every((state) => state === "asleep") &&
			listChildren(pool.db).length === 0
		);
	});
	await ask(second, "tools/list");
	const [after] = listChildren(pool.db);
	expect(after).toBeDefined();
	expect(after).not.toEqual(before);
});

test("what the process writes to its log is everybody's who uses it, and stays when the one who started it leaves", async () => {
	const pool = pooled();
	const [starts, joins] = variants(pool, [
		"/bin/sh",
		"-c",
		'echo "it is up" >&2; exec "$0" "$@"',
		...conformance("stdio-modern"),
	]) as [Upstream, Upstream];
	await starts.facts();
	await joins.facts();
	await until("it was read", () => starts.logs().length > 0);
	expect(joins.logs()).toEqual(["it is up"]);
	await starts.close();
	expect(joins.logs()).toEqual(["it is up"]);
});

test("one who leaves takes nothing from the others, and a process that ends ends for all", async () => {
	const pool = pooled();
	const [stays, leaves] = variants(pool, conformance("stdio-modern")) as [
		Upstream,
		Upstream,
	];
	await Promise.all([stays.facts(), leaves.facts()]);
	await leaves.close();
	expect((await ask(stays, "tools/list")).member).toBe("result");
	const [child] = listChildren(pool.db);
	process.kill(child?.pid ?? 0, "SIGKILL");
	await until("its end is noticed", () => stays.state() === "failed");
	expect((await ask(stays, "tools/list")).member).toBe("result");
});

test("each hears of what it watches, and of changes, however many share the process", async () => {
	const pool = pooled();
	const all = variants(pool, fixtureCommand("modern", "stdio")).slice(0, 2);
	const heard: UpstreamEvent[][] = all.map((upstream) => {
		const events: UpstreamEvent[] = [];
		upstream.subscribe((event) => void events.push(event));
		return events;
	});
	for (const upstream of all) await upstream.list("tools");
	expect(listChildren(pool.db)).toHaveLength(1);
	await callTool(all[0] as Upstream, "change");
	await until("all have heard", () =>
		heard.every((events) => events.length > 0),
	);
	expect(heard.flat().every(({ type }) => type === "list_changed")).toBe(true);
});

test("dropped together, they begin anew on another process", async () => {
	const pool = pooled();
	const [first, second] = variants(pool, conformance("stdio-modern")) as [
		Upstream,
		Upstream,
	];
	await Promise.all([first.facts(), second.facts()]);
	const [before] = listChildren(pool.db);
	await pool.upstreams.drop(first.server.id);
	expect(listChildren(pool.db)).toEqual([]);
	const fresh = pool.upstreams.forUser(first.server, pool.userIds[0]);
	await fresh.facts();
	expect(listChildren(pool.db)[0]?.pid).not.toBe(before?.pid as number);
});
