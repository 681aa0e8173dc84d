/**
 * API keys: for scripts, and for MCP clients without a browser. A key acts as its user and ends when it is revoked
 * or its user is disabled. Only its keyed hash is here.
 */
import type { Role } from "../caller.ts";
import { SallyportError } from "../errors.ts";
import { mintId } from "../mint.ts";
import type { Database } from "./database.ts";

export type ApiKey = {
	readonly id: string;
	readonly userId: string;
	readonly email: string;
	readonly name: string;
	readonly createdAt: number;
	readonly lastUsedAt: number | null;
};

/** Who a key speaks for. */
type KeyHolder = {
	readonly id: string;
	readonly userId: string;
	readonly role: Role;
};

const COLUMNS = `k.id, k.user_id AS userId, u.email, k.name,
	k.created_at AS createdAt, k.last_used_at AS lastUsedAt`;

/** A user has at most this many living keys. */
const KEYS_OF_USER_MAX = 100;
const NAME_LENGTH_MAX = 64;

/** Keeps a new key under its hash. @throws SallyportError `invalid` without a name, `conflict` with too many keys */
export function createApiKey(
	db: Database,
	hash: Uint8Array,
	fields: { readonly userId: string; readonly name: string },
	now: number,
): ApiKey {
	const name = fields.name.trim();
	if (name.length === 0 || name.length > NAME_LENGTH_MAX)
		throw new SallyportError(
			"invalid",
			`a key's name has 1 to ${NAME_LENGTH_MAX} characters`,
			{ hint: "name it after what will use it" },
		);
	if (listApiKeys(db, fields.userId).length >= KEYS_OF_USER_MAX)
		throw new SallyportError(
			"conflict",
			`a user has at most ${KEYS_OF_USER_MAX} keys`,
			{ hint: "revoke one that is not used: sallyport keys revoke" },
		);
	const id = mintId("key");
	db.query(
		"INSERT INTO api_keys (id, hash, user_id, name, created_at) VALUES (?, ?, ?, ?, ?)",
	).run(id, hash, fields.userId, name, now);
	return db
		.query<ApiKey, [string]>(
			`SELECT ${COLUMNS} FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.id = +?`,
		)
		.get(id) as ApiKey;
}

/** Living keys, of one user or of all, oldest first. */
export function listApiKeys(db: Database, userId?: string): readonly ApiKey[] {
	return db
		.query<ApiKey, [string | null]>(
			`SELECT ${COLUMNS} FROM api_keys k JOIN users u ON u.id = k.user_id
			 WHERE k.revoked_at IS NULL AND k.user_id = coalesce(?, k.user_id) ORDER BY k.created_at, k.id`,
		)
		.all(userId ?? null);
}

/** Ends a key. @param userId only if it is this user's @throws SallyportError `not_found` */
export function revokeApiKey(
	db: Database,
	id: string,
	now: number,
	userId?: string,
): void {
	const { changes } = db
		.query(
			`UPDATE api_keys SET revoked_at = ?
			 WHERE id = ? AND revoked_at IS NULL AND user_id = coalesce(?, user_id)`,
		)
		.run(now, id, userId ?? null);
	if (changes === 0)
		throw new SallyportError("not_found", `there is no key ${id}`, {
			hint: "see them with: sallyport keys list",
		});
}

/** Ends every key of a user. */
export function revokeApiKeysOf(
	db: Database,
	userId: string,
	now: number,
): void {
	db.query(
		"UPDATE api_keys SET revoked_at = ? WHERE user_id = ? AND revoked_at IS NULL",
	).run(now, userId);
}

/** Whom the key of this hash speaks for; null when it is unknown, revoked, or its user is disabled. */
export function findApiKey(db: Database, hash: Uint8Array): KeyHolder | null {
	return db
		.query<KeyHolder, [Uint8Array]>(
			`SELECT k.id, k.user_id AS userId, u.role FROM api_keys k JOIN users u ON u.id = k.user_id
			 WHERE k.hash = +? AND k.revoked_at IS NULL AND u.disabled_at IS NULL`,
		)
		.get(hash);
}

/** Whether a key still works, by its id. */
export function isApiKeyAlive(db: Database, id: string): boolean {
	return (
		db
			.query<unknown, [string]>(
				`SELECT 1 FROM api_keys k JOIN users u ON u.id = k.user_id
				 WHERE k.id = +? AND k.revoked_at IS NULL AND u.disabled_at IS NULL`,
			)
			.get(id) !== null
	);
}

/** Notes when keys were last used, many at once. */
export function touchApiKeys(
	db: Database,
	usedAt: ReadonlyMap<string, number>,
): void {
	for (const [id, at] of usedAt)
		db.query("UPDATE api_keys SET last_used_at = ? WHERE id = ?").run(at, id);
}
