/**
 * The authenticator app of a user: its seed, sealed, and the counter of the last code that was taken, so that none is
 * taken twice.
 *
 * @see RFC 6238 5.2
 */
import type { Database } from "./database.ts";

export type Totp = {
	readonly sealed: Uint8Array;
	readonly createdAt: number;
	/** Null before the first code after the one that set it up. */
	readonly lastUsedAt: number | null;
};

/** RFC 6238 5.2: what a counter counts. */
const INTERVAL_SECONDS = 30;

/** Keeps a seed that was proven by a code of this counter; it replaces the one there was. */
export function putTotp(
	db: Database,
	userId: string,
	totp: { readonly sealed: Uint8Array; readonly counter: number },
	now: number,
): void {
	db.query(
		`INSERT INTO totp (user_id, sealed, last_counter, created_at) VALUES (?, ?, ?, ?)
		 ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, last_counter = excluded.last_counter,
		 created_at = excluded.created_at`,
	).run(userId, totp.sealed, totp.counter, now);
}

/** The sealed seed of a user, or null. */
export function findTotp(db: Database, userId: string): Totp | null {
	return db
		.query<Totp, [number, string]>(
			`SELECT sealed, created_at AS createdAt,
			        nullif(max(last_counter * ?, created_at), created_at) AS lastUsedAt
			 FROM totp WHERE user_id = ?`,
		)
		.get(INTERVAL_SECONDS, userId);
}

/** Uses a counter up, and all before it. Returns whether it was still good. */
export function spendCounter(
	db: Database,
	userId: string,
	counter: number,
): boolean {
	return (
		db
			.query(
				"UPDATE totp SET last_counter = ? WHERE user_id = ? AND last_counter < ?",
			)
			.run(counter, userId, counter).changes > 0
	);
}

/** Takes the app away. Returns whether there was one. */
export function deleteTotp(db: Database, userId: string): boolean {
	return db.query("DELETE FROM totp WHERE user_id = ?").run(userId).changes > 0;
}
