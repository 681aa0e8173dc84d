/** Legacy MCP sessions: what a client must not lose when the gateway restarts. Live streams are not here. */
import type { Database } from "./database.ts";

export type SessionRow = {
	readonly userId: string;
	readonly clientId: string;
	/** The slug of the endpoint, or empty for `/mcp`. */
	readonly endpoint: string;
	readonly protocolVersion: string;
	/** What the client can be asked, in canonical JSON. */
	readonly capabilities: string;
	readonly lastSeenAt: number;
};

/** Keeps a new session under the keyed hash of its id. */
export function createSession(
	db: Database,
	hash: Uint8Array,
	row: SessionRow,
): void {
	db.query(
		`INSERT INTO sessions (hash, user_id, client_id, endpoint, protocol_version, capabilities, created_at, last_seen_at)
		 VALUES ($hash, $userId, $clientId, $endpoint, $protocolVersion, $capabilities, $lastSeenAt, $lastSeenAt)`,
	).run({ hash, ...row });
}

/** The session of this hash, or null. */
export function findSession(db: Database, hash: Uint8Array): SessionRow | null {
	return db
		.query<SessionRow, [Uint8Array]>(
			`SELECT user_id AS userId, client_id AS clientId, endpoint, protocol_version AS protocolVersion,
			        capabilities,
			        last_seen_at AS lastSeenAt
			 FROM sessions WHERE hash = ?`,
		)
		.get(hash);
}

/** Notes that the session is in use. */
export function touchSession(
	db: Database,
	hash: Uint8Array,
	now: number,
): void {
	db.query("UPDATE sessions SET last_seen_at = ? WHERE hash = ?").run(
		now,
		hash,
	);
}

/** Ends a session. */
export function deleteSession(db: Database, hash: Uint8Array): void {
	db.query("DELETE FROM sessions WHERE hash = ?").run(hash);
}

/** Ends the sessions nobody has used since `before`. Returns how many. */
export function deleteIdleSessions(db: Database, before: number): number {
	return db.query("DELETE FROM sessions WHERE last_seen_at < ?").run(before)
		.changes;
}

/** Ends those of a user's sessions, or of one client of theirs, that are beyond the `keep` used last. Gives their hashes. */
export function trimSessions(
	db: Database,
	userId: string,
	clientId: string | null,
	keep: number,
): readonly Uint8Array[] {
	return db
		.query<{ hash: Uint8Array }, Record<string, string | number | null>>(
			`DELETE FROM sessions WHERE hash IN (
				SELECT hash FROM sessions WHERE user_id = +$userId AND ($clientId IS NULL OR client_id = +$clientId)
				ORDER BY last_seen_at DESC, created_at DESC LIMIT -1 OFFSET $keep)
			 RETURNING hash`,
		)
		.all({ userId, clientId, keep })
		.map(({ hash }) => hash);
}
