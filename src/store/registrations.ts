/**
 * Who we are at the authorization servers that let us register (RFC 7591): one client for each server and issuer, so
 * that what one issuer gave us is never shown to another.
 */
import type { Database } from "./database.ts";

export type Registration = {
	readonly serverId: string;
	readonly issuer: string;
	readonly clientId: string;
	readonly authMethod: "none" | "client_secret_basic" | "client_secret_post";
	/** The one it was registered for; another address of ours needs another registration. */
	readonly redirectUri: string;
	readonly version: number;
	readonly secret: Uint8Array | null;
	/** When the secret ends; null: never. */
	readonly expiresAt: number | null;
};

/** The registration at this issuer, for this server and redirect URI, if its secret is still good. */
export function findRegistration(
	db: Database,
	key: Pick<Registration, "serverId" | "issuer" | "redirectUri">,
	now: number,
): Registration | null {
	return db
		.query<Registration, [string, string, string, number]>(
			`SELECT server_id AS serverId, issuer, client_id AS clientId, auth_method AS authMethod,
				redirect_uri AS redirectUri, version, secret_sealed AS secret, expires_at AS expiresAt
			 FROM registrations
			 WHERE server_id = ? AND issuer = ? AND redirect_uri = ? AND (expires_at IS NULL OR expires_at > ?)`,
		)
		.get(key.serverId, key.issuer, key.redirectUri, now);
}

/** Keeps a registration, in place of an earlier one at the same issuer. */
export function putRegistration(
	db: Database,
	registration: Registration,
	now: number,
): void {
	db.query(
		`INSERT OR REPLACE INTO registrations
			(server_id, issuer, client_id, auth_method, redirect_uri, version, secret_sealed, created_at, expires_at)
		 VALUES ($serverId, $issuer, $clientId, $authMethod, $redirectUri, $version, $secret, $now, $expiresAt)`,
	).run({ ...registration, now });
}

/** Forgets a registration that the issuer does not know any more. */
export function deleteRegistration(
	db: Database,
	serverId: string,
	issuer: string,
): void {
	db.query("DELETE FROM registrations WHERE server_id = ? AND issuer = ?").run(
		serverId,
		issuer,
	);
}
