/**
 * Passkeys: what a browser is asked for, and whether what it answers is good. By itself a passkey signs in when the
 * authenticator verified its person; beside a password it is enough that they touched it.
 * A passkey is of one host. A counter that goes back is told to its person and is no failure: passkeys that are kept
 * in several devices do not count.
 *
 * @see WebAuthn Level 3, 7.1 and 7.2
 */
import type {
	AuthenticationResponseJSON,
	RegistrationResponseJSON,
} from "@simplewebauthn/server";
import * as z from "zod";
import type { Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { type Database, transaction } from "../store/database.ts";
import { addNotice } from "../store/notices.ts";
import {
	createPasskey,
	findPasskey,
	listPasskeys,
	type Passkey,
	touchPasskey,
} from "../store/passkeys.ts";
import { findUser, type User } from "../store/users.ts";
import type { Vault } from "../vault.ts";
import {
	answerChallenge,
	isChallenge,
	mintChallenge,
	type Occasion,
} from "./challenges.ts";

type PasskeyDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
	/** The public origin. */
	readonly issuer: string;
};

/** What a page hands to `navigator.credentials`, as JSON (WebAuthn 5.1.8 to 5.1.10). */
export type CredentialOptions = Readonly<Record<string, unknown>>;

const TIMEOUT_MS = 5 * 60 * 1000;
const TRANSPORTS_MAX = 10;
const ANSWER_LENGTH_MAX = 12 * 1024;
/** EdDSA, ES256, RS256 (IANA COSE Algorithms). */
const ALGORITHMS = [-8, -7, -257];

/** The host that passkeys are made for; null where there can be none, because the gateway has only an address. */
export function passkeyHost(issuer: string): string | null {
	const { hostname } = new URL(issuer);
	return /^[\d.]+$|^\[/.test(hostname) ? null : hostname;
}

/** Whether a passkey works at this gateway's present host. */
export function worksHere(
	deps: Pick<PasskeyDeps, "issuer">,
	passkey: Passkey,
): boolean {
	return passkey.rpId === passkeyHost(deps.issuer);
}

/** Asks for a new passkey. */
export function registrationOptions(
	deps: PasskeyDeps,
	binding: string,
	user: Pick<User, "id" | "email">,
): CredentialOptions {
	const rpId = requireHost(deps);
	return {
		challenge: mintChallenge(deps, { purpose: "register", binding }),
		rp: { id: rpId, name: `sallyport ${rpId}` },
		user: {
			id: Buffer.from(user.id).toString("base64url"),
			name: user.email,
			displayName: user.email,
		},
		pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: "public-key", alg })),
		timeout: TIMEOUT_MS,
		attestation: "none",
		authenticatorSelection: {
			residentKey: "preferred",
			userVerification: "preferred",
		},
		excludeCredentials: descriptorsOf(listPasskeys(deps.db, user.id)),
	};
}

/** Asks for a passkey that is there: any for a sign-in by itself, else one of this user's. */
export function assertionOptions(
	deps: PasskeyDeps,
	occasion: Occasion,
	userId: string | null,
): CredentialOptions {
	return {
		challenge: mintChallenge(deps, occasion),
		rpId: requireHost(deps),
		timeout: TIMEOUT_MS,
		userVerification:
			occasion.purpose === "second factor" ? "preferred" : "required",
		allowCredentials:
			userId === null
				? []
				: descriptorsOf(
						listPasskeys(deps.db, userId).filter((passkey) =>
							worksHere(deps, passkey),
						),
					),
	};
}

/** Keeps a new passkey. @throws SallyportError `invalid` when the answer is not good, `conflict` when it is known */
export async function registerPasskey(
	deps: PasskeyDeps,
	binding: string,
	userId: string,
	given: { readonly name: string; readonly answer: string },
): Promise<void> {
	const rpId = requireHost(deps);
	const answer = parseAnswer(given.answer) as unknown as
		| RegistrationResponseJSON
		| undefined;
	if (!answer) throw badAnswer();
	const occasion = { purpose: "register", binding } as const;
	let challenge = "";
	const { verifyRegistrationResponse } = await loadVerifiers();
	const { registrationInfo } = await verifyRegistrationResponse({
		response: answer,
		expectedChallenge: (text) => {
			challenge = text;
			return isChallenge(deps, occasion, text);
		},
		expectedOrigin: deps.issuer,
		expectedRPID: rpId,
		requireUserVerification: false,
		supportedAlgorithmIDs: ALGORITHMS,
	}).catch((cause: unknown) => {
		throw badAnswer(cause);
	});
	if (!registrationInfo) throw badAnswer();
	const { credential } = registrationInfo;
	transaction(deps.db, () => {
		if (!answerChallenge(deps, challenge)) throw badAnswer();
		createPasskey(
			deps.db,
			{
				id: credential.id,
				userId,
				rpId,
				name: given.name,
				publicKey: credential.publicKey,
				counter: credential.counter,
				transports: JSON.stringify(
					(credential.transports ?? []).slice(0, TRANSPORTS_MAX),
				),
			},
			deps.clock.now(),
		);
	});
}

/**
 * Whose passkey answered, or null when the answer is not good: another origin or host, a challenge that is not ours,
 * too old or used, a signature that is not its key's, another user's passkey, nobody verified where that is asked.
 * @param userId whose it must be; null for a sign-in by itself
 */
export async function judgePasskey(
	deps: PasskeyDeps,
	occasion: Occasion,
	userId: string | null,
	text: string,
): Promise<User | null> {
	const answer = parseAnswer(text) as unknown as
		| AuthenticationResponseJSON
		| undefined;
	const passkey = answer ? findPasskey(deps.db, answer.id) : null;
	const rpId = passkeyHost(deps.issuer);
	if (!answer || !passkey || rpId === null) return null;
	if (passkey.userId !== (userId ?? passkey.userId)) return null;
	const handle = answer.response.userHandle;
	// Who signs in by a passkey alone is who the authenticator says (WebAuthn 7.2 step 6).
	const expected = Buffer.from(passkey.userId).toString("base64url");
	if (handle ? handle !== expected : userId === null) return null;
	let challenge = "";
	const { verifyAuthenticationResponse } = await loadVerifiers();
	try {
		const { verified, authenticationInfo } = await verifyAuthenticationResponse(
			{
				response: answer,
				expectedChallenge: (text) => {
					challenge = text;
					return isChallenge(deps, occasion, text);
				},
				expectedOrigin: deps.issuer,
				expectedRPID: rpId,
				requireUserVerification: occasion.purpose !== "second factor",
				credential: {
					id: passkey.id,
					publicKey: new Uint8Array(passkey.publicKey),
					// Judged below: a counter that goes back is no failure.
					counter: 0,
				},
			},
		);
		return verified
			? accept(deps, passkey, challenge, authenticationInfo.newCounter)
			: null;
	} catch {
		// The library throws for each thing that is wrong; outside, all of them are one answer.
		return null;
	}
}

function accept(
	deps: PasskeyDeps,
	passkey: Passkey,
	challenge: string,
	counter: number,
): User | null {
	const now = deps.clock.now();
	return transaction(deps.db, () => {
		const user = findUser(deps.db, passkey.userId);
		if (!user || user.disabledAt !== null) return null;
		if (!answerChallenge(deps, challenge)) return null;
		if (counter <= passkey.counter && passkey.counter > 0)
			addNotice(
				deps.db,
				user.id,
				{ kind: "passkey counter went back", detail: passkey.name },
				now,
			);
		touchPasskey(deps.db, passkey.id, counter, now);
		return user;
	});
}

/** Only as much shape as is looked at here; the library judges the rest. */
const Answer = z.looseObject({
	id: z.string(),
	rawId: z.string(),
	type: z.literal("public-key"),
	response: z.looseObject({
		clientDataJSON: z.string(),
		userHandle: z.string().nullish(),
	}),
	clientExtensionResults: z.looseObject({}).default({}),
});

function parseAnswer(text: string): z.infer<typeof Answer> | undefined {
	if (text.length > ANSWER_LENGTH_MAX) return undefined;
	try {
		return Answer.safeParse(JSON.parse(text)).data;
	} catch {
		return undefined; // not JSON: then it is no answer
	}
}

/**
 * The library, when it is first needed: most sign-ins never do. It wants `reflect-metadata` to be there before it, and
 * says so itself, but in the compiled executable its parts come in another order.
 */
async function loadVerifiers(): Promise<
	typeof import("@simplewebauthn/server")
> {
	await import("reflect-metadata");
	return import("@simplewebauthn/server");
}

function descriptorsOf(
	passkeys: readonly Passkey[],
): readonly CredentialOptions[] {
	return passkeys.map(({ id, transports }) => ({
		id,
		type: "public-key",
		transports: JSON.parse(transports),
	}));
}

function requireHost({ issuer }: Pick<PasskeyDeps, "issuer">): string {
	const host = passkeyHost(issuer);
	if (host === null)
		throw new SallyportError("conflict", "passkeys need a name", {
			hint: "give the gateway a domain; a bare address cannot have any",
		});
	return host;
}

function badAnswer(cause?: unknown): SallyportError {
	return new SallyportError("invalid", "the passkey could not be used", {
		hint: "try again",
		cause,
	});
}
