/**
 * Attempts to get a certificate: one at a time in this process, and under a lease among processes. Each leaves its
 * outcome in the store: the certificate, or the failure in words and when the next attempt is due.
 */
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { mintNonce } from "../mint.ts";
import {
	clearOrderState,
	findOrderState,
	type OrderFailure,
	releaseOrderLease,
	setOrderState,
	takeOrderLease,
} from "../store/certificate-orders.ts";
import type { Database } from "../store/database.ts";
import type { Vault } from "../vault.ts";
import type { Acme, Issued } from "./acme.ts";
import { type Held, keepHeld } from "./held.ts";
import type { Identifier } from "./identifiers.ts";
import { asksFallback, nextAttempt } from "./renewal.ts";

export type Outcome =
	| { readonly kind: "issued"; readonly held: Held }
	| { readonly kind: "rehearsed" }
	| { readonly kind: "failed"; readonly failure: OrderFailure }
	/** Another process orders for these names, or the gateway is stopping. */
	| { readonly kind: "busy" };

export type Attempts = {
	/** Orders what is to follow `current`, and keeps what comes of it. Joins an attempt for these names that runs. */
	readonly attempt: (
		current: Held,
		at: "production" | "staging",
	) => Promise<Outcome>;
	/** Orders at staging for names that need not be held, and keeps nothing. @returns what went wrong, or null */
	readonly rehearse: (
		identifiers: readonly Identifier[],
	) => Promise<OrderFailure | null>;
	/** Resolves when nothing runs any more. */
	readonly settled: () => Promise<void>;
};

/** An order takes three minutes at most, and a second CA as long again; a process that died gives way after this. */
const LEASE_SECONDS = 600;

/** @param deps.directory whose certificates are kept; what another one issues is a rehearsal */
export function createAttempts(deps: {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
	readonly log: Log;
	readonly acme: Acme;
	readonly directory: string;
	/** Asked by the rule of `renewal.ts`, for names only: what it issues is kept as well. */
	readonly fallback?: Acme | null;
}): Attempts {
	const { db, clock, log, acme, directory, fallback = null } = deps;
	const holder = mintNonce();
	const running = new Map<string, Promise<Outcome>>();
	let queue: Promise<unknown> = Promise.resolve();

	/** One at a time: an account is made once, and no CA is hurried. */
	const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
		const done = queue.then(work);
		queue = done.catch(() => {}); // its caller is told
		return done;
	};

	const underLease = async (
		current: Held,
		at: "production" | "staging",
	): Promise<Outcome> => {
		const now = clock.now();
		const { names } = current;
		if (!takeOrderLease(db, names, holder, now, now + LEASE_SECONDS))
			return { kind: "busy" };
		try {
			const follows = at === "production" && current.directory === directory;
			const replaces = follows ? current.pair.chain : null;
			const result = await acme.order(current.identifiers, at, replaces);
			return settle(
				current,
				result.ok ? result : await orElse(current, result.failure),
			);
		} finally {
			releaseOrderLease(db, names, holder);
		}
	};

	/** What the second CA says, if it is to be asked; its refusal is told beside the first one's. */
	const orElse = async (
		{ identifiers, names }: Held,
		failure: OrderFailure,
	): Promise<Issued> => {
		const refused = { ok: false, failure } as const;
		const failures = findOrderState(db, names).failures + 1;
		const wait = failure.retryAt === null ? null : failure.retryAt - failure.at;
		if (fallback === null || failure.type === "cancelled") return refused;
		if (identifiers.some(({ type }) => type === "ip")) return refused;
		if (!asksFallback(failures, wait)) return refused;
		const result = await fallback.order(identifiers, "production", null);
		if (result.ok || result.failure.type === "cancelled") return result;
		const { hostname } = new URL(fallback.directory);
		const detail = `${failure.detail}; ${hostname} said: ${result.failure.detail}`;
		return { ok: false, failure: { ...failure, detail } };
	};

	const settle = (current: Held, result: Issued): Outcome => {
		if (!result.ok) return fail(current, result.failure);
		const { names, identifiers } = current;
		const issuer = result.directory;
		if (issuer !== directory && issuer !== fallback?.directory) {
			const state = findOrderState(db, names);
			setOrderState(db, names, { ...state, rehearsed: true, nextAt: 0 });
			log.info("certificate rehearsed", { url: result.directory });
			return { kind: "rehearsed" };
		}
		const held = keepHeld(deps, identifiers, result.pair, issuer, () =>
			clearOrderState(db, names),
		);
		log.info("certificate issued", { reason: names, url: issuer });
		return { kind: "issued", held };
	};

	const fail = (current: Held, failure: OrderFailure): Outcome => {
		if (failure.type === "cancelled") return { kind: "busy" };
		const { names, directory: issuer, facts } = current;
		const failures = findOrderState(db, names).failures + 1;
		const left = issuer === null ? null : facts.notAfter - failure.at;
		const { waitSeconds } = nextAttempt(failures, false, left);
		const nextAt = Math.max(failure.at + waitSeconds, failure.retryAt ?? 0);
		setOrderState(db, names, { failures, rehearsed: false, nextAt, failure });
		log.warn("certificate not issued", {
			url: failure.directory,
			reason: `${failure.type}: ${failure.detail}`,
			attempt: failures,
			delay_ms: (nextAt - failure.at) * 1000,
		});
		return { kind: "failed", failure };
	};

	return {
		attempt: (current, at) => {
			const { names } = current;
			const joined = running.get(names);
			if (joined) return joined;
			const outcome = inTurn(() => underLease(current, at)).finally(() =>
				running.delete(names),
			);
			running.set(names, outcome);
			return outcome;
		},
		rehearse: async (identifiers) => {
			if (!acme.hasStaging) return null;
			const result = await inTurn(() =>
				acme.order(identifiers, "staging", null),
			);
			return result.ok ? null : result.failure;
		},
		settled: async () => {
			await queue;
			await Promise.allSettled(running.values());
		},
	};
}
