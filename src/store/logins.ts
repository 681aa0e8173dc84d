/**
 * Browsers that are signed in. Only keyed hashes of their cookies are here; a login also has an id, by which its
 * person can end it from elsewhere.
 */
import type { Role } from "../caller.ts";
import { mintId } from "../mint.ts";
import { type Database, transaction } from "./database.ts";

/** By what a person proved who they are; of two factors, the second. `link`: a one-time link. */
export type LoginMethod =
	| "password"
	| "totp"
	| "passkey"
	| "recovery"
	| "provider"
	| "link";

export type Login = {
	readonly id: string;
	readonly userId: string;
	readonly email: string;
	readonly role: Role;
	/** When the person last proved who they are. */
	readonly provenAt: number;
	readonly lastSeenAt: number;
	readonly expiresAt: number;
};

/** A login as its person sees it in a list. */
export type ListedLogin = {
	readonly id: string;
	readonly method: LoginMethod;
	/** Where it was last used from. */
	readonly address: string;
	/** What the browser calls itself. */
	readonly agent: string;
	readonly createdAt: number;
	readonly lastSeenAt: number;
};

const AGENT_LENGTH_MAX = 300;
/** Of one person; the least recently used make room. */
const LOGINS_MAX = 50;

/** Signs a browser in; this also counts as proof of who its person is. */
export function createLogin(
	db: Database,
	hash: Uint8Array,
	login: {
		readonly userId: string;
		readonly method: LoginMethod;
		readonly address: string;
		readonly agent: string;
		readonly expiresAt: number;
	},
	now: number,
): void {
	transaction(db, () => {
		db.query(
			`INSERT INTO logins (hash, id, user_id, method, address, agent, created_at, proven_at, last_seen_at, expires_at)
			 VALUES ($hash, $id, $userId, $method, $address, $agent, $now, $now, $now, $expiresAt)`,
		).run({
			...login,
			hash,
			id: mintId("lgn"),
			agent: login.agent.slice(0, AGENT_LENGTH_MAX),
			now,
		});
		db.query(
			`DELETE FROM logins WHERE hash IN (
				SELECT hash FROM logins WHERE user_id = +? ORDER BY last_seen_at DESC, created_at DESC LIMIT -1 OFFSET ?)`,
		).run(login.userId, LOGINS_MAX);
	});
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
			`SELECT l.id, l.user_id AS userId, u.email, u.role, l.proven_at AS provenAt,
			        l.last_seen_at AS lastSeenAt, l.expires_at AS expiresAt
			 FROM logins l JOIN users u ON u.id = l.user_id
			 WHERE l.hash = +? AND l.expires_at > ? AND l.last_seen_at > ? AND u.disabled_at IS NULL`,
		)
		.get(hash, now, idleSince);
}

/** The logins of a user that have not ended, the last used first. */
export function listLogins(
	db: Database,
	userId: string,
	now: number,
	idleSince: number,
): readonly ListedLogin[] {
	return db
		.query<ListedLogin, [string, number, number]>(
			`SELECT id, method, address, agent, created_at AS createdAt, last_seen_at AS lastSeenAt FROM logins
			 WHERE user_id = +? AND expires_at > ? AND last_seen_at > ? ORDER BY last_seen_at DESC, created_at DESC`,
		)
		.all(userId, now, idleSince);
}

/** When a user was last seen in a browser that is still signed in, or null. */
export function findLastSeen(db: Database, userId: string): number | null {
	return (
		db
			.query<{ at: number | null }, [string]>(
				"SELECT max(last_seen_at) AS at FROM logins WHERE user_id = +?",
			)
			.get(userId)?.at ?? null
	);
}

/** Notes that the login is in use, and from where. */
export function touchLogin(
	db: Database,
	hash: Uint8Array,
	address: string,
	now: number,
): void {
	db.query(
		"UPDATE logins SET last_seen_at = ?, address = ? WHERE hash = ?",
	).run(now, address, hash);
}

/** Gives a login another cookie, because its person proved who they are: the old one is worth nothing. */
export function renewLogin(
	db: Database,
	hash: Uint8Array,
	renewed: Uint8Array,
	now: number,
): void {
	db.query("UPDATE logins SET hash = ?, proven_at = ? WHERE hash = ?").run(
		renewed,
		now,
		hash,
	);
}

/** Signs a browser out. */
export function deleteLogin(db: Database, hash: Uint8Array): void {
	db.query("DELETE FROM logins WHERE hash = ?").run(hash);
}

/** Signs a user out of one browser, if the login is theirs. Returns whether it was. */
export function deleteLoginOf(
	db: Database,
	userId: string,
	id: string,
): boolean {
	return (
		db.query("DELETE FROM logins WHERE user_id = ? AND id = ?").run(userId, id)
			.changes > 0
	);
}

/** Signs a user out of every browser, or of every one but `keptId`. */
export function deleteLoginsOf(
	db: Database,
	userId: string,
	keptId = "",
): void {
	db.query("DELETE FROM logins WHERE user_id = ? AND id <> ?").run(
		userId,
		keptId,
	);
}

/** Removes logins that have ended. */
export function deleteExpiredLogins(
	db: Database,
	now: number,
	idleSince: number,
): void {
	db.query("DELETE FROM logins WHERE expires_at <= ? OR last_seen_at <= ?").run(
		now,
		idleSince,
	);
}
