/**
 * OAuth clients: those that registered themselves (RFC 7591), those whose id is the URL of their own document, and
 * those that an administrator made. One that is not approved waits for an administrator. A document's row is a cache of it with an instant at which it must be read again. Names and redirect URIs were
 * judged before they came here; a secret is here only as a keyed hash.
 */
import type { Database } from "./database.ts";

export type ClientAuthMethod =
	| "none"
	| "client_secret_basic"
	| "client_secret_post"
	| "private_key_jwt";

export type Client = {
	readonly id: string;
	readonly kind: "registered" | "document" | "made";
	readonly name: string;
	readonly redirectUris: readonly string[];
	readonly authMethod: ClientAuthMethod;
	readonly secretHash: Uint8Array | null;
	/** Public keys as a JSON Web Key Set, for `private_key_jwt`. */
	readonly jwks: string | null;
	/** As whom it acts without a person (`client_credentials`); null when it may not. */
	readonly userId: string | null;
	/** The resources whose tokens it may look at. */
	readonly introspects: readonly string[];
	readonly createdAt: number;
	/** Null while it waits for an administrator. */
	readonly approvedAt: number | null;
	/** When a document must be read again; null for any other. */
	readonly expiresAt: number | null;
};

type Row = Omit<Client, "redirectUris" | "introspects"> & {
	readonly redirectUris: string;
	readonly introspects: string;
};

const COLUMNS = `id, kind, name, redirect_uris AS redirectUris, auth_method AS authMethod, secret_hash AS secretHash, jwks,
	user_id AS userId, introspects, created_at AS createdAt, approved_at AS approvedAt, expires_at AS expiresAt`;

/** The client of this id, or null. */
export function findClient(db: Database, id: string): Client | null {
	const row = db
		.query<Row, [string]>(`SELECT ${COLUMNS} FROM clients WHERE id = ?`)
		.get(id);
	return row && clientOf(row);
}

/** Keeps a client; a document that was read again replaces what was known of it, its grants stay. */
export function putClient(db: Database, client: Client): void {
	db.query(
		`INSERT INTO clients (id, kind, name, redirect_uris, auth_method, secret_hash, jwks, user_id, introspects,
			created_at, approved_at, expires_at)
		 VALUES ($id, $kind, $name, $redirectUris, $authMethod, $secretHash, $jwks, $userId, $introspects,
			$createdAt, $approvedAt, $expiresAt)
		 ON CONFLICT (id) DO UPDATE SET name = excluded.name, redirect_uris = excluded.redirect_uris,
			expires_at = excluded.expires_at`,
	).run({
		...client,
		redirectUris: JSON.stringify(client.redirectUris),
		introspects: JSON.stringify(client.introspects),
	});
}

/** A client as a list shows it. */
export type ListedClient = Client & {
	/** When someone last allowed it something, or it last asked with what it was allowed. */
	readonly lastUsedAt: number | null;
	/** From where it last asked. */
	readonly lastAddress: string | null;
	/** Living grants. */
	readonly grants: number;
};

/** All clients, the last used first. */
export function listClients(db: Database): readonly ListedClient[] {
	return db
		.query<
			Row & Pick<ListedClient, "lastUsedAt" | "lastAddress" | "grants">,
			[]
		>(
			`SELECT ${COLUMNS}, max(coalesce(last_used_at, 0), coalesce((
				SELECT max(last_used_at) FROM grants g WHERE g.client_id = clients.id), 0)) AS lastUsedAt,
			 (SELECT nullif(last_address, '') FROM grants g WHERE g.client_id = clients.id AND last_used_at IS NOT NULL
				ORDER BY last_used_at DESC LIMIT 1) AS lastAddress,
			 (SELECT count(*) FROM grants g WHERE g.client_id = clients.id AND g.revoked_at IS NULL) AS grants
			 FROM clients ORDER BY lastUsedAt DESC, created_at DESC, id`,
		)
		.all()
		.map(({ lastUsedAt, lastAddress, grants, ...row }) => ({
			...clientOf(row),
			lastUsedAt: lastUsedAt || null,
			lastAddress,
			grants,
		}));
}

/** Whether there is a client that may look at tokens. */
export function hasIntrospector(db: Database): boolean {
	return (
		db
			.query("SELECT 1 FROM clients WHERE introspects <> '[]' LIMIT 1")
			.get() !== null
	);
}

/** Lets a waiting client ask people. Returns whether there was such a client. */
export function approveClient(db: Database, id: string, now: number): boolean {
	return (
		db
			.query(
				"UPDATE clients SET approved_at = coalesce(approved_at, ?) WHERE id = ?",
			)
			.run(now, id).changes > 0
	);
}

/** Forgets a client, with every grant and token of it. Returns whether there was such a client. */
export function deleteClient(db: Database, id: string): boolean {
	return db.query("DELETE FROM clients WHERE id = ?").run(id).changes > 0;
}

function clientOf(row: Row): Client {
	return {
		...row,
		redirectUris: JSON.parse(row.redirectUris) as string[],
		introspects: JSON.parse(row.introspects) as string[],
	};
}

/** Removes the oldest clients that nobody ever allowed anything, beyond the newest `keep` of them. */
export function trimUnusedClients(db: Database, keep: number): void {
	db.query(
		`DELETE FROM clients WHERE id IN (
			SELECT id FROM clients WHERE last_used_at IS NULL AND kind <> 'made' ORDER BY created_at DESC LIMIT -1 OFFSET ?)`,
	).run(keep);
}

/**
 * Removes clients without a grant: those never allowed anything since `unused`, those that wait for an administrator
 * since `waiting`, those last used before `idle`. One that an administrator made stays.
 */
export function deleteIdleClients(
	db: Database,
	since: {
		readonly unused: number;
		readonly waiting: number;
		readonly idle: number;
	},
): void {
	db.query(
		`DELETE FROM clients
		 WHERE kind <> 'made' AND CASE
			WHEN last_used_at IS NOT NULL THEN last_used_at <= $idle
			WHEN approved_at IS NULL THEN created_at <= $waiting
			ELSE approved_at <= $unused END
		   AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.client_id = clients.id)`,
	).run(since);
}
