/**
 * Keeps certificates alive: for every set of names it orders one, shows it, and renews it in time, for years. What
 * goes wrong is tried again by the table in `renewal.ts`; the certificate that works is shown until a better one is
 * there, even past its end. Everything it decides by is in the store, so a restart changes nothing.
 */
import { type Clock, delay } from "../clock.ts";
import { describeError, SallyportError } from "../errors.ts";
import type { Log } from "../log.ts";
import {
	findOrderState,
	type OrderFailure,
} from "../store/certificate-orders.ts";
import { updateRenewal } from "../store/certificates.ts";
import type { Database } from "../store/database.ts";
import type { Vault } from "../vault.ts";
import type { Acme } from "./acme.ts";
import { createAttempts } from "./attempts.ts";
import {
	type Held,
	materialsOf,
	pollAt,
	renewalAt,
	requireHeld,
} from "./held.ts";
import { namesKey, parseIdentifiers } from "./identifiers.ts";
import type { TlsMaterial } from "./listeners.ts";
import { nextAttempt } from "./renewal.ts";

export type CertificateStatus = {
	readonly names: readonly string[];
	/** Whether a CA issued it, or it is signed by itself. */
	readonly trusted: boolean;
	readonly issuer: string;
	readonly fingerprint: string;
	readonly notBefore: number;
	readonly notAfter: number;
	/** From when on it is renewed; null: as soon as possible, for want of a trusted one. */
	readonly renewAt: number | null;
	/** The CA's page on why it wants a renewal. */
	readonly explanationUrl: string | null;
	/** The last failure since the last success. */
	readonly failure: OrderFailure | null;
	/** No attempt before this instant. */
	readonly nextAttemptAt: number;
};

export type Keeper = {
	/** What a listener shows now: at least one entry. */
	readonly materials: () => readonly TlsMaterial[];
	readonly status: () => readonly CertificateStatus[];
	/** Holds these sets of names from now on, one certificate each. @throws SallyportError `invalid` */
	readonly hold: (sets: readonly (readonly string[])[]) => Promise<void>;
	/**
	 * Orders a certificate for a held set now, whatever the table says.
	 * @returns what went wrong, or null
	 * @throws SallyportError `not_found` (not held), `too_many` (the CA asked to wait), `conflict` (another process orders)
	 */
	readonly renew: (names: readonly string[]) => Promise<OrderFailure | null>;
	/**
	 * Orders a certificate for a set that is not held yet. Once it is there it is held, and shown, beside the others;
	 * until then nothing changes, and nothing is tried again. Somebody waits, so it goes ahead whenever it is asked;
	 * after a failure staging comes first, as the table says. An order that runs already is joined.
	 * @returns what went wrong, or null
	 * @throws SallyportError `invalid`, `too_many` (the CA asked to wait), `conflict` (another process orders), `unavailable` (stopping)
	 */
	readonly obtain: (names: readonly string[]) => Promise<OrderFailure | null>;
	/** Whether there is a staging directory; without one `rehearse` proves nothing. */
	readonly hasStaging: boolean;
	/** Proves names at the staging directory, and keeps nothing. @returns what went wrong, or null */
	readonly rehearse: (names: readonly string[]) => Promise<OrderFailure | null>;
	/** Does what is due; then nothing is due before the returned instant. */
	readonly check: () => Promise<number>;
	/** Checks whenever something is due, until stopped. */
	readonly start: () => void;
	/** Ends the checks and what they are waiting for. */
	readonly stop: () => Promise<void>;
};

export type KeeperDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
	readonly log: Log;
	readonly acme: Acme;
	/** The directory whose certificates are served; what another one issues is a rehearsal. */
	readonly directory: string;
	/** A second CA, asked when the first one fails by the rule of `renewal.ts`. */
	readonly fallback?: Acme | null;
	/** Shows what changed to clients; a failure is logged and tried again at the next check. */
	readonly show: (materials: readonly TlsMaterial[]) => Promise<void>;
};

const PAUSE_SECONDS = { min: 1, max: 600 };
const SETS_MAX = 20;
/** Held when no name is known yet, and never ordered: how the gateway is reached from its own machine. */
const LOCAL = parseIdentifiers(["localhost", "127.0.0.1", "::1"]);
const LOCAL_NAMES = namesKey(LOCAL);

/** Opens the keeper with what the store has; nothing is ordered before `start` or `check`. */
export async function openKeeper(
	deps: KeeperDeps,
	sets: readonly (readonly string[])[],
): Promise<Keeper> {
	const { db, clock, log, acme, directory } = deps;
	const { attempt, rehearse, settled } = createAttempts(deps);
	let held: readonly Held[] = [];
	let shown = "";
	let running: Promise<void> | null = null;
	let wake = new AbortController();
	let stopped = false;

	const find = (names: string): Held | undefined =>
		held.find((one) => one.names === names);

	const put = (fresh: Held): void => {
		held = held.map((old) => (old.names === fresh.names ? fresh : old));
	};

	const hold = async (next: readonly (readonly string[])[]): Promise<void> => {
		const wanted = next.map(parseIdentifiers);
		if (wanted.length > SETS_MAX)
			throw new SallyportError(
				"invalid",
				`at most ${SETS_MAX} certificates are kept`,
			);
		const found: Held[] = [];
		for (const identifiers of wanted.length > 0 ? wanted : [LOCAL])
			found.push(await requireHeld(deps, identifiers));
		held = found;
		wake.abort();
	};

	const dueAt = (one: Held): number => {
		if (one.names === LOCAL_NAMES) return Number.POSITIVE_INFINITY;
		const { nextAt } = findOrderState(db, one.names);
		return Math.max(renewalAt(one) ?? 0, nextAt);
	};

	const orderIfDue = async (names: string): Promise<void> => {
		const one = find(names);
		if (!one || stopped || dueAt(one) > clock.now()) return;
		const { failures, rehearsed } = findOrderState(db, names);
		const { at } = nextAttempt(failures, rehearsed, null);
		const outcome = await attempt(one, at);
		if (outcome.kind === "issued") put(outcome.held);
		// Who was busy may have been another process: what it got is in the store.
		if (outcome.kind === "busy") put(await requireHeld(deps, one.identifiers));
		if (outcome.kind === "rehearsed") await orderIfDue(names);
	};

	const pollIfDue = async (names: string): Promise<void> => {
		const one = find(names);
		if (!one || stopped || pollAt(one, directory) > clock.now()) return;
		const { info, againSeconds } = await acme.renewalInfo(one.pair.chain);
		const renewal = {
			windowStart: info?.window.start ?? one.renewal.windowStart,
			windowEnd: info?.window.end ?? one.renewal.windowEnd,
			explanationUrl: info ? info.explanationUrl : one.renewal.explanationUrl,
			pollAt: clock.now() + againSeconds,
		};
		updateRenewal(db, one.facts.fingerprint, renewal);
		if (find(names) === one) put({ ...one, renewal });
		if (renewal.windowStart !== one.renewal.windowStart)
			log.info("certificate renewal suggested", { reason: names });
	};

	const showIfChanged = async (): Promise<void> => {
		const wanted = held.map(({ facts }) => facts.fingerprint).join();
		if (wanted === shown) return;
		try {
			await deps.show(materialsOf(held));
			shown = wanted;
		} catch (error) {
			log.error("certificate not shown", { reason: describeError(error) });
		}
	};

	/** Orders now. @returns what was issued, or what went wrong */
	const order = async (
		one: Held,
		at: "production" | "as planned",
	): Promise<Held | OrderFailure> => {
		if (stopped) throw stopping();
		const { failures, rehearsed, failure } = findOrderState(db, one.names);
		refuseTooSoon(failure, clock.now());
		const planned = nextAttempt(failures, rehearsed, null).at;
		const outcome = await attempt(one, at === "production" ? at : planned);
		if (outcome.kind === "failed") return outcome.failure;
		if (outcome.kind === "issued") return outcome.held;
		if (outcome.kind === "rehearsed") return order(one, at);
		throw orderRunning();
	};

	const check = async (): Promise<number> => {
		await showIfChanged();
		for (const { names } of held) {
			await pollIfDue(names);
			await orderIfDue(names);
			// A new certificate is shown before anything else is asked about it.
			await showIfChanged();
			await pollIfDue(names);
		}
		return Math.min(
			...held.flatMap((one) => [dueAt(one), pollAt(one, directory)]),
		);
	};

	const loop = async (): Promise<void> => {
		while (!stopped) {
			const next = await check().catch((error: unknown) => {
				log.error("certificate check failed", { reason: describeError(error) });
				return Number.POSITIVE_INFINITY;
			});
			const seconds = Math.max(next - clock.now(), PAUSE_SECONDS.min);
			await delay(Math.min(seconds, PAUSE_SECONDS.max) * 1000, wake.signal);
			if (wake.signal.aborted) wake = new AbortController();
		}
	};

	await hold(sets);
	shown = held.map(({ facts }) => facts.fingerprint).join();

	return {
		materials: () => materialsOf(held),
		status: () => held.map((one) => statusOf(db, one)),
		hold,
		renew: async (names) => {
			const result = await order(requireOne(held, names), "production");
			if (isHeld(result)) put(result);
			await showIfChanged();
			wake.abort();
			return isHeld(result) ? null : result;
		},
		obtain: async (names) => {
			const identifiers = parseIdentifiers(names);
			if (stopped) throw stopping();
			const before =
				find(namesKey(identifiers)) ?? (await requireHeld(deps, identifiers));
			const isGood =
				before.directory !== null && (renewalAt(before) ?? 0) > clock.now();
			const result = isGood ? before : await order(before, "as planned");
			if (!isHeld(result)) return result;
			// What stood in for a name that was not known yet has done its work.
			const others = held.filter(
				(one) => one.names !== result.names && one.names !== LOCAL_NAMES,
			);
			if (others.length >= SETS_MAX) others.shift();
			held = [...others, result];
			await showIfChanged();
			wake.abort();
			return null;
		},
		hasStaging: acme.hasStaging,
		rehearse: (names) => rehearse(parseIdentifiers(names)),
		check,
		start: () => {
			running ??= loop();
		},
		stop: async () => {
			stopped = true;
			acme.close();
			deps.fallback?.close();
			wake.abort();
			await running;
			await settled();
		},
	};
}

function statusOf(db: Database, one: Held): CertificateStatus {
	const { failure, nextAt } = findOrderState(db, one.names);
	return {
		...one.facts,
		trusted: one.directory !== null,
		renewAt: renewalAt(one),
		explanationUrl: one.renewal.explanationUrl,
		failure,
		nextAttemptAt: nextAt,
	};
}

function requireOne(held: readonly Held[], names: readonly string[]): Held {
	const key = namesKey(parseIdentifiers(names));
	const one = held.find((candidate) => candidate.names === key);
	if (one) return one;
	throw new SallyportError("not_found", `no certificate is kept for ${key}`, {
		hint: "see sallyport certificate show",
	});
}

function isHeld(result: Held | OrderFailure): result is Held {
	return "pair" in result;
}

function refuseTooSoon(failure: OrderFailure | null, now: number): void {
	const retryAt = failure?.retryAt ?? 0;
	if (failure === null || retryAt <= now) return;
	const until = new Date(retryAt * 1000).toISOString();
	throw new SallyportError(
		"too_many",
		`the CA wants no order before ${until}: ${failure.detail}`,
		{ hint: failure.remedy },
	);
}

function stopping(): SallyportError {
	return new SallyportError("unavailable", "the gateway is stopping", {
		hint: "try again once it runs",
	});
}

function orderRunning(): SallyportError {
	return new SallyportError("conflict", "an order for these names is running", {
		hint: "wait for it; see sallyport certificate show",
	});
}
