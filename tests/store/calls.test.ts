import { expect, test } from "bun:test";
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

function count(db: Database): number {
	return (db.query("SELECT count(*) AS n FROM calls").get() as { n: number }).n;
}

test("a call is recorded by name, outcome and milliseconds", () => {
	const db = openDatabase(":memory:");
	const recorder = createCallRecorder({ db, clock });
	recorder.record(CALL);
	expect(count(db)).toBe(0);
	recorder.flush();
	expect(db.query("SELECT * FROM calls").get()).toEqual({
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

test("the newest calls are kept, in bounds", () => {
	const db = openDatabase(":memory:");
	const recorder = createCallRecorder({ db, clock, callsMax: 700 });
	for (let index = 0; index < 1200; index++)
		recorder.record({ ...CALL, name: String(index) });
	recorder.close();
	expect(
		db
			.query(
				"SELECT count(*) AS kept, min(CAST(name AS INTEGER)) AS oldest FROM calls",
			)
			.get(),
	).toEqual({ kept: 700, oldest: 500 });
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
	db.run("ALTER TABLE calls RENAME TO elsewhere");
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
	db.run("ALTER TABLE elsewhere RENAME TO calls");
	recorder.close();
	expect(count(db)).toBe(5000);
	expect(
		db.query("SELECT max(duration_ms) AS newest FROM calls").get(),
	).toEqual({ newest: 5999 });
});
