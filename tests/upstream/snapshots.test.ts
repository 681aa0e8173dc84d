/** Gateways one after another on one store, before a server that writes down what it is asked. */
import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import {
	createServer,
	type Server,
	type Transport,
	updateServer,
} from "../../src/store/servers.ts";
import {
	deleteSnapshots,
	findSnapshot,
	saveSnapshot,
} from "../../src/store/snapshots.ts";
import type { Upstream, UpstreamEvent } from "../../src/upstream/upstream.ts";
import { closeAll, opened } from "../support/opened.ts";
import { fixtureCommand } from "../support/processes.ts";
import { until } from "../support/until.ts";
import {
	asCommand,
	callTool,
	type Pool,
	startPool,
} from "../support/upstreams.ts";

afterEach(closeAll);

/** The server as if it were installed, from where a server's folder is in a pool's. */
const ENTRY = join(
	"..",
	"..",
	relative(tmpdir(), join(import.meta.dir, "../fixtures/diary.ts")),
);

type Diary = {
	readonly folder: string;
	/** As a package, and as a command. */
	readonly package: Transport;
	readonly command: Transport;
	/** Its tools from its next start on. */
	readonly has: (...tools: readonly string[]) => void;
	/** What it was asked since this was last called. */
	readonly asked: () => readonly string[];
};

function diary(...tools: readonly string[]): Diary {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-diary-"));
	let read = 0;
	const has: Diary["has"] = (...names) =>
		writeFileSync(join(folder, "tools"), names.join("\n"));
	has(...tools);
	writeFileSync(join(folder, "asked"), "");
	return {
		folder,
		package: {
			kind: "npm",
			package: "diary",
			version: "1.0.0",
			args: [folder],
			env: {},
		},
		command: asCommand(fixtureCommand("diary", folder)),
		has,
		asked: () => {
			const lines = readFileSync(join(folder, "asked"), "utf8").split("\n");
			const since = lines.slice(read, -1);
			read = lines.length - 1;
			return since;
		},
	};
}

function pooled(options: Parameters<typeof startPool>[0] = {}): Pool {
	const pool = startPool({ entry: ENTRY, ...options });
	opened.unshift(pool); // the first has the store of the others
	return pool;
}

async function keysOf(upstream: Upstream): Promise<readonly string[]> {
	return (await upstream.list("tools")).map(({ key }) => key);
}

/** A gateway that has listed the server and ended; its store stays open for the next one. */
async function listedBefore(
	transport: Transport,
): Promise<{ readonly first: Pool; readonly server: Server }> {
	const first = pooled();
	const server = first.add("diary", transport);
	const upstream = first.upstreams.forUser(server, first.userIds[0]);
	await upstream.list("tools");
	await first.upstreams.close();
	return { first, server };
}

test("after a restart a package is listed and described as it was, and is not woken for it", async () => {
	const { package: transport, asked } = diary("read", "write");
	const { first, server } = await listedBefore(transport);
	expect(asked()).toEqual([
		"started",
		"server/discover",
		"initialize",
		"tools/list",
	]);
	const second = pooled({ after: first });
	const upstream = second.upstreams.forUser(server, first.userIds[1]);
	expect(upstream.knownFacts()).toMatchObject({
		era: "legacy",
		instructions: "has read, write",
	});
	const tools = await upstream.list("tools");
	expect(tools.map(({ key }) => key)).toEqual(["read", "write"]);
	expect(JSON.parse(Buffer.from(tools[1]?.bytes ?? []).toString())).toEqual({
		name: "write",
		description: "wäscht",
		inputSchema: { type: "object" },
	});
	expect(upstream.knownList("tools")).toBe(tools);
	expect(upstream.holdsForMs("tools")).toBeGreaterThan(0);
	await new Promise(setImmediate);
	expect(upstream.state()).toBe("asleep");
	expect(asked()).toEqual([]);
});

test("who wakes it is served before it is asked whether it is as it was, and it is not asked for its era", async () => {
	const { package: transport, asked } = diary("read");
	const { first, server } = await listedBefore(transport);
	asked();
	const second = pooled({ after: first });
	const upstream = second.upstreams.forUser(server, first.userIds[0]);
	expect(await callTool(upstream, "read")).toBe("called");
	expect(asked()).toEqual(["started", "initialize", "tools/call"]);
	await until("it was asked", () => asked().includes("tools/list"));
});

test("what has changed meanwhile is heard of as soon as it wakes, and is what the next gateway knows", async () => {
	const server = diary("read");
	const { first, server: row } = await listedBefore(server.package);
	server.has("read", "send");
	const second = pooled({ after: first });
	const upstream = second.upstreams.forUser(row, first.userIds[0]);
	const heard: UpstreamEvent[] = [];
	upstream.subscribe((event) => heard.push(event));
	expect(await keysOf(upstream)).toEqual(["read"]);
	await callTool(upstream, "read");
	// Awake, it is asked at once by whoever wants to know.
	expect(await keysOf(upstream)).toEqual(["read", "send"]);
	expect(heard).toContainEqual({ type: "list_changed", list: "tools" });
	await second.upstreams.close();
	const third = pooled({ after: first });
	const last = third.upstreams.forUser(row, first.userIds[0]);
	expect(await keysOf(last)).toEqual(["read", "send"]);
	expect(last.knownFacts()?.instructions).toBe("has read, send");
	expect(last.state()).toBe("asleep");
});

test("behind a command there may be a newer program: it is listed as it was at once, and woken beside", async () => {
	const server = diary("read");
	const { first, server: row } = await listedBefore(server.command);
	server.has("send");
	server.asked();
	const second = pooled({ after: first });
	const upstream = second.upstreams.forUser(row, first.userIds[0]);
	const heard: UpstreamEvent[] = [];
	upstream.subscribe((event) => heard.push(event));
	expect(await keysOf(upstream)).toEqual(["read"]);
	await until("clients hear of it", () => heard.length > 0);
	expect(heard).toEqual([{ type: "list_changed", list: "tools" }]);
	expect(await keysOf(upstream)).toEqual(["send"]);
	expect(server.asked()).toEqual([
		"started",
		"server/discover",
		"initialize",
		"tools/list",
	]);
});

test("what somebody asks for as soon as it is awake is not asked for again", async () => {
	const { package: transport, asked } = diary("read");
	const { first, server } = await listedBefore(transport);
	const second = pooled({ after: first });
	const upstream = second.upstreams.forUser(server, first.userIds[0]);
	await callTool(upstream, "read");
	await keysOf(upstream);
	asked();
	await Bun.sleep(400); // nothing happens, which no event says
	expect(asked()).toEqual([]);
});

test("a command that cannot be started any more is listed as it was until somebody calls it", async () => {
	const server = diary("read");
	const { first, server: row } = await listedBefore(server.command);
	rmSync(server.folder, { recursive: true });
	const second = pooled({ after: first });
	const upstream = second.upstreams.forUser(row, first.userIds[0]);
	expect(await keysOf(upstream)).toEqual(["read"]);
	await until("it was tried", () => upstream.state() === "failed");
	expect(await keysOf(upstream)).toEqual(["read"]);
	await expect(callTool(upstream, "read")).rejects.toThrow();
});

test("a server that was dropped, as when it is started anew or given a secret, or moved, or of another version, is asked again", async () => {
	const { package: transport } = diary("read");
	const { first, server } = await listedBefore(transport);
	const newer = pooled({ after: first, entry: "another.js" });
	expect(
		newer.upstreams.forUser(server, first.userIds[0]).knownFacts(),
	).toBeNull();
	await first.upstreams.drop(server.id);
	const second = pooled({ after: first });
	const again = second.upstreams.forUser(server, first.userIds[0]);
	expect(again.knownFacts()).toBeNull();
	expect(await keysOf(again)).toEqual(["read"]);
	await second.upstreams.close();
	// While no gateway runs, as when a store is restored.
	const { command } = diary("other");
	const moved = updateServer(first.db, server.slug, { transport: command }, 2);
	const third = pooled({ after: first });
	const upstream = third.upstreams.forUser(moved, first.userIds[0]);
	expect(upstream.knownFacts()).toBeNull();
	expect(await keysOf(upstream)).toEqual(["other"]);
});

test("of what is a user's own nothing is kept", async () => {
	const { package: transport } = diary("read");
	const first = pooled();
	const server = createServer(
		first.db,
		"own",
		{
			transport,
			slots: [
				{
					name: "token",
					injection: "env",
					target: "TOKEN",
					personal: true,
					optional: true,
				},
			],
			access: "everyone",
			tools: null,
			enabled: true,
		},
		1,
	);
	const upstream = first.upstreams.forUser(server, first.userIds[0]);
	expect(upstream.identity).toBe(first.userIds[0]);
	expect(await keysOf(upstream)).toEqual(["read"]);
	expect(first.db.query("SELECT * FROM snapshots").all()).toEqual([]);
});

test("each kind of client has its own, the eight newest of a server are kept, and a removed server has none", () => {
	const { db, add } = pooled();
	const { id } = add("many", diary("read").command);
	const body = Buffer.from("{}\n");
	for (let at = 0; at < 12; at++)
		saveSnapshot(db, id, `{"kind":${at}}`, body, at);
	saveSnapshot(db, id, '{"kind":5}', Buffer.from("newer"), 20);
	saveSnapshot(db, "srv_gone", "{}", body, 1);
	const kept = db
		.query("SELECT server_id, capabilities FROM snapshots ORDER BY taken_at")
		.values();
	expect(kept).toEqual(
		[4, 6, 7, 8, 9, 10, 11, 5].map((at) => [id, `{"kind":${at}}`]),
	);
	const newest = findSnapshot(db, id, '{"kind":5}') ?? [];
	expect(Buffer.from(newest).toString()).toBe("newer");
	expect(findSnapshot(db, id, '{"kind":0}')).toBeNull();
	deleteSnapshots(db, id);
	expect(findSnapshot(db, id, '{"kind":5}')).toBeNull();
});
