/**
 * Browsers that are signed in, and the counters that slow down whoever guesses passwords.
 * Only keyed hashes of the cookies are here. A counter's subject is a keyed hash too: what people type into the
 * address field is sometimes their password.
 */
import type { Role } from "../caller.ts";
import { type Database, transaction } from "./database.ts";

export type Login = {
	readonly userId: string;
	readonly email: string;
	readonly role: Role;
	readonly lastSeenAt: number;
	readonly expiresAt: number;
};

/** More counters than this are not kept: the stalest go first. */
const FAILURE_ROWS_MAX = 10_000;

/** Signs a browser in. */
export function createLogin(
	db: Database,
	hash: Uint8Array,
	login: { readonly userId: string; readonly expiresAt: number },
	now: number,
): void {
	db.query(
		"INSERT INTO logins (hash, user_id, created_at, last_seen_at, expires_at) VALUES (?, ?, ?, ?, ?)",
	).run(hash, login.userId, now, now, login.expiresAt);
}

/** The login of this hash if it was seen after `idleSince`, has not ended, and its user is not disabled. */
export function findLogin(
	db: Database,
	hash: Uint8Array,
	now: number,
	idleSince: number,
): Login | null {
	return db
		.query<Login, [Uint8Array, number, number]>(
			`SELECT l.user_id AS userId, u.email, u.role, l.last_seen_at AS lastSeenAt, l.expires_at AS expiresAt
			 FROM logins l JOIN users u ON u.id = l.user_id
			 WHERE l.hash = ? AND l.expires_at > ? AND l.last_seen_at > ? AND u.disabled_at IS NULL`,
		)
		.get(hash, now, idleSince);
}

/** Notes that the login is in use. */
export function touchLogin(db: Database, hash: Uint8Array, now: number): void {
	db.query("UPDATE logins SET last_seen_at = ? WHERE hash = ?").run(now, hash);
}

/** Signs a browser out. */
export function deleteLogin(db: Database, hash: Uint8Array): void {
	db.query("DELETE FROM logins WHERE hash = ?").run(hash);
}

/** Signs a user out of every browser. */
export function deleteLoginsOf(db: Database, userId: string): void {
	db.query("DELETE FROM logins WHERE user_id = ?").run(userId);
}

/**
 * Counts one attempt for a subject, unless it already has `max` of them with none older than the window.
 * The attempt is counted before it is judged, so that many at once cannot slip through.
 * @returns 0, or the seconds to wait; a refused attempt is not counted, so waiting always helps
 */
export function countAttempt(
	db: Database,
	subject: string,
	limit: { readonly max: number; readonly windowSeconds: number },
	now: number,
): number {
	return transaction(db, () => {
		const row = db
			.query<{ count: number; lastAt: number }, [string]>(
				"SELECT count, last_at AS lastAt FROM login_failures WHERE subject = ?",
			)
			.get(subject);
		const fresh = row !== null && row.lastAt > now - limit.windowSeconds;
		if (fresh && row.count >= limit.max)
			return row.lastAt + limit.windowSeconds - now;
		db.query(
			`INSERT INTO login_failures (subject, count, last_at) VALUES (?, ?, ?)
			 ON CONFLICT (subject) DO UPDATE SET count = excluded.count, last_at = excluded.last_at`,
		).run(subject, fresh ? row.count + 1 : 1, now);
		return 0;
	});
}

/** Forgets the attempts of a subject: one of them was right. */
export function forgetAttempts(db: Database, subject: string): void {
	db.query("DELETE FROM login_failures WHERE subject = ?").run(subject);
}

/** Takes one attempt of a subject back: it was right, which says nothing of the others. */
export function forgiveAttempt(db: Database, subject: string): void {
	db.query(
		"UPDATE login_failures SET count = max(count - 1, 0) WHERE subject = ?",
	).run(subject);
}

/** Removes logins that have ended, and counters that no longer count or are too many. */
export function deleteExpiredLogins(
	db: Database,
	now: number,
	idleSince: number,
	failuresSince: number,
): void {
	transaction(db, () => {
		db.query(
			"DELETE FROM logins WHERE expires_at <= ? OR last_seen_at <= ?",
		).run(now, idleSince);
		db.query("DELETE FROM login_failures WHERE last_at <= ?").run(
			failuresSince,
		);
		db.query(
			`DELETE FROM login_failures WHERE subject IN (
				SELECT subject FROM login_failures ORDER BY last_at DESC LIMIT -1 OFFSET ?)`,
		).run(FAILURE_ROWS_MAX);
	});
}
