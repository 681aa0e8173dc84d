/** Which second factors a person has. Recovery codes are none by themselves: they stand in for the others. */
import type { Database } from "../store/database.ts";
import { listPasskeys } from "../store/passkeys.ts";
import { findTotp } from "../store/totp.ts";

export type SecondFactors = {
	readonly app: boolean;
	readonly passkeys: number;
};

/** What a user could be asked for beside their password. */
export function findSecondFactors(db: Database, userId: string): SecondFactors {
	return {
		app: findTotp(db, userId) !== null,
		passkeys: listPasskeys(db, userId).length,
	};
}

/** Whether a password alone does not sign this user in. */
export function hasSecondFactor(db: Database, userId: string): boolean {
	const { app, passkeys } = findSecondFactors(db, userId);
	return app || passkeys > 0;
}
