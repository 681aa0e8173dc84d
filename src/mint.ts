/**
 * Opaque credentials and ids: the only randomness outside the vault.
 *
 * A credential is `prefix + 32 random bytes in base64url + 6 characters of checksum` (contract.md 5). The prefix
 * lets a secret scanner find it, the checksum lets us refuse a typo or a made-up one without touching the store.
 * It says nothing of whether the credential is good: that is a row in the store.
 */
import { hash, randomBytes, randomInt } from "node:crypto";

const CREDENTIALS = {
	access: "sp_at_",
	refresh: "sp_rt_",
	code: "sp_ac_",
	apiKey: "sp_ak_",
	setup: "sp_su_",
	invite: "sp_in_",
	clientSecret: "sp_cs_",
	login: "sp_li_",
	halfLogin: "sp_lh_",
	mcpSession: "sp_ms_",
	deviceCode: "sp_dc_",
} as const;

export type CredentialKind = keyof typeof CREDENTIALS;

/** A credential in clear that has the right shape; only ever in memory, and shown to its owner once. */
export type Credential = string & { readonly __credential: CredentialKind };

const BODY = /^[A-Za-z0-9_-]{43}[A-Za-z0-9_-]{6}$/;
const BODY_LENGTH = 49;

/** A fresh credential of this kind: 256 random bits. */
export function mintCredential(kind: CredentialKind): Credential {
	const body = randomBytes(32).toString("base64url");
	return `${CREDENTIALS[kind]}${body}${checksum(kind, body)}` as Credential;
}

/** Reads what claims to be a credential of this kind; null when its shape or checksum is wrong. */
export function parseCredential(
	kind: CredentialKind,
	text: string,
): Credential | null {
	const prefix = CREDENTIALS[kind];
	if (text.length !== prefix.length + BODY_LENGTH || !text.startsWith(prefix))
		return null;
	const rest = text.slice(prefix.length);
	if (!BODY.test(rest)) return null;
	return rest.slice(43) === checksum(kind, rest.slice(0, 43))
		? (text as Credential)
		: null;
}

/** Which kind of credential a text looks like, by its prefix alone. */
export function credentialKind(text: string): CredentialKind | null {
	for (const [kind, prefix] of Object.entries(CREDENTIALS)) {
		if (text.startsWith(prefix)) return kind as CredentialKind;
	}
	return null;
}

export type IdKind =
	| "usr"
	| "cli"
	| "grt"
	| "srv"
	| "key"
	| "sec"
	| "req"
	| "ins"
	| "lgn"
	| "tls"
	| "con";

/** 96 bits in base64url, which takes 12 bytes for every 16 characters. */
const ID_LENGTH = 16;
const POOL_BYTES = 12 * 256;
/** Random characters drawn ahead for ids, which are public: every request gets one. Credentials draw their own. */
let pool = "";
let taken = 0;

/** A fresh id that says its kind: `usr_` and 96 random bits. Ids are public and never reused. */
export function mintId(kind: IdKind): string {
	if (taken === pool.length) {
		pool = randomBytes(POOL_BYTES).toString("base64url");
		taken = 0;
	}
	taken += ID_LENGTH;
	return `${kind}_${pool.slice(taken - ID_LENGTH, taken)}`;
}

/** Consonants that are not mistaken for each other, and spell no words (RFC 8628 6.1). */
const USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
const USER_CODE_LENGTH = 8;

/** A fresh code for a person to type, `BCDF-GHJK`: 34 random bits. */
export function mintUserCode(): string {
	const letters = Array.from(
		{ length: USER_CODE_LENGTH },
		() => USER_CODE_LETTERS[randomInt(USER_CODE_LETTERS.length)],
	).join("");
	return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}

/** Random bytes for a key or a salt that lives in a file of its own. */
export function mintBytes(length: number): Uint8Array {
	return randomBytes(length);
}

/** `bytes` random bytes in base64url, for one-off values that are not stored credentials (a CSRF nonce, a state). */
export function mintNonce(bytes = 16): string {
	return randomBytes(bytes).toString("base64url");
}

/** Crockford's 32 characters: none of them is taken for another when it is written down. */
const WRITTEN = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** A code that a person writes down, `XXXXX-XXXXX`: 50 random bits. */
export function mintRecoveryCode(): string {
	const text = [...randomBytes(10)].map((byte) => WRITTEN[byte & 31]).join("");
	return `${text.slice(0, 5)}-${text.slice(5)}`;
}

function checksum(kind: CredentialKind, body: string): string {
	const text = `${CREDENTIALS[kind]}${body}`;
	return hash("sha256", text, "base64url").slice(0, 6);
}
