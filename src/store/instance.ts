/**
 * What there is one of: named settings, and the wrapped keys of the vault's keyring.
 * It knows nothing of what a key opens: a wrapped key is bytes here.
 */
import { mintId } from "../mint.ts";
import { type Database, transaction } from "./database.ts";

/** One wrapped key of the keyring; the same shape that the vault speaks of. */
type KeyRow = {
	readonly keyId: number;
	readonly purpose: "data" | "mac";
	readonly wrapped: Uint8Array;
	readonly state: "active" | "decrypt" | "retired";
	readonly createdAt: number;
};

/** The value of a setting, or null when it was never set. */
export function findSetting(db: Database, name: string): string | null {
	return (
		db
			.query<{ value: string }, [string]>(
				"SELECT value FROM instance WHERE name = ?",
			)
			.get(name)?.value ?? null
	);
}

/** Sets a setting, replacing what was there. */
export function setSetting(db: Database, name: string, value: string): void {
	db.query(
		`INSERT INTO instance (name, value) VALUES (?, ?)
		 ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
	).run(name, value);
}

/** All keys of the keyring, oldest first; empty in a new store. */
export function listKeyring(db: Database): readonly KeyRow[] {
	return db
		.query<KeyRow, []>(
			`SELECT key_id AS keyId, purpose, wrapped, state, created_at AS createdAt
			 FROM keyring ORDER BY key_id`,
		)
		.all();
}

/** Puts a keyring in the place of the one that is there: its keys with their new wrappings and states, and new ones. */
export function putKeyring(db: Database, keys: readonly KeyRow[]): void {
	transaction(db, () => {
		for (const key of keys)
			db.query(
				`INSERT INTO keyring (key_id, purpose, wrapped, state, created_at)
				 VALUES (?, ?, ?, ?, ?)
				 ON CONFLICT (key_id) DO UPDATE SET wrapped = excluded.wrapped, state = excluded.state`,
			).run(key.keyId, key.purpose, key.wrapped, key.state, key.createdAt);
	});
}

/** Adds keys to the keyring, all or none. @throws when a key id is taken: a key is never overwritten */
export function insertKeyring(db: Database, keys: readonly KeyRow[]): void {
	transaction(db, () => {
		for (const key of keys)
			db.query(
				`INSERT INTO keyring (key_id, purpose, wrapped, state, created_at)
				 VALUES (?, ?, ?, ?, ?)`,
			).run(key.keyId, key.purpose, key.wrapped, key.state, key.createdAt);
	});
}

/** Takes a setting away. */
export function clearSetting(db: Database, name: string): void {
	db.query("DELETE FROM instance WHERE name = ?").run(name);
}

/** The id of this gateway: made once, the same over every restore. Public. */
export function requireInstanceId(db: Database): string {
	const known = findSetting(db, "instance_id");
	if (known !== null) return known;
	const fresh = mintId("ins");
	setSetting(db, "instance_id", fresh);
	return fresh;
}
