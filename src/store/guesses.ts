/**
 * The counters that slow down whoever guesses. They are rows, so that a restart resets none. A subject is a keyed
 * hash: what people type into the address field is sometimes their password.
 */
import { type Database, transaction } from "./database.ts";

/** How guesses are slowed: some are free, then each costs twice the wait of the one before, up to a ceiling. */
export type Pace = {
	readonly free: number;
	readonly firstDelaySeconds: number;
	readonly delaySecondsMax: number;
	/** After this long without an attempt all is forgotten. */
	readonly memorySeconds: number;
};

/** More counters than this are not kept: the stalest go first. */
const COUNTERS_MAX = 10_000;

/**
 * Counts one attempt for a subject, unless it has to wait first.
 * The attempt is counted before it is judged, so that many at once cannot slip through.
 * @returns 0, or the seconds to wait; a refused attempt is not counted, so waiting always helps
 */
export function countGuess(
	db: Database,
	subject: string,
	pace: Pace,
	now: number,
): number {
	return transaction(db, () => {
		const row = db
			.query<{ count: number; lastAt: number }, [string]>(
				"SELECT count, last_at AS lastAt FROM login_failures WHERE subject = ?",
			)
			.get(subject);
		const count = row && row.lastAt > now - pace.memorySeconds ? row.count : 0;
		const wait = (row?.lastAt ?? 0) + delayAfter(count, pace) - now;
		if (wait > 0) return wait;
		db.query(
			`INSERT INTO login_failures (subject, count, last_at) VALUES (?, ?, ?)
			 ON CONFLICT (subject) DO UPDATE SET count = excluded.count, last_at = excluded.last_at`,
		).run(subject, count + 1, now);
		return 0;
	});
}

/** How long the next attempt waits after `count` of them. */
function delayAfter(count: number, pace: Pace): number {
	if (count < pace.free) return 0;
	return Math.min(
		pace.delaySecondsMax,
		pace.firstDelaySeconds * 2 ** Math.min(count - pace.free, 30),
	);
}

/** Forgets the attempts of a subject: one of them was right. */
export function forgetGuesses(db: Database, subject: string): void {
	db.query("DELETE FROM login_failures WHERE subject = ?").run(subject);
}

/** Takes one attempt of a subject back: it was right, which says nothing of the others. */
export function forgiveGuess(db: Database, subject: string): void {
	db.query(
		"UPDATE login_failures SET count = max(count - 1, 0) WHERE subject = ?",
	).run(subject);
}

/** Removes counters that no longer count, or are too many. */
export function deleteStaleGuesses(db: Database, since: number): void {
	transaction(db, () => {
		db.query("DELETE FROM login_failures WHERE last_at <= ?").run(since);
		db.query(
			`DELETE FROM login_failures WHERE subject IN (
				SELECT subject FROM login_failures ORDER BY last_at DESC LIMIT -1 OFFSET ?)`,
		).run(COUNTERS_MAX);
	});
}
