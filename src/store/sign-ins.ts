/**
 * Sign-ins under way: a browser was sent to an authorization server and is to come back with the same state, once,
 * within minutes, under the same login. What must not be told to anyone meanwhile (the code verifier) is sealed.
 */
import { type Database, transaction } from "./database.ts";

export type SignIn = {
	readonly stateHash: Uint8Array;
	readonly loginHash: Uint8Array;
	readonly userId: string;
	readonly serverId: string;
	/** The request that was made, sealed. */
	readonly request: Uint8Array;
	readonly expiresAt: number;
};

/** Sign-ins of one login at once; the oldest gives way. */
const PER_LOGIN_MAX = 50;

/** Keeps a sign-in until its browser is back. */
export function createSignIn(db: Database, signIn: SignIn): void {
	transaction(db, () => {
		db.query(
			`INSERT INTO sign_ins (state_hash, login_hash, user_id, server_id, request_sealed, expires_at)
			 VALUES ($stateHash, $loginHash, $userId, $serverId, $request, $expiresAt)`,
		).run(signIn);
		db.query(
			`DELETE FROM sign_ins WHERE state_hash IN (
				SELECT state_hash FROM sign_ins WHERE login_hash = +? ORDER BY expires_at DESC LIMIT -1 OFFSET ?)`,
		).run(signIn.loginHash, PER_LOGIN_MAX);
	});
}

/**
 * Takes the sign-in of this state, which is then used up. Null when there is none, it is too old, or it began under
 * another login or for another server; a stranger who tries does not use it up.
 */
export function takeSignIn(
	db: Database,
	key: Pick<SignIn, "stateHash" | "loginHash" | "serverId">,
	now: number,
): SignIn | null {
	const row = db
		.query<SignIn, [Uint8Array, Uint8Array, string]>(
			`DELETE FROM sign_ins WHERE state_hash = ? AND login_hash = ? AND server_id = ?
			 RETURNING state_hash AS stateHash, login_hash AS loginHash, user_id AS userId, server_id AS serverId,
				request_sealed AS request, expires_at AS expiresAt`,
		)
		.get(key.stateHash, key.loginHash, key.serverId);
	return row && row.expiresAt > now ? row : null;
}

/** Removes the sign-ins whose browsers never came back. */
export function deleteExpiredSignIns(db: Database, now: number): void {
	db.query("DELETE FROM sign_ins WHERE expires_at <= ?").run(now);
}
