/**
 * Grants, and the codes that turn into their tokens.
 * A grant is user × client × redirect URI × one decision; codes and tokens are its children and die with it. Only
 * keyed hashes are here. Each function is one synchronous transaction: a code is redeemed once, whoever races.
 *
 * @see RFC 6749 4.1, RFC 7636 4.6, OAuth 2.1 draft 4.1.3
 */
import { mintId } from "../mint.ts";
import { type Database, transaction } from "./database.ts";
import {
	createAccessToken,
	createRefreshToken,
	type NewToken,
} from "./tokens.ts";

type Grant = {
	readonly userId: string;
	readonly clientId: string;
	/** The redirect URI of this grant's authorization, as the client sent it. */
	readonly redirectUri: string;
	readonly resource: string;
	/** Scopes, separated by single spaces. */
	readonly scope: string;
};

/** Keeps what a user allowed, with the code the client will redeem. Returns the grant's id. */
export function createGrant(
	db: Database,
	grant: Grant,
	code: NewToken & { readonly codeChallenge: string },
	now: number,
): string {
	const id = mintId("grt");
	return transaction(db, () => {
		db.query(
			`INSERT INTO grants (id, user_id, client_id, redirect_uri, resource, scope, created_at)
			 VALUES ($id, $userId, $clientId, $redirectUri, $resource, $scope, $now)`,
		).run({ id, ...grant, now });
		db.query(
			"INSERT INTO codes (hash, grant_id, code_challenge, redirect_uri, expires_at) VALUES (?, ?, ?, ?, ?)",
		).run(code.hash, id, code.codeChallenge, grant.redirectUri, code.expiresAt);
		db.query("UPDATE clients SET last_used_at = ? WHERE id = ?").run(
			now,
			grant.clientId,
		);
		return id;
	});
}

/** Whether a user has allowed exactly this, and it still holds. */
export function isGranted(db: Database, grant: Grant): boolean {
	return (
		db
			.query(
				`SELECT 1 FROM grants WHERE user_id = $userId AND client_id = $clientId AND redirect_uri = $redirectUri
				 AND resource = $resource AND scope = $scope AND revoked_at IS NULL`,
			)
			.get({ ...grant }) !== null
	);
}

/**
 * An access token for a client that acts without a person, under its one standing grant for this resource and scope.
 * Beyond the newest `tokensMax` of that grant the older ones end, so that a client in a loop fills no disk.
 * @returns the grant's id
 */
export function createClientToken(
	db: Database,
	grant: Omit<Grant, "redirectUri">,
	access: NewToken,
	tokensMax: number,
	now: number,
): string {
	return transaction(db, () => {
		const standing = db
			.query<{ id: string }, [string, string, string, string]>(
				`SELECT id FROM grants WHERE client_id = ? AND user_id = ? AND resource = ? AND scope = ?
				 AND redirect_uri = '' AND revoked_at IS NULL`,
			)
			.get(grant.clientId, grant.userId, grant.resource, grant.scope);
		const id = standing?.id ?? mintId("grt");
		if (!standing)
			db.query(
				`INSERT INTO grants (id, user_id, client_id, redirect_uri, resource, scope, created_at)
				 VALUES ($id, $userId, $clientId, '', $resource, $scope, $now)`,
			).run({ id, ...grant, now });
		db.query("UPDATE clients SET last_used_at = ? WHERE id = ?").run(
			now,
			grant.clientId,
		);
		createAccessToken(db, id, grant.scope, access);
		db.query(
			`DELETE FROM access_tokens WHERE hash IN (
				SELECT hash FROM access_tokens WHERE grant_id = +? ORDER BY expires_at DESC LIMIT -1 OFFSET ?)`,
		).run(id, tokensMax);
		return id;
	});
}

/** What a client presents for a code; `redirectUri` and `resource` are null when it did not send them. */
type Redemption = {
	readonly codeHash: Uint8Array;
	readonly clientId: string;
	readonly redirectUri: string | null;
	readonly resource: string | null;
	/** Made from the verifier it sent. */
	readonly codeChallenge: string;
	/** Wrong verifiers after which a code is burnt. */
	readonly triesMax: number;
	readonly access: NewToken;
	readonly refresh: NewToken;
	/** The answer that this will be, sealed for whoever asks the same again, and a keyed hash of who asks. */
	readonly answer: { readonly sealed: Uint8Array; readonly to: Uint8Array };
	/** How long the same may be asked again, and whether what a grant was given is still unused. */
	readonly repeat: {
		readonly seconds: number;
		readonly isUnused: (grantId: string) => boolean;
	};
};

type Redeemed =
	| {
			readonly outcome: "redeemed";
			readonly grantId: string;
			readonly scope: string;
	  }
	| {
			/** The same request again, right after the first: this was its answer. No token was made. */
			readonly outcome: "repeated";
			readonly grantId: string;
			readonly scope: string;
			readonly answerSealed: Uint8Array;
	  }
	| {
			readonly outcome: "refused";
			readonly reason: CodeRefusal;
			readonly grantId: string | null;
	  };

/** Why a code was refused. `replayed` is the one that revoked the grant. */
type CodeRefusal =
	| "unknown"
	| "other client"
	| "replayed"
	| "expired"
	| "ended"
	| "other redirect uri"
	| "other resource"
	| "wrong verifier";

type CodeRow = {
	readonly grantId: string;
	readonly clientId: string;
	readonly redirectUri: string;
	readonly resource: string;
	readonly scope: string;
	readonly codeChallenge: string;
	readonly tries: number;
	readonly usedAt: number | null;
	readonly expiresAt: number;
	readonly alive: number;
	readonly answerSealed: Uint8Array | null;
	readonly answeredTo: Uint8Array | null;
};

/**
 * Turns a code into the grant's first tokens.
 * A code that was used already is proof of a leak: its grant is revoked (OAuth 2.1 4.1.3); but the very same request,
 * sent twice in a moment, is one request and gets one answer. Anything else that does
 * not fit leaves the code usable for whoever holds the right verifier, but wrong verifiers are counted.
 */
export function redeemCode(
	db: Database,
	presented: Redemption,
	now: number,
): Redeemed {
	return transaction(db, () => {
		const code = db
			.query<CodeRow, [Uint8Array]>(
				`SELECT c.grant_id AS grantId, g.client_id AS clientId, g.redirect_uri AS redirectUri, g.resource, g.scope,
				        c.code_challenge AS codeChallenge, c.tries, c.used_at AS usedAt, c.expires_at AS expiresAt,
				        c.answer_sealed AS answerSealed, c.answered_to AS answeredTo,
				        g.revoked_at IS NULL AND u.disabled_at IS NULL AS alive
				 FROM codes c JOIN grants g ON g.id = c.grant_id JOIN users u ON u.id = g.user_id WHERE c.hash = +?`,
			)
			.get(presented.codeHash);
		if (code?.answerSealed && isRepeated(code, presented, now))
			return {
				outcome: "repeated",
				grantId: code.grantId,
				scope: code.scope,
				answerSealed: code.answerSealed,
			};
		const reason = judgeCode(code, presented, now);
		if (reason === "replayed" && code) revokeGrant(db, code.grantId, now);
		if (reason === "wrong verifier")
			db.query("UPDATE codes SET tries = tries + 1 WHERE hash = ?").run(
				presented.codeHash,
			);
		if (!code || reason)
			return {
				outcome: "refused",
				reason: reason ?? "unknown",
				grantId: code?.grantId ?? null,
			};
		db.query(
			"UPDATE codes SET used_at = ?, answer_sealed = ?, answered_to = ? WHERE hash = ?",
		).run(
			now,
			presented.answer.sealed,
			presented.answer.to,
			presented.codeHash,
		);
		createAccessToken(db, code.grantId, code.scope, presented.access);
		createRefreshToken(db, code.grantId, presented.refresh, now);
		return { outcome: "redeemed", grantId: code.grantId, scope: code.scope };
	});
}

/** Whether this is the request that the code was used by, sent again before its answer was used (ChatGPT does that). */
function isRepeated(
	code: CodeRow,
	presented: Redemption,
	now: number,
): boolean {
	const { usedAt, answeredTo } = code;
	return (
		usedAt !== null &&
		answeredTo !== null &&
		now - usedAt <= presented.repeat.seconds &&
		Buffer.from(answeredTo).equals(presented.answer.to) &&
		judgeCode({ ...code, usedAt: null }, presented, now) === null &&
		presented.repeat.isUnused(code.grantId)
	);
}

function judgeCode(
	code: CodeRow | null,
	presented: Redemption,
	now: number,
): CodeRefusal | null {
	if (!code) return "unknown";
	if (code.clientId !== presented.clientId) return "other client";
	if (code.usedAt !== null) return "replayed";
	if (code.expiresAt <= now || code.tries >= presented.triesMax)
		return "expired";
	if (!code.alive) return "ended";
	if (
		presented.redirectUri !== null &&
		presented.redirectUri !== code.redirectUri
	)
		return "other redirect uri";
	if (presented.resource !== null && presented.resource !== code.resource)
		return "other resource";
	if (presented.codeChallenge !== code.codeChallenge) return "wrong verifier";
	return null;
}

/** Ends a grant and every token of it. Its codes stay, so that a replay is still seen as one. */
export function revokeGrant(db: Database, grantId: string, now: number): void {
	transaction(db, () => {
		db.query(
			"UPDATE grants SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?",
		).run(now, grantId);
		db.query("DELETE FROM access_tokens WHERE grant_id = ?").run(grantId);
		db.query("DELETE FROM refresh_tokens WHERE grant_id = ?").run(grantId);
	});
}

/** Ends every grant of a user. */
export function revokeGrantsOf(
	db: Database,
	userId: string,
	now: number,
): void {
	transaction(db, () => {
		for (const { id } of db
			.query<{ id: string }, [string]>(
				"SELECT id FROM grants WHERE user_id = ? AND revoked_at IS NULL",
			)
			.all(userId))
			revokeGrant(db, id, now);
	});
}

/** A grant as a list shows it. */
export type ListedGrant = {
	readonly id: string;
	readonly userId: string;
	readonly email: string;
	readonly clientId: string;
	readonly clientName: string;
	readonly redirectUri: string;
	readonly resource: string;
	readonly scope: string;
	readonly createdAt: number;
	readonly lastUsedAt: number | null;
	/** From where it was last used. */
	readonly lastAddress: string | null;
};

/** Living grants, of one user or of all, the last used first. */
export function listGrants(
	db: Database,
	userId: string | null,
	now: number,
): readonly ListedGrant[] {
	return db
		.query<ListedGrant, { userId: string | null; now: number }>(
			`SELECT g.id, g.user_id AS userId, u.email, g.client_id AS clientId, c.name AS clientName,
			        g.redirect_uri AS redirectUri, g.resource, g.scope, g.created_at AS createdAt,
			        g.last_used_at AS lastUsedAt, nullif(g.last_address, '') AS lastAddress
			 FROM grants g JOIN users u ON u.id = g.user_id JOIN clients c ON c.id = g.client_id
			 WHERE g.revoked_at IS NULL AND g.user_id = coalesce($userId, g.user_id)
			   AND (EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.grant_id = g.id AND t.expires_at > $now)
			     OR EXISTS (SELECT 1 FROM access_tokens t WHERE t.grant_id = g.id AND t.expires_at > $now)
			     OR EXISTS (SELECT 1 FROM codes t WHERE t.grant_id = g.id AND t.expires_at > $now AND t.used_at IS NULL))
			 ORDER BY coalesce(g.last_used_at, g.created_at) DESC, g.id`,
		)
		.all({ userId, now });
}

/** The grants of a client that are not revoked. */
export function listGrantIdsOf(
	db: Database,
	clientId: string,
): readonly string[] {
	return db
		.query<{ id: string }, [string]>(
			"SELECT id FROM grants WHERE client_id = ? AND revoked_at IS NULL",
		)
		.all(clientId)
		.map(({ id }) => id);
}

/** Whether any client was allowed anything that still stands. */
export function hasAnyGrant(db: Database): boolean {
	return (
		db.query("SELECT 1 FROM grants WHERE revoked_at IS NULL LIMIT 1").get() !==
		null
	);
}

/** Whose grant this is; null when it is not there or was revoked. */
export function findGrantOwner(db: Database, grantId: string): string | null {
	return (
		db
			.query<{ userId: string }, [string]>(
				"SELECT user_id AS userId FROM grants WHERE id = ? AND revoked_at IS NULL",
			)
			.get(grantId)?.userId ?? null
	);
}

/** Whether a grant was ever used; written down within half a minute. */
export function isGrantUsed(db: Database, grantId: string): boolean {
	return (
		db
			.query("SELECT 1 FROM grants WHERE id = ? AND last_used_at IS NOT NULL")
			.get(grantId) !== null
	);
}

/** When and from where a grant was used; the instant moves on while it is in use. */
export type GrantUse = { at: number; readonly address: string };

/** Notes when and from where grants were last used, many at once. */
export function touchGrants(
	db: Database,
	uses: ReadonlyMap<string, GrantUse>,
): void {
	for (const [id, { at, address }] of uses)
		db.query(
			"UPDATE grants SET last_used_at = ?, last_address = ? WHERE id = ?",
		).run(at, address, id);
}

/** Removes tokens and codes past use (codes after `codesBefore`), and grants of which nothing is left. */
export function deleteExpiredGrants(
	db: Database,
	now: number,
	codesBefore: number,
): void {
	transaction(db, () => {
		db.query("DELETE FROM access_tokens WHERE expires_at <= ?").run(now);
		db.query("DELETE FROM refresh_tokens WHERE expires_at <= ?").run(now);
		db.query("DELETE FROM codes WHERE expires_at <= ?").run(codesBefore);
		db.query(
			"UPDATE codes SET answer_sealed = NULL WHERE expires_at <= ? AND answer_sealed IS NOT NULL",
		).run(now);
		db.query(
			`DELETE FROM grants WHERE NOT EXISTS (SELECT 1 FROM access_tokens WHERE grant_id = grants.id)
			 AND NOT EXISTS (SELECT 1 FROM refresh_tokens WHERE grant_id = grants.id)
			 AND NOT EXISTS (SELECT 1 FROM codes WHERE grant_id = grants.id)`,
		).run();
	});
}
