/**
 * Sealed values of secret slots, one for each owner: a user's id, or `shared`.
 * What is in them is the vault's matter. A value is sealed for its row and version, so both are handed out before it
 * is written.
 */
import { SallyportError } from "../errors.ts";
import { mintId } from "../mint.ts";
import { type Database, transaction } from "./database.ts";

export const SHARED = "shared";

/** Where a value is kept; all of it is bound into the seal. */
export type SecretPlace = {
	readonly id: string;
	/** `shared`, or a user's id. */
	readonly owner: string;
	readonly version: number;
};

export type SecretRow = SecretPlace & {
	readonly slot: string;
	readonly sealed: Uint8Array;
	readonly updatedAt: number;
};

const COLUMNS = "id, slot, owner, version, sealed, updated_at AS updatedAt";

/** The value of a slot for one owner, or null. */
export function findSecret(
	db: Database,
	serverId: string,
	slot: string,
	owner: string,
): SecretRow | null {
	return db
		.query<SecretRow, [string, string, string]>(
			`SELECT ${COLUMNS} FROM secrets WHERE server_id = ? AND slot = ? AND owner = ?`,
		)
		.get(serverId, slot, owner);
}

/** The values of a server's slots, of all owners. */
export function listSecrets(
	db: Database,
	serverId: string,
): readonly SecretRow[] {
	return db
		.query<SecretRow, [string]>(
			`SELECT ${COLUMNS} FROM secrets WHERE server_id = +? ORDER BY slot, owner`,
		)
		.all(serverId);
}

/**
 * Sets a slot's value for one owner, in place of what was there.
 * @param seal makes the sealed bytes for the place they are about to have
 * @throws SallyportError `not_found` when the server does not declare the slot, or there is no such user
 */
export function setSecret(
	db: Database,
	secret: {
		readonly serverId: string;
		readonly slot: string;
		readonly owner: string;
	},
	now: number,
	seal: (place: SecretPlace) => Uint8Array,
): SecretRow {
	const { serverId, slot, owner } = secret;
	return transaction(db, () => {
		const known = findSecret(db, serverId, slot, owner);
		if (!known) refuseUnknown(db, secret);
		const place: SecretPlace = {
			id: known?.id ?? mintId("sec"),
			owner,
			version: (known?.version ?? 0) + 1,
		};
		const sealed = seal(place);
		db.query(
			`INSERT INTO secrets (id, server_id, slot, owner, user_id, version, sealed, updated_at)
			 VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			 ON CONFLICT (id) DO UPDATE SET version = excluded.version, sealed = excluded.sealed,
				updated_at = excluded.updated_at`,
		).run(
			place.id,
			serverId,
			slot,
			owner,
			owner === SHARED ? null : owner,
			place.version,
			sealed,
			now,
		);
		return { ...place, slot, sealed, updatedAt: now };
	});
}

/** Removes a slot's value for one owner. Returns whether there was one. */
export function deleteSecret(
	db: Database,
	serverId: string,
	slot: string,
	owner: string,
): boolean {
	return (
		db
			.query(
				"DELETE FROM secrets WHERE server_id = ? AND slot = ? AND owner = ?",
			)
			.run(serverId, slot, owner).changes > 0
	);
}

function refuseUnknown(
	db: Database,
	{
		serverId,
		slot,
		owner,
	}: {
		readonly serverId: string;
		readonly slot: string;
		readonly owner: string;
	},
): void {
	const declared = db
		.query("SELECT 1 FROM slots WHERE server_id = ? AND name = ?")
		.get(serverId, slot);
	if (!declared)
		throw new SallyportError(
			"not_found",
			`the server declares no secret named ${slot}`,
			{ hint: "see its slots: sallyport servers show SLUG" },
		);
	if (
		owner !== SHARED &&
		!db.query("SELECT 1 FROM users WHERE id = ?").get(owner)
	)
		throw new SallyportError("not_found", "there is no such user");
}
