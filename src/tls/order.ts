/**
 * One order: from names to a certificate chain and its new key, proved over http-01.
 *
 * A refusal that only means "not with this detail" (a certificate already replaced, a profile that is gone) is tried
 * again without the detail; every other one ends the order. It keeps nothing and decides nothing about when.
 *
 * @see RFC 8555 7.4 (orders), 7.5 (authorizations), 8.3 (http-01), RFC 8738 (IP addresses), RFC 9773 5 (replaces)
 */
import { type Clock, delay } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import type { Account } from "./account.ts";
import {
	AcmeError,
	ownProblem,
	parseProblem,
	problemOf,
} from "./acme-problem.ts";
import type { Answer, Transport } from "./acme-transport.ts";
import { covers, type KeyPair, requireServable } from "./certificate.ts";
import type { Challenges } from "./challenges.ts";
import { type Identifier, parseIdentifier } from "./identifiers.ts";
import { createKey, createRequest } from "./signing.ts";

export type OrderWish = {
	readonly identifiers: readonly Identifier[];
	/** The profile to ask for; null: the one that fits, of those the CA offers. */
	readonly profile: string | null;
	/** The renewal id of the certificate this one replaces; null: none. */
	readonly replaces: string | null;
};

type OrderDeps = {
	readonly transport: Transport;
	readonly challenges: Challenges;
	readonly clock: Clock;
	/** Ends the waits. */
	readonly signal: AbortSignal;
};

type Json = Readonly<Record<string, unknown>>;
type Placed = { readonly url: string; readonly order: Json };

const ORDER_TIMEOUT_MS = 180_000;
const POLL_MS = { first: 150, second: 500, factor: 1.5, max: 15_000 };
const AUTHORIZATIONS_MAX = 25;
/** How a CA says that `replaces` cannot be: RFC 9773 5 names the first, the others are seen where it lost the old one. */
const REPLACES_REFUSED = new Set([
	"alreadyReplaced",
	"malformed",
	"unauthorized",
]);

/**
 * Orders a certificate with a new key.
 * @throws AcmeError with what the CA said
 */
export async function orderCertificate(
	deps: OrderDeps,
	account: Account,
	wish: OrderWish,
): Promise<KeyPair> {
	const { transport, clock } = deps;
	const profile = await chooseProfile(transport, wish);
	const { url, order } = await placeOrder(transport, account, wish, profile);
	const deadlineMs = clock.nowMs() + ORDER_TIMEOUT_MS;
	const settle = (at: string, pending: readonly string[]): Promise<Json> =>
		settled(deps, account, at, pending, deadlineMs);

	for (const authorization of urls(order["authorizations"]))
		await prove(deps, account, authorization, settle);
	const ready = await settle(url, ["pending"]);
	refuseInvalid(ready);
	const key = await createKey();
	const names = wish.identifiers.map(({ value }) => value);
	if (ready["status"] === "ready")
		await transport.post(
			requireUrl(ready, "finalize"),
			{ csr: await createRequest(names, key) },
			account,
		);
	const valid = await settle(url, ["ready", "processing"]);
	refuseInvalid(valid);
	const { text } = await transport.post(
		requireUrl(valid, "certificate"),
		null,
		account,
	);
	return checked({ chain: text, key }, wish.identifiers, clock.now());
}

/** Certificates for addresses exist only in the short-lived profile; for names the leanest one is asked for. */
async function chooseProfile(
	transport: Transport,
	wish: OrderWish,
): Promise<string | null> {
	if (wish.profile !== null) return wish.profile;
	const { profiles } = await transport.directory();
	const fitting = hasAddress(wish.identifiers) ? "shortlived" : "tlsserver";
	return profiles.includes(fitting) ? fitting : null;
}

function hasAddress(identifiers: readonly Identifier[]): boolean {
	return identifiers.some(({ type }) => type === "ip");
}

async function placeOrder(
	transport: Transport,
	account: Account,
	wish: OrderWish,
	profile: string | null,
): Promise<Placed> {
	const { newOrder, renewalInfo } = await transport.directory();
	// RFC 9773 5: only for a CA that gives renewal information.
	const replaces = renewalInfo === null ? null : wish.replaces;
	try {
		const { body, location } = await transport.post(
			newOrder,
			{
				identifiers: wish.identifiers,
				...(profile !== null && { profile }),
				...(replaces !== null && { replaces }),
			},
			account,
		);
		if (body === null || location === null)
			throw ownProblem("malformedAnswer", "the CA gave the order no URL");
		return { url: location, order: body };
	} catch (error) {
		const { type } = problemOf(error);
		if (replaces !== null && REPLACES_REFUSED.has(type))
			return placeOrder(
				transport,
				account,
				{ ...wish, replaces: null },
				profile,
			);
		// Never for addresses: another profile would be refused later, after the proof.
		if (
			type === "invalidProfile" &&
			profile !== null &&
			!hasAddress(wish.identifiers)
		)
			return placeOrder(transport, account, wish, null);
		throw error;
	}
}

/** Proves one name, unless the CA still remembers an earlier proof. */
async function prove(
	deps: OrderDeps,
	account: Account,
	url: string,
	settle: (url: string, pending: readonly string[]) => Promise<Json>,
): Promise<void> {
	const { transport, challenges } = deps;
	const authorization = (await transport.post(url, null, account)).body ?? {};
	if (authorization["status"] === "valid") return;
	const identifier = identifierOf(authorization);
	const challenge = httpChallenge(authorization);
	if (challenge === null)
		throw ownProblem(
			"noHttpChallenge",
			`the CA offers no http-01 challenge for ${identifier.value}`,
			identifier.value,
		);
	const stop = challenges.answer(
		identifier,
		challenge.token,
		account.signer.keyAuthorization(challenge.token),
	);
	try {
		await transport.post(challenge.url, {}, account);
		const final = await settle(url, ["pending"]);
		if (final["status"] === "valid") return;
		throw named(httpChallenge(final)?.error, identifier.value);
	} finally {
		stop();
	}
}

/** The problem of a challenge, with the name it was for. */
function named(error: unknown, identifier: string): AcmeError {
	const { problem, status } = parseProblem(
		error ?? { detail: "the CA could not prove the name" },
		null,
		null,
	);
	return new AcmeError(
		{ ...problem, identifier: problem.identifier ?? identifier },
		status,
	);
}

/** Asks again until the status is none of `pending`, as often as the CA asks for, or ever more slowly. */
async function settled(
	{ transport, clock, signal }: OrderDeps,
	account: Account,
	url: string,
	pending: readonly string[],
	deadlineMs: number,
): Promise<Json> {
	// The first answer is almost never there at once.
	await delay(POLL_MS.first, signal);
	for (let waitMs = POLL_MS.second; ; waitMs *= POLL_MS.factor) {
		const answer: Answer = await transport.post(url, null, account);
		const status = answer.body?.["status"];
		if (answer.body !== null && typeof status !== "string")
			throw ownProblem("malformedAnswer", "the CA gave no status");
		if (answer.body !== null && !pending.includes(String(status)))
			return answer.body;
		const asked = (answer.retryAfterSeconds ?? 0) * 1000;
		const pause = Math.min(asked || waitMs, POLL_MS.max);
		if (clock.nowMs() + pause > deadlineMs)
			throw ownProblem("timeout", "the CA did not finish the order in time");
		await delay(pause, signal);
	}
}

function refuseInvalid(order: Json): void {
	if (order["status"] !== "invalid") return;
	throw parseProblem(
		order["error"] ?? { detail: "the CA refused the order" },
		null,
		null,
	);
}

/** What came back must be what was asked for: nothing else is ever served or kept. */
function checked(
	pair: KeyPair,
	identifiers: readonly Identifier[],
	now: number,
): KeyPair {
	try {
		const facts = requireServable(pair, now);
		if (covers(facts, identifiers)) return pair;
		throw new SallyportError(
			"upstream",
			`the CA's certificate is for ${facts.names.join(", ")}`,
		);
	} catch (error) {
		throw error instanceof SallyportError
			? ownProblem("wrongCertificate", error.message)
			: error;
	}
}

function httpChallenge(
	authorization: Json,
): { url: string; token: string; error: unknown } | null {
	const challenges = authorization["challenges"];
	if (!Array.isArray(challenges)) return null;
	for (const challenge of challenges as readonly unknown[]) {
		if (typeof challenge !== "object" || challenge === null) continue;
		const { type, url, token, error } = challenge as Json;
		if (type === "http-01" && typeof url === "string" && isToken(token))
			return { url, token, error };
	}
	return null;
}

/** RFC 8555 8.3: base64url, and nothing that could be a path. */
function isToken(token: unknown): token is string {
	return typeof token === "string" && /^[A-Za-z0-9_-]{1,256}$/.test(token);
}

function identifierOf(authorization: Json): Identifier {
	const identifier = authorization["identifier"];
	const value =
		typeof identifier === "object" && identifier !== null
			? (identifier as Json)["value"]
			: null;
	const parsed = typeof value === "string" ? parseIdentifier(value) : null;
	if (parsed === null)
		throw ownProblem("malformedAnswer", "the CA named nothing to prove");
	return parsed;
}

function urls(value: unknown): readonly string[] {
	const found = Array.isArray(value)
		? value.filter((url): url is string => typeof url === "string")
		: [];
	if (found.length === 0 || found.length > AUTHORIZATIONS_MAX)
		throw ownProblem("malformedAnswer", "the CA's order names no proofs");
	return found;
}

function requireUrl(order: Json, name: string): string {
	const url = order[name];
	if (typeof url === "string") return url;
	throw ownProblem("malformedAnswer", `the CA's order has no ${name} URL`);
}
