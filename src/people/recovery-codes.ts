/** Recovery codes: for whoever lost their second factor. Ten of fifty bits, each good once, kept as keyed hashes. */
import type { Clock } from "../clock.ts";
import { mintRecoveryCode } from "../mint.ts";
import type { Database } from "../store/database.ts";
import {
	replaceRecoveryCodes,
	spendRecoveryCode,
} from "../store/recovery-codes.ts";
import type { Vault } from "../vault.ts";

type CodeDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
};

export const RECOVERY_CODES = 10;
const CODE_LENGTH = 10;

/** Makes a user's codes anew; this is the only time they are seen. */
export function makeRecoveryCodes(
	deps: Omit<CodeDeps, "clock">,
	userId: string,
): readonly string[] {
	const codes = Array.from({ length: RECOVERY_CODES }, mintRecoveryCode);
	replaceRecoveryCodes(
		deps.db,
		userId,
		codes.map((code) => hashOf(deps, userId, normalize(code))),
	);
	return codes;
}

/** Whether this is one of the user's codes, however it is written. It is used up. */
export function takeRecoveryCode(
	deps: CodeDeps,
	userId: string,
	text: string,
): boolean {
	const code = normalize(text);
	return (
		code.length === CODE_LENGTH &&
		spendRecoveryCode(
			deps.db,
			userId,
			hashOf(deps, userId, code),
			deps.clock.now(),
		)
	);
}

/** Crockford's reading: case, spaces and hyphens do not matter, nor O for 0 and I or L for 1. */
function normalize(text: string): string {
	return text
		.toUpperCase()
		.replace(/[\s-]/g, "")
		.replaceAll("O", "0")
		.replace(/[IL]/g, "1");
}

function hashOf(
	deps: Pick<CodeDeps, "vault">,
	userId: string,
	code: string,
): Uint8Array {
	return deps.vault.mac(`recovery code/${userId}/${code}`);
}
