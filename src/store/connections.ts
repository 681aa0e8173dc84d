/**
 * Connections: one user's sign-in to the service of one server, with its sealed tokens, and the lease of whoever
 * renews them. Tokens are sealed for their row and version, so both are handed out before they are written.
 */
import { mintId } from "../mint.ts";
import { type Database, transaction } from "./database.ts";

/** Where the tokens are kept; all of it is bound into the seal. */
export type ConnectionPlace = {
	readonly id: string;
	readonly userId: string;
	readonly version: number;
};

export type Connection = ConnectionPlace & {
	readonly serverId: string;
	/** Who issued the tokens; they are never used with what another issuer says. */
	readonly issuer: string;
	/** What the service calls the account, where it says so. */
	readonly account: string | null;
	/** The scopes that were asked for. */
	readonly requested: string;
	readonly granted: string;
	/** The scopes to ask for next time: what was asked for and what the server wanted beyond it. */
	readonly wanted: string | null;
	/** How often the server wanted more since the person last signed in by themselves. */
	readonly stepUps: number;
	readonly tokens: Uint8Array;
	/** There is a refresh token. */
	readonly refreshable: 0 | 1;
	/** Refusals of the refresh token in a row. */
	readonly refused: number;
	/** Since when the person must sign in again. */
	readonly lostAt: number | null;
	readonly expiresAt: number | null;
	readonly refreshAt: number | null;
	readonly createdAt: number;
	readonly refreshedAt: number;
};

/** A connection, and whose and of which server for people. */
export type ListedConnection = Omit<Connection, "tokens"> & {
	readonly email: string;
	readonly slug: string;
};

/** What a sign-in or a refresh brings. */
export type Renewal = {
	readonly refreshable: 0 | 1;
	readonly granted: string;
	readonly expiresAt: number | null;
	readonly refreshAt: number | null;
};

const SHOWN = `c.id, c.user_id AS userId, c.server_id AS serverId, c.version, c.issuer, c.account, c.requested, c.granted,
	c.wanted, c.step_ups AS stepUps, c.refreshable, c.refused, c.lost_at AS lostAt, c.expires_at AS expiresAt,
	c.refresh_at AS refreshAt, c.created_at AS createdAt, c.refreshed_at AS refreshedAt`;

/** The connection of a user to a server, or null. */
export function findConnection(
	db: Database,
	serverId: string,
	userId: string,
): Connection | null {
	return db
		.query<Connection, [string, string]>(
			`SELECT ${SHOWN}, c.tokens_sealed AS tokens FROM connections c WHERE c.server_id = ? AND c.user_id = ?`,
		)
		.get(serverId, userId);
}

/** Whether a user has a connection to a server that has not been lost. */
export function isConnected(
	db: Database,
	serverId: string,
	userId: string,
): boolean {
	return (
		db
			.query(
				"SELECT 1 FROM connections WHERE server_id = ? AND user_id = ? AND lost_at IS NULL",
			)
			.get(serverId, userId) !== null
	);
}

/** Connections, by server and address: all of them, or those of a user or a server. */
export function listConnections(
	db: Database,
	of: { readonly userId?: string | null; readonly serverId?: string } = {},
): readonly ListedConnection[] {
	return db
		.query<ListedConnection, [string | null, string | null]>(
			`SELECT ${SHOWN}, u.email, s.slug FROM connections c
			 JOIN users u ON u.id = c.user_id JOIN servers s ON s.id = c.server_id
			 WHERE (?1 IS NULL OR c.user_id = +?1) AND (?2 IS NULL OR c.server_id = +?2)
			 ORDER BY s.slug, u.email`,
		)
		.all(of.userId ?? null, of.serverId ?? null);
}

/**
 * Keeps what a sign-in brought, in place of an earlier connection of the user to the server.
 * @param seal makes the sealed tokens for the place they are about to have
 */
export function setConnection(
	db: Database,
	connection: Renewal &
		Pick<
			Connection,
			"userId" | "serverId" | "issuer" | "account" | "requested" | "stepUps"
		>,
	now: number,
	seal: (place: ConnectionPlace) => Uint8Array,
): void {
	transaction(db, () => {
		const known = findConnection(db, connection.serverId, connection.userId);
		const place: ConnectionPlace = {
			id: known?.id ?? mintId("con"),
			userId: connection.userId,
			version: (known?.version ?? 0) + 1,
		};
		db.query(
			`INSERT INTO connections (id, user_id, server_id, issuer, account, requested, granted, step_ups, version, tokens_sealed,
				refreshable, expires_at, refresh_at, created_at, refreshed_at)
			 VALUES ($id, $userId, $serverId, $issuer, $account, $requested, $granted, $stepUps, $version, $tokens,
				$refreshable, $expiresAt, $refreshAt, $now, $now)
			 ON CONFLICT (id) DO UPDATE SET issuer = $issuer, account = $account, requested = $requested,
				granted = $granted, wanted = NULL, step_ups = $stepUps, version = $version, tokens_sealed = $tokens,
				refreshable = $refreshable, refused = 0, lost_at = NULL, expires_at = $expiresAt, refresh_at = $refreshAt,
				refreshed_at = $now, lease_holder = NULL, lease_until = 0`,
		).run({ ...connection, ...place, tokens: seal(place), now });
	});
}

/**
 * Keeps what a refresh brought. False when the connection is not what it was when the refresh began: somebody
 * signed in again or disconnected meanwhile, and theirs is newer.
 */
export function renewConnection(
	db: Database,
	before: ConnectionPlace,
	renewal: Renewal,
	now: number,
	seal: (place: ConnectionPlace) => Uint8Array,
): boolean {
	const place = { ...before, version: before.version + 1 };
	return (
		db
			.query(
				`UPDATE connections SET version = $version, tokens_sealed = $tokens, refreshable = $refreshable, granted = $granted,
					expires_at = $expiresAt, refresh_at = $refreshAt, refreshed_at = $now, refused = 0, lost_at = NULL
				 WHERE id = $id AND version = $known`,
			)
			.run({
				...renewal,
				id: before.id,
				known: before.version,
				version: place.version,
				tokens: seal(place),
				now,
			}).changes === 1
	);
}

/** Counts a refusal of the refresh token. Returns how many there were in a row. */
export function countRefusal(db: Database, id: string): number {
	return (
		db
			.query<{ refused: number }, [string]>(
				"UPDATE connections SET refused = refused + 1 WHERE id = ? RETURNING refused",
			)
			.get(id)?.refused ?? 0
	);
}

/** The person must sign in again. False when that was known, or the connection is another by now. */
export function loseConnection(
	db: Database,
	{ id, version }: ConnectionPlace,
	now: number,
): boolean {
	return (
		db
			.query(
				"UPDATE connections SET lost_at = ? WHERE id = ? AND version = ? AND lost_at IS NULL",
			)
			.run(now, id, version).changes === 1
	);
}

/** Notes what the server wanted beyond what was granted, to be asked for at the next sign-in. */
export function wantScope(db: Database, id: string, wanted: string): void {
	db.query("UPDATE connections SET wanted = ? WHERE id = ?").run(wanted, id);
}

/** Removes a connection with its tokens. Returns whether there was one. */
export function deleteConnection(db: Database, id: string): boolean {
	return db.query("DELETE FROM connections WHERE id = ?").run(id).changes === 1;
}

/** Takes the right to renew a connection's tokens until `until`, unless somebody else has it. */
export function takeRefreshLease(
	db: Database,
	id: string,
	holder: string,
	now: number,
	until: number,
): boolean {
	return (
		db
			.query(
				`UPDATE connections SET lease_holder = $holder, lease_until = $until
				 WHERE id = $id AND (lease_until <= $now OR lease_holder = $holder)`,
			)
			.run({ id, holder, now, until }).changes === 1
	);
}

/** Gives back what `takeRefreshLease` took. */
export function releaseRefreshLease(
	db: Database,
	id: string,
	holder: string,
): void {
	db.query(
		"UPDATE connections SET lease_holder = NULL, lease_until = 0 WHERE id = ? AND lease_holder = ?",
	).run(id, holder);
}
