/**
 * The rotation of refresh tokens: one synchronous transaction that decides and writes.
 * A rotated token keeps its successor sealed for whoever holds the old one, which this file cannot open. A family is
 * one grant; it ends when a token is presented that nobody could still hold by accident.
 *
 * @see RFC 6749 6, RFC 9700 4.14
 */
import { type Database, transaction } from "./database.ts";
import { revokeGrant } from "./grants.ts";
import {
	createAccessToken,
	createRefreshToken,
	type NewToken,
} from "./tokens.ts";

/** What a client presents to have its refresh token rotated; `resource` is null when it did not send one. */
type Rotation = {
	readonly hash: Uint8Array;
	readonly clientId: string;
	readonly resource: string | null;
	/** The scope of the new access token, from the grant's resource and scope; null when it would be wider. */
	readonly narrow: (resource: string, granted: string) => string | null;
	/** The successor, should there be one: its hash, and itself sealed for the holder of the presented token. */
	readonly successorHash: Uint8Array;
	readonly successorSealed: Uint8Array;
	readonly access: NewToken;
	readonly limits: {
		readonly idleSeconds: number;
		readonly absoluteSeconds: number;
		/** Until then a rotated token gives the same successor again, even when that was used. */
		readonly replaySeconds: number;
		/** Until then an older one is refused without further consequence. */
		readonly graceSeconds: number;
	};
};

type Rotated =
	| {
			readonly outcome: "rotated";
			readonly grantId: string;
			readonly scope: string;
	  }
	| {
			/** It was rotated before; this is the successor of then. No token was made. */
			readonly outcome: "replayed";
			readonly grantId: string;
			readonly scope: string;
			readonly successorSealed: Uint8Array;
	  }
	| {
			readonly outcome: "refused";
			readonly reason: RefreshRefusal;
			readonly grantId: string | null;
	  };

/** Why a refresh token was refused. `reused` is the one that revoked the grant. */
type RefreshRefusal =
	| "unknown"
	| "other client"
	| "expired"
	| "ended"
	| "other resource"
	| "wider scope"
	| "stale"
	| "reused";

type RefreshRow = {
	readonly grantId: string;
	readonly clientId: string;
	readonly resource: string;
	readonly scope: string;
	readonly grantedAt: number;
	readonly expiresAt: number;
	readonly rotatedAt: number | null;
	readonly successorSealed: Uint8Array | null;
	/** Whether the successor is still the newest of the family. */
	readonly successorUnused: number;
	readonly alive: number;
};

/**
 * Rotates a refresh token. A lost answer, or several processes with one token, get the same successor again; a token
 * older than that is refused; one older than the grace is proof of a leak, and its whole family ends.
 */
export function rotateRefreshToken(
	db: Database,
	presented: Rotation,
	now: number,
): Rotated {
	return transaction(db, () => {
		const row = db
			.query<RefreshRow, [Uint8Array]>(
				`SELECT r.grant_id AS grantId, g.client_id AS clientId, g.resource, g.scope, g.created_at AS grantedAt,
				        r.expires_at AS expiresAt, r.rotated_at AS rotatedAt, r.successor_sealed AS successorSealed,
				        s.hash IS NOT NULL AND s.rotated_at IS NULL AS successorUnused,
				        g.revoked_at IS NULL AND u.disabled_at IS NULL AS alive
				 FROM refresh_tokens r JOIN grants g ON g.id = r.grant_id JOIN users u ON u.id = g.user_id
				 LEFT JOIN refresh_tokens s ON s.hash = r.successor_hash
				 WHERE r.hash = +?`,
			)
			.get(presented.hash);
		const scope = row ? presented.narrow(row.resource, row.scope) : null;
		const reason = judgeRefresh(row, presented, scope, now);
		if (reason === "reused" && row) revokeGrant(db, row.grantId, now);
		if (!row || reason || scope === null)
			return {
				outcome: "refused",
				reason: reason ?? "unknown",
				grantId: row?.grantId ?? null,
			};
		const { grantId } = row;
		if (row.rotatedAt !== null && row.successorSealed)
			return {
				outcome: "replayed",
				grantId,
				scope,
				successorSealed: row.successorSealed,
			};
		const { idleSeconds, absoluteSeconds } = presented.limits;
		const expiresAt = Math.min(
			now + idleSeconds,
			row.grantedAt + absoluteSeconds,
		);
		createRefreshToken(
			db,
			grantId,
			{ hash: presented.successorHash, expiresAt },
			now,
		);
		db.query(
			"UPDATE refresh_tokens SET rotated_at = ?, successor_hash = ?, successor_sealed = ? WHERE hash = ?",
		).run(
			now,
			presented.successorHash,
			presented.successorSealed,
			presented.hash,
		);
		createAccessToken(db, grantId, scope, presented.access);
		return { outcome: "rotated", grantId, scope };
	});
}

function judgeRefresh(
	row: RefreshRow | null,
	presented: Rotation,
	scope: string | null,
	now: number,
): RefreshRefusal | null {
	if (!row) return "unknown";
	if (row.clientId !== presented.clientId) return "other client";
	if (!row.alive) return "ended";
	if (row.expiresAt <= now) return "expired";
	if (row.rotatedAt !== null && !row.successorUnused) {
		const age = now - row.rotatedAt;
		if (age > presented.limits.graceSeconds) return "reused";
		if (age > presented.limits.replaySeconds) return "stale";
	}
	if (presented.resource !== null && presented.resource !== row.resource)
		return "other resource";
	if (scope === null) return "wider scope";
	return null;
}
