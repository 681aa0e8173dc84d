import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Caller } from "../../src/caller.ts";
import { createSessions, type Sessions } from "../../src/mcp/session.ts";
import { openDatabase } from "../../src/store/database.ts";
import { createUser } from "../../src/store/users.ts";

const DAY = 24 * 3600;

function start(db = openDatabase(":memory:")): {
	readonly sessions: Sessions;
	readonly restarted: () => Sessions;
	readonly ada: Caller;
	readonly bob: Caller;
	readonly pass: (seconds: number) => void;
} {
	let now = 1_800_000_000;
	const person = (email: string): Caller => ({
		userId: createUser(db, { email, role: "member", passwordHash: null }, 1).id,
		role: "member",
		clientId: "cli_1",
		grantId: "grt_1",
		scopes: ["mcp"],
	});
	const restarted = (): Sessions =>
		createSessions({
			db,
			mac: (text) => createHash("sha256").update(text).digest(),
			clock: { now: () => now, nowMs: () => now * 1000 },
		});
	return {
		sessions: restarted(),
		restarted,
		ada: person("ada@example.org"),
		bob: person("bob@example.org"),
		pass: (seconds) => {
			now += seconds;
		},
	};
}

function open(sessions: Sessions, caller: Caller, endpoint = ""): string {
	return sessions.open(caller, endpoint, "2025-11-25", "{}").id;
}

test("a session belongs to its user and client at its endpoint, whatever token they show", () => {
	const { sessions, ada, bob } = start();
	const id = open(sessions, ada);
	expect(sessions.find(id, { ...ada, grantId: "grt_2" }, "")?.id).toBe(id);
	expect(sessions.find(id, bob, "")).toBeNull();
	expect(sessions.find(id, { ...ada, clientId: "cli_2" }, "")).toBeNull();
	expect(sessions.find(id, ada, "notes")).toBeNull();
});

test("it is revived after a restart, and one that never was is not", () => {
	const { sessions, restarted, ada, bob } = start();
	const id = open(sessions, ada);
	const later = restarted();
	expect(later.find(id, bob, "")).toBeNull();
	expect(later.find(id, ada, "")?.row.protocolVersion).toBe("2025-11-25");
	expect(later.find("never-given-out", ada, "")).toBeNull();
	expect(later.find(`${id}x`, ada, "")).toBeNull();
});

test("it ends after a week without use, in memory too; one that listens is in use", () => {
	const { sessions, ada, pass } = start();
	const idle = open(sessions, ada);
	const listening = open(sessions, ada);
	sessions
		.find(listening, ada, "")
		?.streams.add({ send() {}, end() {}, onEnd() {} });
	for (let day = 0; day < 8; day++) {
		pass(DAY);
		sessions.sweep();
	}
	expect(sessions.find(idle, ada, "")).toBeNull();
	expect(sessions.find(listening, ada, "")?.id).toBe(listening);
});

test("one client has a hundred at most: a new one takes the place of the one used longest ago", () => {
	const { sessions, restarted, ada, bob, pass } = start();
	const others = open(sessions, bob);
	const ids = Array.from({ length: 101 }, () => {
		pass(1);
		return open(sessions, ada);
	});
	for (const each of [sessions, restarted()]) {
		expect(each.find(ids[0] ?? "", ada, "")).toBeNull();
		expect(each.find(ids[1] ?? "", ada, "")).not.toBeNull();
		expect(each.find(ids[100] ?? "", ada, "")).not.toBeNull();
		expect(each.find(others, bob, "")).not.toBeNull();
	}
});

test("one user has two hundred at most, over all clients", () => {
	const { sessions, ada, pass } = start();
	const ids = Array.from({ length: 201 }, (_, index) => {
		pass(1);
		const caller = { ...ada, clientId: `cli_${index % 3}` };
		return [open(sessions, caller), caller] as const;
	});
	const alive = ids.filter(([id, caller]) => sessions.find(id, caller, ""));
	expect(alive).toHaveLength(200);
	expect(alive[0]).toBe(ids[1] as (typeof ids)[number]);
});

test("what runs in a session that makes room is ended with it", () => {
	const { sessions, ada, pass } = start();
	const id = open(sessions, ada);
	const abort = new AbortController();
	sessions.find(id, ada, "")?.running.set("1", abort);
	for (let opened = 0; opened < 100; opened++) {
		pass(1);
		open(sessions, ada);
	}
	expect(abort.signal.aborted).toBe(true);
});
