/**
 * Device codes: what a device without a browser polls with while a person types the short code that it shows.
 * Both are here as keyed hashes only. Deciding and redeeming are one synchronous transaction each.
 *
 * @see RFC 8628
 */
import { mintId } from "../mint.ts";
import { type Database, transaction } from "./database.ts";
import {
	createAccessToken,
	createRefreshToken,
	type NewToken,
} from "./tokens.ts";

/** The grant type, which also stands where other grants have a redirect URI: the answer of a device goes nowhere. */
export const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

export type NewDeviceCode = {
	readonly hash: Uint8Array;
	readonly userCodeHash: Uint8Array;
	readonly clientId: string;
	readonly resource: string;
	/** What can be granted; what is granted, once it was allowed. */
	readonly scope: string;
	/** Where the device asked from, for a person to judge. */
	readonly address: string;
	readonly agent: string;
	readonly createdAt: number;
	readonly expiresAt: number;
	readonly intervalSeconds: number;
};

/** A request of a device, as the person who decides sees it. */
export type DeviceRequest = Pick<
	NewDeviceCode,
	"clientId" | "resource" | "scope" | "address" | "agent" | "createdAt"
>;

/** Keeps a device code, unless there are `codesMax` living ones already. Returns whether it was kept. */
export function createDeviceCode(
	db: Database,
	code: NewDeviceCode,
	codesMax: number,
): boolean {
	return transaction(db, () => {
		deleteExpiredDeviceCodes(db, code.createdAt);
		const count = db
			.query<{ count: number }, []>(
				"SELECT count(*) AS count FROM device_codes",
			)
			.get()?.count;
		if ((count ?? 0) >= codesMax) return false;
		db.query(
			`INSERT INTO device_codes (hash, user_code_hash, client_id, resource, scope, address, agent, created_at,
				expires_at, interval, polled_at)
			 VALUES ($hash, $userCodeHash, $clientId, $resource, $scope, $address, $agent, $createdAt,
				$expiresAt, $intervalSeconds, 0)`,
		).run(code);
		return true;
	});
}

/** The request behind a typed code that nobody has decided yet; null when there is none, or it is too old. */
export function findDeviceRequest(
	db: Database,
	userCodeHash: Uint8Array,
	now: number,
): DeviceRequest | null {
	return db
		.query<DeviceRequest, [Uint8Array, number]>(
			`SELECT client_id AS clientId, resource, scope, address, agent, created_at AS createdAt
			 FROM device_codes WHERE user_code_hash = ? AND expires_at > ? AND decision IS NULL`,
		)
		.get(userCodeHash, now);
}

/** Keeps a person's decision. Returns whether there was something to decide. */
export function decideDeviceRequest(
	db: Database,
	userCodeHash: Uint8Array,
	decision:
		| {
				readonly allowed: true;
				readonly userId: string;
				readonly scope: string;
		  }
		| { readonly allowed: false; readonly userId: string },
	now: number,
): boolean {
	const scope = decision.allowed ? decision.scope : null;
	return (
		db
			.query(
				`UPDATE device_codes SET decision = ?, user_id = ?, scope = coalesce(?, scope)
				 WHERE user_code_hash = ? AND expires_at > ? AND decision IS NULL`,
			)
			.run(
				decision.allowed ? "allowed" : "denied",
				decision.userId,
				scope,
				userCodeHash,
				now,
			).changes === 1
	);
}

/** What a device presents when it asks for its tokens; `resource` is null when it did not send one. */
type Poll = {
	readonly hash: Uint8Array;
	readonly clientId: string;
	readonly resource: string | null;
	/** What is added to the interval of a device that asks too often. */
	readonly slowDownSeconds: number;
	readonly access: NewToken;
	readonly refresh: NewToken;
};

type Polled =
	| {
			readonly outcome: "allowed";
			readonly grantId: string;
			readonly userId: string;
			readonly scope: string;
	  }
	| {
			readonly outcome:
				| "unknown"
				| "other resource"
				| "expired"
				| "too fast"
				| "pending"
				| "denied"
				| "ended";
	  };

type PollRow = {
	readonly clientId: string;
	readonly resource: string;
	readonly scope: string;
	readonly expiresAt: number;
	readonly interval: number;
	readonly polledAt: number;
	readonly userId: string | null;
	readonly decision: "allowed" | "denied" | null;
	readonly alive: number;
};

/** Answers a device that asks whether its person has decided; the first answer with tokens is the last. */
export function pollDeviceCode(db: Database, poll: Poll, now: number): Polled {
	return transaction(db, (): Polled => {
		const row = db
			.query<PollRow, [Uint8Array]>(
				`SELECT client_id AS clientId, resource, scope, expires_at AS expiresAt, interval, polled_at AS polledAt,
				        user_id AS userId, decision,
				        EXISTS (SELECT 1 FROM users u WHERE u.id = user_id AND u.disabled_at IS NULL) AS alive
				 FROM device_codes WHERE hash = ?`,
			)
			.get(poll.hash);
		if (!row || row.clientId !== poll.clientId) return { outcome: "unknown" };
		if (row.expiresAt <= now) return { outcome: "expired" };
		if (now - row.polledAt < row.interval) {
			notePoll(db, poll.hash, row.interval + poll.slowDownSeconds, now);
			return { outcome: "too fast" };
		}
		if (poll.resource !== null && poll.resource !== row.resource)
			return { outcome: "other resource" };
		if (row.decision === null) {
			notePoll(db, poll.hash, row.interval, now);
			return { outcome: "pending" };
		}
		db.query("DELETE FROM device_codes WHERE hash = ?").run(poll.hash);
		if (row.decision === "denied") return { outcome: "denied" };
		if (row.userId === null || row.alive === 0) return { outcome: "ended" };
		return grant(db, { ...row, userId: row.userId }, poll, now);
	});
}

function notePoll(
	db: Database,
	hash: Uint8Array,
	interval: number,
	now: number,
): void {
	db.query(
		"UPDATE device_codes SET polled_at = ?, interval = ? WHERE hash = ?",
	).run(now, interval, hash);
}

function grant(
	db: Database,
	row: PollRow & { readonly userId: string },
	poll: Poll,
	now: number,
): Polled {
	const grantId = mintId("grt");
	const { userId, clientId, resource, scope } = row;
	db.query(
		`INSERT INTO grants (id, user_id, client_id, redirect_uri, resource, scope, created_at)
		 VALUES (?, ?, ?, ?, ?, ?, ?)`,
	).run(grantId, userId, clientId, DEVICE_GRANT, resource, scope, now);
	db.query("UPDATE clients SET last_used_at = ? WHERE id = ?").run(
		now,
		clientId,
	);
	createAccessToken(db, grantId, scope, poll.access);
	createRefreshToken(db, grantId, poll.refresh, now);
	return { outcome: "allowed", grantId, userId, scope };
}

/** Removes codes that are too old. */
export function deleteExpiredDeviceCodes(db: Database, now: number): void {
	db.query("DELETE FROM device_codes WHERE expires_at <= ?").run(now);
}
