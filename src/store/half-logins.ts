/**
 * Browsers in which the first factor was right and the second is awaited. A table of its own, so that whoever looks
 * for a login cannot find one of these. Only keyed hashes of the cookies are here.
 */
import { type Database, transaction } from "./database.ts";

/** Of one person; the newest stay. */
const HALF_LOGINS_MAX = 20;

/** Keeps that a browser gave the first factor. */
export function createHalfLogin(
	db: Database,
	hash: Uint8Array,
	half: { readonly userId: string; readonly expiresAt: number },
): void {
	transaction(db, () => {
		db.query(
			"INSERT INTO half_logins (hash, user_id, expires_at) VALUES (?, ?, ?)",
		).run(hash, half.userId, half.expiresAt);
		db.query(
			`DELETE FROM half_logins WHERE hash IN (
				SELECT hash FROM half_logins WHERE user_id = +? ORDER BY expires_at DESC LIMIT -1 OFFSET ?)`,
		).run(half.userId, HALF_LOGINS_MAX);
	});
}

/** Whose second factor this browser owes; null when it owes none, is too late, or its user is disabled. */
export function findHalfLogin(
	db: Database,
	hash: Uint8Array,
	now: number,
): { readonly userId: string; readonly email: string } | null {
	return db
		.query<{ userId: string; email: string }, [Uint8Array, number]>(
			`SELECT h.user_id AS userId, u.email FROM half_logins h JOIN users u ON u.id = h.user_id
			 WHERE h.hash = +? AND h.expires_at > ? AND u.disabled_at IS NULL`,
		)
		.get(hash, now);
}

/** Forgets one. */
export function deleteHalfLogin(db: Database, hash: Uint8Array): void {
	db.query("DELETE FROM half_logins WHERE hash = ?").run(hash);
}

/** Forgets all of a user. */
export function deleteHalfLoginsOf(db: Database, userId: string): void {
	db.query("DELETE FROM half_logins WHERE user_id = ?").run(userId);
}

/** Removes those that are too late. */
export function deleteExpiredHalfLogins(db: Database, now: number): void {
	db.query("DELETE FROM half_logins WHERE expires_at <= ?").run(now);
}
