/** The counters that slow guessing down. */
import { expect, test } from "bun:test";
import { openDatabase } from "../../src/store/database.ts";
import {
	countGuess,
	deleteStaleGuesses,
	forgetGuesses,
	forgiveGuess,
} from "../../src/store/guesses.ts";

const NOW = 1_800_000_000;
const PACE = {
	free: 2,
	firstDelaySeconds: 60,
	delaySecondsMax: 300,
	memorySeconds: 1000,
};

test("after the free attempts each wait is twice the one before, up to a ceiling", () => {
	const db = openDatabase(":memory:");
	let now = NOW;
	const waits: number[] = [];
	for (let attempt = 0; attempt < 8; attempt++) {
		const wait = countGuess(db, "s", PACE, now);
		waits.push(wait);
		now += wait;
		if (wait > 0) expect(countGuess(db, "s", PACE, now)).toBe(0);
	}
	expect(waits).toEqual([0, 0, 60, 120, 240, 300, 300, 300]);
});

test("a refused attempt is not counted, so that waiting always helps", () => {
	const db = openDatabase(":memory:");
	for (let attempt = 0; attempt < 2; attempt++) countGuess(db, "s", PACE, NOW);
	for (let second = 0; second < 60; second++)
		expect(countGuess(db, "s", PACE, NOW + second)).toBe(60 - second);
	expect(countGuess(db, "s", PACE, NOW + 60)).toBe(0);
});

test("what was long ago, or right, is forgotten; what is shared is forgiven one by one", () => {
	const db = openDatabase(":memory:");
	for (const subject of ["old", "right", "shared"])
		for (let attempt = 0; attempt < 2; attempt++)
			countGuess(db, subject, PACE, NOW);
	expect(countGuess(db, "old", PACE, NOW + PACE.memorySeconds)).toBe(0);
	expect(countGuess(db, "old", PACE, NOW + PACE.memorySeconds)).toBe(0);
	forgetGuesses(db, "right");
	expect(countGuess(db, "right", PACE, NOW)).toBe(0);
	forgiveGuess(db, "shared");
	expect(countGuess(db, "shared", PACE, NOW)).toBe(0);
	expect(countGuess(db, "shared", PACE, NOW)).toBe(60);
	deleteStaleGuesses(db, NOW + PACE.memorySeconds);
	expect(db.query("SELECT * FROM login_failures").all()).toEqual([]);
});

test("counters are bounded in number, the stalest going first", () => {
	const db = openDatabase(":memory:");
	const fill = db.prepare(
		"INSERT INTO login_failures (subject, count, last_at) VALUES (?, 1, ?)",
	);
	db.transaction(() => {
		for (let row = 0; row < 10_050; row++) fill.run(`s${row}`, NOW + row);
	})();
	deleteStaleGuesses(db, NOW - 1);
	expect(
		db
			.query("SELECT count(*) AS n, min(last_at) AS first FROM login_failures")
			.get(),
	).toEqual({ n: 10_000, first: NOW + 50 });
});
