/**
 * Codes of an authenticator app: six digits, SHA-1, thirty seconds, which is what every app can do. A code is good in
 * its own interval and the ones beside it, and none is taken twice. The seed is sealed; until a first code proves that
 * the app has it, it travels with the page, sealed too, and nothing is kept.
 *
 * @see RFC 6238 4 and 5.2, RFC 4226 5.3
 */
import { Secret, TOTP } from "otpauth";
import type { Clock } from "../clock.ts";
import { mintNonce } from "../mint.ts";
import type { Database } from "../store/database.ts";
import { findTotp, putTotp, spendCounter } from "../store/totp.ts";
import type { Place, Vault } from "../vault.ts";

type TotpDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
};

/** RFC 4226 4: 160 bits are recommended. */
const SEED_BYTES = 20;
/** Intervals before and after this one whose codes are taken: clocks differ, and people type slowly. */
const WINDOW = 1;

/** What a person puts into their app. */
export type TotpOffer = {
	/** The seed, sealed to this user; to be handed back with the first code. */
	readonly handle: string;
	/** For a picture to scan. */
	readonly uri: string;
	/** To type, in groups of four. */
	readonly key: string;
};

/** A fresh seed for a user, or the one of an earlier offer. @param label what the app calls this gateway */
export function offerTotp(
	deps: Pick<TotpDeps, "vault">,
	user: { readonly id: string; readonly email: string },
	label: string,
	earlier: string | null = null,
): TotpOffer {
	const known = earlier === null ? null : openOffer(deps, user.id, earlier);
	const seed = known ?? seedOf(Buffer.from(mintNonce(SEED_BYTES), "base64url"));
	return {
		handle: deps.vault.sealHandle(purposeOf(user.id), seed),
		uri: appOf(seed, { issuer: label, label: user.email }).toString(),
		key: seed.replace(/(.{4})(?=.)/g, "$1 "),
	};
}

/** Keeps an offered seed if the code is its app's. Returns whether it was. */
export function confirmTotp(
	deps: TotpDeps,
	userId: string,
	handle: string,
	code: string,
): boolean {
	const seed = openOffer(deps, userId, handle);
	const counter = seed === null ? null : counterOf(deps, seed, code);
	if (seed === null || counter === null) return false;
	const sealed = deps.vault.seal(totpPlace(userId), seed);
	putTotp(deps.db, userId, { sealed, counter }, deps.clock.now());
	return true;
}

/** Whether a code is the user's app's, and was not taken before. It is used up. */
export function spendTotp(
	deps: TotpDeps,
	userId: string,
	code: string,
): boolean {
	const kept = findTotp(deps.db, userId);
	if (!kept) return false;
	const seed = deps.vault.open(totpPlace(userId), kept.sealed);
	const counter = counterOf(deps, seed, code);
	return counter !== null && spendCounter(deps.db, userId, counter);
}

/** The interval that a code belongs to, of those that are good now; null for none. */
function counterOf(
	deps: Pick<TotpDeps, "clock">,
	seed: string,
	code: string,
): number | null {
	const timestamp = deps.clock.now() * 1000;
	const app = appOf(seed);
	const token = code.replace(/\s/g, "");
	if (!/^\d{6}$/.test(token)) return null;
	const delta = app.validate({ token, timestamp, window: WINDOW });
	return delta === null ? null : app.counter({ timestamp }) + delta;
}

function appOf(
	seed: string,
	names: { readonly issuer?: string; readonly label?: string } = {},
): TOTP {
	return new TOTP({ ...names, secret: Secret.fromBase32(seed) });
}

function seedOf(bytes: Buffer): string {
	return new Secret({ buffer: new Uint8Array(bytes).buffer }).base32;
}

function openOffer(
	deps: Pick<TotpDeps, "vault">,
	userId: string,
	handle: string,
): string | null {
	return deps.vault.openHandle(purposeOf(userId), handle);
}

function purposeOf(userId: string): string {
	return `totp offer/${userId}`;
}

/** Where the sealed seed of a user lives. */
export function totpPlace(userId: string): Place {
	return {
		table: "totp",
		column: "sealed",
		row: userId,
		owner: userId,
		version: 1,
	};
}
