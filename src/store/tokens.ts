/**
 * Access and refresh tokens as rows: keeping one, and finding out whom one speaks for. Only keyed hashes are here.
 * The lookup of an access token is on the way of every MCP request, so it is one query.
 */
import type { Role } from "../caller.ts";
import type { Database } from "./database.ts";

/** A token about to be issued: its hash, and when it ends. */
export type NewToken = {
	readonly hash: Uint8Array;
	readonly expiresAt: number;
};

/** Whom an access token speaks for, and where. */
type TokenHolder = {
	readonly userId: string;
	readonly role: Role;
	readonly clientId: string;
	readonly grantId: string;
	readonly resource: string;
	/** Scopes, separated by single spaces. */
	readonly scope: string;
	readonly expiresAt: number;
};

/** Keeps a new access token of a grant. */
export function createAccessToken(
	db: Database,
	grantId: string,
	scope: string,
	token: NewToken,
): void {
	db.query(
		"INSERT INTO access_tokens (hash, grant_id, scope, expires_at) VALUES (?, ?, ?, ?)",
	).run(token.hash, grantId, scope, token.expiresAt);
}

/** Keeps a new refresh token of a grant. */
export function createRefreshToken(
	db: Database,
	grantId: string,
	token: NewToken,
	now: number,
): void {
	db.query(
		"INSERT INTO refresh_tokens (hash, grant_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
	).run(token.hash, grantId, now, token.expiresAt);
}

/** Whom the access token of this hash speaks for; null when it is unknown, over, revoked, or its user is disabled. */
export function findCallerByAccessToken(
	db: Database,
	hash: Uint8Array,
	now: number,
): TokenHolder | null {
	return db
		.query<TokenHolder, [Uint8Array, number]>(
			`SELECT g.user_id AS userId, u.role, g.client_id AS clientId, g.id AS grantId, g.resource,
			        t.scope, t.expires_at AS expiresAt
			 FROM access_tokens t JOIN grants g ON g.id = t.grant_id JOIN users u ON u.id = g.user_id
			 WHERE t.hash = +? AND t.expires_at > ? AND g.revoked_at IS NULL AND u.disabled_at IS NULL`,
		)
		.get(hash, now);
}

/** Which grant a token of this hash belongs to, for revocation by its own client. */
export function findTokenGrant(
	db: Database,
	hash: Uint8Array,
	kind: "access" | "refresh",
): { readonly grantId: string; readonly clientId: string } | null {
	const table = kind === "access" ? "access_tokens" : "refresh_tokens";
	return db
		.query<{ grantId: string; clientId: string }, [Uint8Array]>(
			`SELECT g.id AS grantId, g.client_id AS clientId
			 FROM ${table} t JOIN grants g ON g.id = t.grant_id WHERE t.hash = +?`,
		)
		.get(hash);
}

/** Ends one access token. */
export function deleteAccessToken(db: Database, hash: Uint8Array): void {
	db.query("DELETE FROM access_tokens WHERE hash = ?").run(hash);
}
