/**
 * OAuth clients: those that registered themselves (RFC 7591), and those whose id is the URL of their own document.
 * A document's row is a cache of it with an instant at which it must be read again. Names and redirect URIs were
 * judged before they came here; a secret is here only as a keyed hash.
 */
import type { Database } from "./database.ts";

export type ClientAuthMethod =
	| "none"
	| "client_secret_basic"
	| "client_secret_post";

export type Client = {
	readonly id: string;
	readonly kind: "registered" | "document";
	readonly name: string;
	readonly redirectUris: readonly string[];
	readonly authMethod: ClientAuthMethod;
	readonly secretHash: Uint8Array | null;
	readonly createdAt: number;
	/** When a document must be read again; null for a registered client. */
	readonly expiresAt: number | null;
};

type Row = Omit<Client, "redirectUris"> & { readonly redirectUris: string };

/** The client of this id, or null. */
export function findClient(db: Database, id: string): Client | null {
	const row = db
		.query<Row, [string]>(
			`SELECT id, kind, name, redirect_uris AS redirectUris, auth_method AS authMethod,
			        secret_hash AS secretHash, created_at AS createdAt, expires_at AS expiresAt
			 FROM clients WHERE id = ?`,
		)
		.get(id);
	return row
		? { ...row, redirectUris: JSON.parse(row.redirectUris) as string[] }
		: null;
}

/** Keeps a client; a document that was read again replaces what was known of it, its grants stay. */
export function putClient(db: Database, client: Client): void {
	db.query(
		`INSERT INTO clients (id, kind, name, redirect_uris, auth_method, secret_hash, created_at, expires_at)
		 VALUES ($id, $kind, $name, $redirectUris, $authMethod, $secretHash, $createdAt, $expiresAt)
		 ON CONFLICT (id) DO UPDATE SET name = excluded.name, redirect_uris = excluded.redirect_uris,
			expires_at = excluded.expires_at`,
	).run({ ...client, redirectUris: JSON.stringify(client.redirectUris) });
}

/** Removes the oldest clients that nobody ever allowed anything, beyond the newest `keep` of them. */
export function trimUnusedClients(db: Database, keep: number): void {
	db.query(
		`DELETE FROM clients WHERE id IN (
			SELECT id FROM clients WHERE last_used_at IS NULL ORDER BY created_at DESC LIMIT -1 OFFSET ?)`,
	).run(keep);
}

/** Removes clients without a grant: those never allowed anything since `unusedSince`, those last used before `idleSince`. */
export function deleteIdleClients(
	db: Database,
	unusedSince: number,
	idleSince: number,
): void {
	db.query(
		`DELETE FROM clients
		 WHERE (last_used_at IS NULL AND created_at <= ? OR last_used_at <= ?)
		   AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.client_id = clients.id)`,
	).run(unusedSince, idleSince);
}
