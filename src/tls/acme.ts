/**
 * An authority as the rest of the gateway sees it: order a certificate, or ask when to renew one. What goes wrong is
 * a value, in the CA's words and ours. A lost account is replaced on the way. When to order is not known here.
 *
 * @see RFC 8555, RFC 8738 (IP addresses), RFC 9773 (renewal information)
 */
import type { Clock } from "../clock.ts";
import type { Egress } from "../egress.ts";
import type { OrderFailure } from "../store/certificate-orders.ts";
import type { Database } from "../store/database.ts";
import type { Vault } from "../vault.ts";
import { forgetAccount, requireAccount } from "./account.ts";
import { type AcmeProblem, problemOf, remedyFor } from "./acme-problem.ts";
import {
	createTransport,
	type Transport,
	type TransportLimits,
} from "./acme-transport.ts";
import type { Authority } from "./authority.ts";
import { ariIdOf, type KeyPair } from "./certificate.ts";
import type { Challenges } from "./challenges.ts";
import { type Identifier, namesKey } from "./identifiers.ts";
import { orderCertificate } from "./order.ts";
import { parseRenewalInfo, pollSeconds, type RenewalInfo } from "./renewal.ts";

export type AcmeDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly egress: Egress;
	readonly clock: Clock;
	readonly challenges: Challenges;
	/** Shorter times, for tests. */
	readonly limits?: TransportLimits;
};

export type Issued =
	| { readonly ok: true; readonly pair: KeyPair; readonly directory: string }
	| { readonly ok: false; readonly failure: OrderFailure };

export type Acme = {
	/** Whose certificates it brings. */
	readonly directory: string;
	/** Orders a certificate with a new key. @param replaces the chain of the one it follows, from the same CA */
	readonly order: (
		identifiers: readonly Identifier[],
		at: "production" | "staging",
		replaces: string | null,
	) => Promise<Issued>;
	/** When the CA suggests to renew, and in how many seconds to ask again. Null info: it did not say. */
	readonly renewalInfo: (chain: string) => Promise<{
		readonly info: RenewalInfo | null;
		readonly againSeconds: number;
	}>;
	/** Whether there is somewhere to rehearse. */
	readonly hasStaging: boolean;
	/** Ends what is running; its failure is of the type `cancelled`. */
	readonly close: () => void;
};

/** Speaks ACME to an authority. Staging falls back to production where there is none. */
export function createAcme(deps: AcmeDeps, authority: Authority): Acme {
	const { db, clock, egress, limits } = deps;
	const transports = new Map<string, Transport>();
	const closing = new AbortController();
	const { signal } = closing;

	const transportOf = (directory: string): Transport => {
		const known = transports.get(directory);
		if (known) return known;
		const transport = createTransport(
			{ egress, clock, signal },
			directory,
			limits,
		);
		transports.set(directory, transport);
		return transport;
	};

	const attempt = async (
		directory: string,
		identifiers: readonly Identifier[],
		replaces: string | null,
	): Promise<KeyPair> => {
		const transport = transportOf(directory);
		const account = await requireAccount(deps, transport, directory, {
			email: authority.email,
			binding: directory === authority.directory ? authority.binding : null,
		});
		return orderCertificate({ ...deps, transport, signal }, account, {
			identifiers,
			profile: authority.profile,
			replaces: replaces === null ? null : await ariIdOf(replaces),
		});
	};

	return {
		directory: authority.directory,
		hasStaging: authority.staging !== null,
		close: () => closing.abort(),
		order: async (identifiers, at, replaces) => {
			const directory =
				(at === "staging" ? authority.staging : null) ?? authority.directory;
			const again = async (error: unknown): Promise<KeyPair> => {
				if (!isAccountLost(problemOf(error))) throw error;
				forgetAccount(db, directory);
				return attempt(directory, identifiers, null);
			};
			try {
				const pair = await attempt(directory, identifiers, replaces).catch(
					again,
				);
				return { ok: true, pair, directory };
			} catch (error) {
				const problem = problemOf(error);
				return {
					ok: false,
					failure: failureOf(problem, directory, identifiers, clock.now()),
				};
			}
		},

		renewalInfo: async (chain) => {
			try {
				const transport = transportOf(authority.directory);
				const { renewalInfo } = await transport.directory();
				const id = renewalInfo === null ? null : await ariIdOf(chain);
				if (id === null) return { info: null, againSeconds: pollSeconds(null) };
				const answer = await transport.get(`${renewalInfo}/${id}`);
				return {
					info: parseRenewalInfo(answer.body),
					againSeconds: pollSeconds(answer.retryAfterSeconds),
				};
			} catch (error) {
				const { retryAfterSeconds } = problemOf(error);
				return { info: null, againSeconds: pollSeconds(retryAfterSeconds) };
			}
		},
	};
}

/** An account that is gone, or closed: the latter is "unauthorized" about no name in particular. */
function isAccountLost({ type, identifier }: AcmeProblem): boolean {
	return (
		type === "accountDoesNotExist" ||
		(type === "unauthorized" && identifier === null)
	);
}

function failureOf(
	problem: AcmeProblem,
	directory: string,
	identifiers: readonly Identifier[],
	now: number,
): OrderFailure {
	const { type, detail, retryAfterSeconds } = problem;
	return {
		at: now,
		directory,
		type,
		detail,
		remedy: remedyFor(problem, namesKey(identifiers)),
		retryAt: retryAfterSeconds === null ? null : now + retryAfterSeconds,
	};
}
