import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Caller } from "../../src/caller.ts";
import { createTasks, type Place } from "../../src/mcp/tasks.ts";
import type { View } from "../../src/mcp/view.ts";
import { openDatabase } from "../../src/store/database.ts";
import { createServer } from "../../src/store/servers.ts";
import type { Upstream } from "../../src/upstream/upstream.ts";
import { viewOf } from "../support/views.ts";

const server = createServer(
	openDatabase(":memory:"),
	"notes",
	{
		transport: { kind: "command", command: "true", args: [], env: {} },
		slots: [],
		access: "everyone",
		tools: null,
		enabled: true,
	},
	1,
);
const ada: Caller = {
	userId: "usr_1",
	role: "member",
	clientId: "cli_1",
	grantId: "grt_1",
	scopes: ["mcp"],
};
const bob: Caller = { ...ada, userId: "usr_2" };
const upstream = {
	server,
	identity: "shared",
	capabilities: "{}",
} as unknown as Upstream;
let nowMs = 0;

function fresh(): ReturnType<typeof createTasks> {
	return createTasks({
		mac: (text) => createHash("sha256").update(text).digest(),
		clock: { now: () => 0, nowMs: () => nowMs },
	});
}

function seenBy(caller: Caller, servers: View["servers"] = [server]): View {
	return { ...viewOf(servers), caller, tasks: "legacy" };
}

const place: Place = { caller: ada, era: "legacy", upstream };

test("a task's id is the server's own again for its caller, also after a restart", () => {
	for (const taskId of ["1", "a.b/c d", "ü😀", "x".repeat(1000)]) {
		const exposed = fresh().expose(place, taskId);
		expect(exposed).toMatch(/^notes\.[\w-]+\.[\w-]+\.[\w-]+$/);
		expect(fresh().open(seenBy(ada), "legacy", exposed)?.taskId).toBe(taskId);
	}
});

test("it is nobody else's: not another user's, another client's, nor one of the other era", () => {
	const exposed = fresh().expose(place, "1");
	const opened = (view: View, era: "legacy" | "modern" = "legacy"): unknown =>
		fresh().open(view, era, exposed);
	expect(opened(seenBy({ ...ada, grantId: "grt_2" }))).not.toBeNull();
	expect(opened(seenBy(bob))).toBeNull();
	expect(opened(seenBy({ ...ada, clientId: "cli_2" }))).toBeNull();
	expect(opened(seenBy(ada), "modern")).toBeNull();
	expect(opened(seenBy(ada, []))).toBeNull();
});

test("an id that was not given out opens nothing", () => {
	const exposed = fresh().expose(place, "1");
	const [slug, variant, tag] = exposed.split(".");
	const guess = Buffer.from("2").toString("base64url");
	for (const forged of [
		"1",
		"",
		`${slug}.${variant}.${tag}.${guess}`,
		`${exposed}.more`,
		`other${exposed}`,
	])
		expect(fresh().open(seenBy(ada), "legacy", forged)).toBeNull();
});

test("a list has the caller's own tasks only, for as long as their server keeps them", () => {
	const tasks = fresh();
	tasks.remember(place, "short", 10);
	tasks.remember(place, "long", 1000);
	tasks.remember({ ...place, caller: bob }, "bob's", 1000);
	tasks.remember({ ...place, era: "modern" }, "modern", 1000);
	const own = ["short", "long"].map((id) => tasks.expose(place, id));
	expect(tasks.list(seenBy(ada), "legacy")).toEqual(own);
	expect(tasks.list(seenBy(ada, []), "legacy")).toEqual([]);
	nowMs = 11;
	expect(tasks.list(seenBy(ada), "legacy")).toEqual(own.slice(1));
});
