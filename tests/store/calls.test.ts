import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrations } from "../../migrations/index.ts";
import { delay } from "../../src/clock.ts";
import { type CallRecord, createCallRecorder } from "../../src/store/calls.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";

const CALL: CallRecord = {
	userId: "usr_a",
	clientId: "cli_a",
	serverId: "srv_a",
	method: "tools/call",
	name: "echo",
	outcome: "ok",
	durationMs: 1.6,
};
const clock = { now: () => 1234, nowMs: () => 0 };

function count(db: Database, table: "calls" | "call_kinds" = "calls"): number {
	return (db.query(`SELECT count(*) AS n FROM ${table}`).get() as { n: number })
		.n;
}

/** Every call with all that is known of it. */
const WHOLE = `SELECT calls.id, at, user_id, client_id, server_id, method, name, outcome, duration_ms
	FROM calls LEFT JOIN call_kinds ON call_kinds.id = calls.kind_id ORDER BY calls.id`;

test("a call is recorded by name, outcome and milliseconds", () => {
	const db = openDatabase(":memory:");
	const recorder = createCallRecorder({ db, clock });
	recorder.record(CALL);
	expect(count(db)).toBe(0);
	recorder.flush();
	expect(db.query(WHOLE).get()).toEqual({
		id: 1,
		at: 1234,
		user_id: "usr_a",
		client_id: "cli_a",
		server_id: "srv_a",
		method: "tools/call",
		name: "echo",
		outcome: "ok",
		duration_ms: 2,
	});
	recorder.close();
});

test("calls are written together: by themselves after a tenth of a second, at once when there are 500", async () => {
	const db = openDatabase(":memory:");
	const recorder = createCallRecorder({ db, clock });
	for (let index = 0; index < 499; index++) recorder.record(CALL);
	expect(count(db)).toBe(0);
	recorder.record(CALL);
	expect(count(db)).toBe(500);
	recorder.record(CALL);
	for (let waited = 0; count(db) === 500 && waited < 100; waited++)
		await delay(20);
	expect(count(db)).toBe(501);
	recorder.close();
});

test("what calls have in common is written once, and whatever differs is told apart", () => {
	const db = openDatabase(":memory:");
	const recorder = createCallRecorder({ db, clock });
	const others: readonly Partial<CallRecord>[] = [
		{ userId: "usr_b" },
		{ clientId: "cli_b" },
		{ serverId: "srv_b" },
		{ method: "prompts/get" },
		{ name: null },
		{ name: "null" },
		{ name: "n".repeat(300) },
		{ method: "tools/call echo", name: "" },
		{ outcome: "tool_error" },
	];
	for (const round of [1, 2, 3]) {
		for (const other of [{}, ...others])
			recorder.record({ ...CALL, ...other, durationMs: round });
		if (round === 2) recorder.flush();
	}
	recorder.close();
	expect(count(db, "call_kinds")).toBe(10);
	const rows = db.query(WHOLE).all() as Record<string, unknown>[];
	expect(rows.map((row) => row["name"]).slice(20)).toEqual([
		...["echo", "echo", "echo", "echo", "echo"],
		...[null, "null", "n".repeat(256), "", "echo"],
	]);
	expect(rows[21]).toEqual({ ...rows[1], id: 22, duration_ms: 3 });
	expect(rows[29]).toMatchObject({ outcome: "tool_error" });
});

test("the newest calls are kept, in bounds, and with them what they have in common", () => {
	const db = openDatabase(":memory:");
	const recorder = createCallRecorder({ db, clock, callsMax: 20_000 });
	for (let index = 0; index < 35_000; index++)
		recorder.record({ ...CALL, name: String(index % 4000) });
	recorder.close();
	// Ids begin with 1, and the last chapter began with 30,000.
	expect(db.query("SELECT min(id) AS oldest FROM calls").get()).toEqual({
		oldest: 10_000,
	});
	expect(count(db)).toBe(25_001);
	expect(count(db, "call_kinds")).toBe(12_000);
	const names = db.query(`SELECT id, name FROM (${WHOLE})`).values() as [
		number,
		string,
	][];
	for (const [id, name] of names) expect(name).toBe(String((id - 1) % 4000));
});

test("every call keeps its own name where names have no end", () => {
	const db = openDatabase(":memory:");
	const recorder = createCallRecorder({ db, clock });
	for (let index = 0; index < 25_000; index++)
		recorder.record({ ...CALL, name: `file:///${index}` });
	recorder.record({ ...CALL, name: "file:///0" });
	recorder.close();
	expect(count(db, "call_kinds")).toBe(25_001);
	expect(
		db.query(`SELECT count(DISTINCT name) AS n FROM (${WHOLE})`).get(),
	).toEqual({ n: 25_000 });
});

test("two recorders of one database do not disturb each other, and a later one goes on", () => {
	const db = openDatabase(":memory:");
	const recorders = [0, 1].map(() => createCallRecorder({ db, clock }));
	for (let round = 0; round < 3; round++)
		for (const [index, recorder] of recorders.entries()) {
			recorder.record({ ...CALL, name: `of ${index}` });
			recorder.flush();
		}
	for (const recorder of recorders) recorder.close();
	const later = createCallRecorder({ db, clock });
	later.record(CALL);
	later.close();
	const rows = db.query(WHOLE).all() as { name: string }[];
	expect(rows.map(({ name }) => name)).toEqual([
		...["of 0", "of 1", "of 0", "of 1", "of 0", "of 1"],
		"echo",
	]);
});

test("the calls of a database from before kinds are all there", () => {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-calls-"));
	try {
		const path = join(folder, "sallyport.db");
		const before = openDatabase(path, migrations.slice(0, 8));
		const old = before.query(
			`INSERT INTO calls (id, at, user_id, client_id, server_id, method, name, outcome, duration_ms)
			 VALUES (?, ?, ?, ?, 'srv_a', 'tools/call', ?, ?, ?)`,
		);
		before.transaction(() => {
			for (let id = 5000; id < 25_000; id++)
				old.run(
					...[id, 1000 + id, `usr_${id % 3}`, `cli_${id % 2}`],
					...[id % 5 === 0 ? null : `tool ${id % 5}`],
					...[id % 7 === 0 ? "error" : "ok", id % 100],
				);
		})();
		const whole = "SELECT * FROM calls ORDER BY id";
		const rows = before.query(whole).all() as Record<string, unknown>[];
		before.close();

		const db = openDatabase(path);
		expect(
			db
				.query(
					`SELECT id, at, user_id, client_id, server_id, method, name, outcome, duration_ms FROM (${WHOLE})`,
				)
				.all(),
		).toEqual(rows);
		expect(
			db
				.query(
					"SELECT count(*) AS n FROM calls WHERE kind_id < id - id % 10000",
				)
				.get(),
		).toEqual({ n: 0 });
		// 3 chapters, 3 users, 2 clients, 5 names, 2 outcomes.
		expect(count(db, "call_kinds")).toBe(180);
		const recorder = createCallRecorder({ db, clock });
		recorder.record(CALL);
		recorder.close();
		expect(db.query(WHOLE).all().at(-1)).toMatchObject({
			id: 25_000,
			name: "echo",
		});
		db.close();
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("closing writes what is pending, and takes no more", () => {
	const db = openDatabase(":memory:");
	const recorder = createCallRecorder({ db, clock });
	recorder.record(CALL);
	recorder.close();
	recorder.record(CALL);
	expect(count(db)).toBe(1);
});

test("a database that cannot be written fails no call, keeps the newest calls, and is tried again", () => {
	const db = openDatabase(":memory:");
	// It fails when what the calls have in common was written already, and is undone.
	db.run(
		"CREATE TRIGGER full BEFORE INSERT ON calls BEGIN SELECT RAISE(ABORT, 'disk is full'); END",
	);
	const warnings: unknown[] = [];
	const ignore = (): void => {};
	const log = {
		debug: ignore,
		info: ignore,
		warn: (...line: unknown[]) => void warnings.push(line),
		error: ignore,
	};
	const recorder = createCallRecorder({ db, clock, log });
	for (let index = 0; index < 6000; index++)
		recorder.record({ ...CALL, durationMs: index });
	expect(warnings).toHaveLength(12);
	db.run("DROP TRIGGER full");
	recorder.close();
	expect(count(db)).toBe(5000);
	expect(
		db.query("SELECT max(duration_ms) AS newest FROM calls").get(),
	).toEqual({ newest: 5999 });
	expect(count(db, "call_kinds")).toBe(1);
});
