/** Recovery codes: keyed hashes, each of them good once. They are made as a set, and a new set replaces the old. */
import { type Database, transaction } from "./database.ts";

/** Gives a user a new set. */
export function replaceRecoveryCodes(
	db: Database,
	userId: string,
	hashes: readonly Uint8Array[],
): void {
	transaction(db, () => {
		deleteRecoveryCodes(db, userId);
		for (const hash of hashes)
			db.query("INSERT INTO recovery_codes (hash, user_id) VALUES (?, ?)").run(
				hash,
				userId,
			);
	});
}

/** Uses a code up. Returns whether it was one of the user's, and unused. */
export function spendRecoveryCode(
	db: Database,
	userId: string,
	hash: Uint8Array,
	now: number,
): boolean {
	return (
		db
			.query(
				"UPDATE recovery_codes SET used_at = ? WHERE hash = ? AND user_id = ? AND used_at IS NULL",
			)
			.run(now, hash, userId).changes > 0
	);
}

/** How many codes a user has left. */
export function countRecoveryCodes(db: Database, userId: string): number {
	return (
		db
			.query<{ left: number }, [string]>(
				"SELECT count(*) AS left FROM recovery_codes WHERE user_id = ? AND used_at IS NULL",
			)
			.get(userId)?.left ?? 0
	);
}

/** Takes a user's codes away. */
export function deleteRecoveryCodes(db: Database, userId: string): void {
	db.query("DELETE FROM recovery_codes WHERE user_id = ?").run(userId);
}
