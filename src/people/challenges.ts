/**
 * Challenges for authenticators: texts that only we can have made, each for one browser, purpose and five minutes.
 * Asking for one leaves nothing behind, so strangers cannot fill the store; answering one uses it up there.
 *
 * @see WebAuthn Level 3, 13.4.3 "Cryptographic Challenges"
 */
import { timingSafeEqual } from "node:crypto";
import type { Clock } from "../clock.ts";
import { mintNonce } from "../mint.ts";
import type { Database } from "../store/database.ts";
import { spendChallenge } from "../store/passkeys.ts";
import type { Vault } from "../vault.ts";

type ChallengeDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
};

/** What a challenge is for, and for which browser; an answer to any other is refused. */
export type Occasion = {
	readonly purpose: "register" | "sign in" | "second factor" | "prove";
	/** What forms of this browser are bound to. */
	readonly binding: string;
};

const CHALLENGE_SECONDS = 5 * 60;

/** A fresh challenge, base64url. */
export function mintChallenge(
	deps: Omit<ChallengeDeps, "db">,
	occasion: Occasion,
): string {
	const issuedAt = deps.clock.now().toString(36);
	const nonce = mintNonce();
	const mac = macOf(deps, occasion, issuedAt, nonce).toString("base64url");
	return Buffer.from(`${issuedAt}.${nonce}.${mac}`).toString("base64url");
}

/** Whether a challenge was made for this occasion, at most five minutes ago. */
export function isChallenge(
	deps: Omit<ChallengeDeps, "db">,
	occasion: Occasion,
	challenge: string,
): boolean {
	const [, issuedAt = "", nonce = "", mac = ""] =
		/^([0-9a-z]{1,10})\.([\w-]{22})\.([\w-]{43})$/.exec(
			Buffer.from(challenge, "base64url").toString(),
		) ?? [];
	const expected = macOf(deps, occasion, issuedAt, nonce);
	const given = Buffer.from(mac, "base64url");
	const age = deps.clock.now() - Number.parseInt(issuedAt, 36);
	return (
		given.length === expected.length &&
		timingSafeEqual(given, expected) &&
		age >= 0 &&
		age < CHALLENGE_SECONDS
	);
}

/** Uses a challenge up. Returns whether this was the first answer to it. */
export function answerChallenge(
	deps: ChallengeDeps,
	challenge: string,
): boolean {
	return spendChallenge(
		deps.db,
		deps.vault.mac(`answered challenge/${challenge}`),
		deps.clock.now() + CHALLENGE_SECONDS,
	);
}

function macOf(
	deps: Pick<ChallengeDeps, "vault">,
	{ purpose, binding }: Occasion,
	issuedAt: string,
	nonce: string,
): Buffer {
	const text = ["webauthn/v1", purpose, binding, issuedAt, nonce].join("\n");
	return Buffer.from(deps.vault.mac(text));
}
