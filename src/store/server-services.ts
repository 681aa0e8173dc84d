/**
 * The service behind a server whose users sign in there: what an administrator said of it (the client we are, the
 * provider, the scope), and what the server said itself when it refused a call. A server has one or none; one that
 * has none is used without signing in.
 */

import { type Database, transaction } from "./database.ts";
import { SHARED } from "./secrets.ts";

/** Where the client's secret is sealed. */
export type ServiceSecret = {
	readonly serverId: string;
	readonly version: number;
	readonly secret: Uint8Array | null;
};

export type Service = ServiceSecret & {
	/** A name in the provider table; null for a server that says itself where to sign in. */
	readonly provider: string | null;
	/** The only issuer that the given client is good at. */
	readonly issuer: string | null;
	/** The personal slot that the access token fills; null: it is the bearer of every request. */
	readonly slot: string | null;
	/** What to ask for, whatever the server says. */
	readonly scope: string | null;
	/** The client that an administrator registered there. */
	readonly clientId: string | null;
	/** Where the server said that its metadata is. */
	readonly metadataUrl: string | null;
	/** What the server said that it takes. */
	readonly challengeScope: string | null;
};

/** What an administrator decides about a service. */
export type ServiceSettings = Pick<
	Service,
	"provider" | "issuer" | "slot" | "scope" | "clientId"
>;

const COLUMNS = `server_id AS serverId, provider, issuer, slot, scope, client_id AS clientId, version, secret_sealed AS secret,
	metadata_url AS metadataUrl, challenge_scope AS challengeScope`;

/** Owner of a client's secret, bound into its seal: it is the gateway's, not a person's. */
export const SERVICE_OWNER = SHARED;

/** The service of a server, or null. */
export function findService(db: Database, serverId: string): Service | null {
	return db
		.query<Service, [string]>(
			`SELECT ${COLUMNS} FROM services WHERE server_id = ?`,
		)
		.get(serverId);
}

/** Notes that a server wants its users to sign in, and what it said about it. What is null stays as it was known. */
export function noteService(
	db: Database,
	serverId: string,
	said: Pick<Service, "metadataUrl" | "challengeScope">,
	now: number,
): void {
	db.query(
		`INSERT INTO services (server_id, metadata_url, challenge_scope, created_at, updated_at)
		 VALUES ($serverId, $metadataUrl, $challengeScope, $now, $now)
		 ON CONFLICT (server_id) DO UPDATE SET
			metadata_url = coalesce($metadataUrl, metadata_url),
			challenge_scope = coalesce($challengeScope, challenge_scope), updated_at = $now`,
	).run({ serverId, ...said, now });
}

/**
 * Sets what an administrator decides; the client's secret is sealed for the version that it is about to have.
 * @param seal makes the sealed bytes; null takes the secret away
 */
export function setService(
	db: Database,
	serverId: string,
	settings: ServiceSettings,
	seal: ((version: number) => Uint8Array) | null,
	now: number,
): void {
	transaction(db, () => {
		const version = (findService(db, serverId)?.version ?? 0) + 1;
		db.query(
			`INSERT INTO services (server_id, provider, issuer, slot, scope, client_id, version, secret_sealed, created_at, updated_at)
			 VALUES ($serverId, $provider, $issuer, $slot, $scope, $clientId, $version, $secret, $now, $now)
			 ON CONFLICT (server_id) DO UPDATE SET provider = $provider, issuer = $issuer, slot = $slot, scope = $scope,
				client_id = $clientId, version = $version, secret_sealed = $secret, updated_at = $now`,
		).run({
			serverId,
			...settings,
			version,
			secret: seal?.(version) ?? null,
			now,
		});
	});
}

/** The slugs of the servers whose users sign in, in order. */
export function listServiceSlugs(db: Database): readonly string[] {
	return db
		.query<{ slug: string }, []>(
			"SELECT slug FROM services JOIN servers ON servers.id = services.server_id ORDER BY slug",
		)
		.all()
		.map(({ slug }) => slug);
}
