/**
 * Passkeys: public keys of authenticators, each of one user, for one host (its relying party id). Also which challenges
 * were answered, because an answer counts once.
 *
 * @see WebAuthn Level 3, 4 "credential record"
 */
import { SallyportError } from "../errors.ts";
import { type Database, transaction } from "./database.ts";

export type Passkey = {
	/** The credential id, base64url. */
	readonly id: string;
	readonly userId: string;
	/** The host it was made for; it works nowhere else. */
	readonly rpId: string;
	readonly name: string;
	/** As a COSE key. */
	readonly publicKey: Uint8Array;
	/** How often it was used, as it says; 0 for one that does not count. */
	readonly counter: number;
	/** A JSON list of hints how a browser reaches it. */
	readonly transports: string;
	readonly createdAt: number;
	readonly lastUsedAt: number | null;
};

const COLUMNS = `id, user_id AS userId, rp_id AS rpId, name, public_key AS publicKey, counter, transports,
	created_at AS createdAt, last_used_at AS lastUsedAt`;
const PASSKEYS_OF_USER_MAX = 20;
const NAME_LENGTH_MAX = 64;

/** Keeps a new passkey. @throws SallyportError `invalid` without a name, `conflict` when it is known or there are too many */
export function createPasskey(
	db: Database,
	passkey: Omit<Passkey, "createdAt" | "lastUsedAt">,
	now: number,
): void {
	const name = passkey.name.trim();
	if (name === "" || name.length > NAME_LENGTH_MAX)
		throw new SallyportError(
			"invalid",
			`a passkey's name has 1 to ${NAME_LENGTH_MAX} characters`,
			{ hint: "name it after what it is on" },
		);
	transaction(db, () => {
		if (findPasskey(db, passkey.id))
			throw new SallyportError("conflict", "this passkey is known already", {
				hint: "sign in with it",
			});
		if (listPasskeys(db, passkey.userId).length >= PASSKEYS_OF_USER_MAX)
			throw new SallyportError(
				"conflict",
				`a person has at most ${PASSKEYS_OF_USER_MAX} passkeys`,
				{ hint: "remove one that is not used" },
			);
		db.query(
			`INSERT INTO passkeys (id, user_id, rp_id, name, public_key, counter, transports, created_at)
			 VALUES ($id, $userId, $rpId, $name, $publicKey, $counter, $transports, $now)`,
		).run({ ...passkey, name, now });
	});
}

/** The passkey of this credential id, or null. */
export function findPasskey(db: Database, id: string): Passkey | null {
	return db
		.query<Passkey, [string]>(`SELECT ${COLUMNS} FROM passkeys WHERE id = ?`)
		.get(id);
}

/** The passkeys of a user, oldest first. */
export function listPasskeys(db: Database, userId: string): readonly Passkey[] {
	return db
		.query<Passkey, [string]>(
			`SELECT ${COLUMNS} FROM passkeys WHERE user_id = +? ORDER BY created_at, id`,
		)
		.all(userId);
}

/** Notes that a passkey was used, and how often it says it was. */
export function touchPasskey(
	db: Database,
	id: string,
	counter: number,
	now: number,
): void {
	db.query(
		"UPDATE passkeys SET counter = ?, last_used_at = ? WHERE id = ?",
	).run(counter, now, id);
}

/** Takes a passkey away, if it is the user's. Returns whether it was. */
export function deletePasskey(
	db: Database,
	userId: string,
	id: string,
): boolean {
	return (
		db
			.query("DELETE FROM passkeys WHERE user_id = ? AND id = ?")
			.run(userId, id).changes > 0
	);
}

/** Takes all of a user's away. */
export function deletePasskeysOf(db: Database, userId: string): void {
	db.query("DELETE FROM passkeys WHERE user_id = ?").run(userId);
}

/** Uses a challenge up. Returns whether it was still unused. */
export function spendChallenge(
	db: Database,
	hash: Uint8Array,
	expiresAt: number,
): boolean {
	return (
		db
			.query(
				"INSERT OR IGNORE INTO spent_challenges (hash, expires_at) VALUES (?, ?)",
			)
			.run(hash, expiresAt).changes > 0
	);
}

/** Forgets challenges that are too old to be answered. */
export function deleteExpiredChallenges(db: Database, now: number): void {
	db.query("DELETE FROM spent_challenges WHERE expires_at <= ?").run(now);
}
