/**
 * How guesses at passwords and codes are slowed down: by account and address together, by address, by account, and the
 * second factor by account. Each wait is twice the one before, up to a ceiling, and none is for ever.
 *
 * A stranger who guesses from many addresses slows an account down for everyone; so that this keeps nobody out of
 * their own, a browser in which the person signed in before counts by itself. Passkeys cannot be guessed and are not
 * counted; and on the machine there is `users reset-password`, whose link asks no counter.
 *
 * @see NIST SP 800-63B 5.2.2, OWASP "device cookies"
 */
import type { Clock } from "../clock.ts";
import { mintNonce } from "../mint.ts";
import type { Database } from "../store/database.ts";
import {
	countGuess,
	forgetGuesses,
	forgiveGuess,
	type Pace,
} from "../store/guesses.ts";
import type { Vault } from "../vault.ts";

type ThrottleDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
};

const MINUTE = 60;
const HOUR = 60 * MINUTE;
/** For how long attempts are remembered at most. */
export const GUESSES_KEPT_SECONDS = 24 * HOUR;

const password = {
	firstDelaySeconds: MINUTE,
	delaySecondsMax: 15 * MINUTE,
	memorySeconds: GUESSES_KEPT_SECONDS,
} as const;

const PACES = {
	accountAtAddress: { ...password, free: 10 },
	address: { ...password, free: 30 },
	/** High, so that a stranger cannot easily slow the owner down. */
	account: { ...password, free: 100 },
	/** Whoever is here knows the password: there is less to be patient with. */
	secondFactor: {
		free: 5,
		firstDelaySeconds: 15 * MINUTE,
		delaySecondsMax: HOUR,
		memorySeconds: GUESSES_KEPT_SECONDS,
	},
} as const satisfies Readonly<Record<string, Pace>>;

/** An attempt that was counted, or must wait. */
export type Attempt = {
	/** 0, or how long the next one must wait; then this one is not judged. */
	readonly waitSeconds: number;
	/** To be called when it was right. */
	readonly succeed: () => void;
};

type Counter = {
	readonly subject: string;
	readonly pace: Pace;
	/** Whether other people's attempts count here too. */
	readonly shared: boolean;
};

/**
 * Counts an attempt at a password.
 * @param network the address it comes from, as one household
 * @param isKnown whether the account's person signed in with this browser before
 */
export function attemptPassword(
	deps: ThrottleDeps,
	from: {
		readonly email: string;
		readonly network: string;
		readonly isKnown: boolean;
	},
): Attempt {
	const account = nameOf(from.email);
	const of = (
		kind: keyof typeof PACES,
		name: string,
		shared = false,
	): Counter => ({
		subject: subjectOf(deps, kind, name),
		pace: PACES[kind],
		shared,
	});
	return attempt(deps, [
		of("address", from.network, true),
		...(from.isKnown
			? [of("accountAtAddress", inKnownBrowser(account))]
			: [
					of("accountAtAddress", `${from.network}/${account}`),
					of("account", account),
				]),
	]);
}

/** Counts an attempt at a second factor; each kind by itself. */
export function attemptSecondFactor(
	deps: ThrottleDeps,
	userId: string,
	kind: "totp" | "recovery",
): Attempt {
	return attempt(deps, [secondFactorOf(deps, userId, kind)]);
}

/** Forgets the guesses at an account's password from everywhere: it has another one. */
export function forgetPasswordGuesses(
	deps: Pick<ThrottleDeps, "db" | "vault">,
	email: string,
): void {
	const account = nameOf(email);
	forgetGuesses(deps.db, subjectOf(deps, "account", account));
	forgetGuesses(
		deps.db,
		subjectOf(deps, "accountAtAddress", inKnownBrowser(account)),
	);
}

/** Forgets the attempts at a user's second factors: they were taken away. */
export function forgetSecondFactorGuesses(
	deps: Pick<ThrottleDeps, "db" | "vault">,
	userId: string,
): void {
	for (const kind of ["totp", "recovery"] as const)
		forgetGuesses(deps.db, secondFactorOf(deps, userId, kind).subject);
}

/** What a browser keeps so that it is known as one of this user's. */
export function mintKnownBrowser(
	deps: Pick<ThrottleDeps, "vault">,
	userId: string,
): string {
	const nonce = mintNonce();
	return `${nonce}.${knownBrowserMac(deps, userId, nonce)}`;
}

/** Whether a browser that shows this was given it for that user. */
export function isKnownBrowser(
	deps: Pick<ThrottleDeps, "vault">,
	userId: string,
	shown: string | null,
): boolean {
	const [nonce = "", mac = ""] = (shown ?? "").split(".");
	return nonce !== "" && mac === knownBrowserMac(deps, userId, nonce);
}

function attempt(deps: ThrottleDeps, counters: readonly Counter[]): Attempt {
	for (const { subject, pace } of counters) {
		const wait = countGuess(deps.db, subject, pace, deps.clock.now());
		if (wait > 0) return { waitSeconds: wait, succeed: () => {} };
	}
	return {
		waitSeconds: 0,
		succeed: () => {
			// Whoever has an account of their own must not wipe out their guesses at others.
			for (const { subject, shared } of counters)
				if (shared) forgiveGuess(deps.db, subject);
				else forgetGuesses(deps.db, subject);
		},
	};
}

function secondFactorOf(
	deps: Pick<ThrottleDeps, "vault">,
	userId: string,
	kind: "totp" | "recovery",
): Counter {
	return {
		subject: subjectOf(deps, "secondFactor", `${kind}/${userId}`),
		pace: PACES.secondFactor,
		shared: false,
	};
}

function nameOf(email: string): string {
	return email.trim().toLowerCase();
}

function inKnownBrowser(account: string): string {
	return `known browser/${account}`;
}

function subjectOf(
	deps: Pick<ThrottleDeps, "vault">,
	kind: string,
	name: string,
): string {
	return Buffer.from(deps.vault.mac(`attempt/${kind}/${name}`)).toString(
		"base64url",
	);
}

function knownBrowserMac(
	deps: Pick<ThrottleDeps, "vault">,
	userId: string,
	nonce: string,
): string {
	return Buffer.from(
		deps.vault.mac(`known browser/${userId}/${nonce}`),
	).toString("base64url");
}
