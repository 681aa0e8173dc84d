/**
 * When a certificate is renewed, when renewal information is asked for again, and how long to wait after a failure:
 * pure functions of instants, and one table. Nothing here reads a clock or sends anything.
 *
 * @see RFC 9773 4.2 and 4.3 (suggested window, Retry-After)
 */

export type Lifetime = {
	readonly notBefore: number;
	readonly notAfter: number;
};

/** When the CA suggests to renew. */
export type RenewalWindow = { readonly start: number; readonly end: number };

export type RenewalInfo = {
	readonly window: RenewalWindow;
	/** A page of the CA that says why, when it has a reason (a mass revocation). */
	readonly explanationUrl: string | null;
};

const DAY = 86_400;
const SHORT_LIVED_SECONDS = 10 * DAY;
const JITTER_SECONDS_MAX = 3600;

/**
 * From when on to renew. With a window: a moment in it, the same as long as the window is the same; but never in the
 * last twentieth of the life, whatever the CA says. Without: when a third of the life is left, a half if it is short.
 * @param fraction 0 to 1, the certificate's own: spreads many gateways over the window
 */
export function renewFrom(
	{ notBefore, notAfter }: Lifetime,
	window: RenewalWindow | null,
	fraction: number,
): number {
	const life = notAfter - notBefore;
	if (window !== null) {
		const chosen = window.start + fraction * (window.end - window.start);
		return Math.floor(Math.min(chosen, notAfter - life / 20));
	}
	const left = life < SHORT_LIVED_SECONDS ? life / 2 : life / 3;
	const jitter = fraction * Math.min(life / 50, JITTER_SECONDS_MAX);
	return Math.floor(notAfter - left - jitter);
}

/** A fraction from 0 to 1 that is the certificate's own: the same at every start, different for every one. */
export function fractionOf(fingerprint: string): number {
	return Number.parseInt(fingerprint.slice(0, 12), 16) / 2 ** 48;
}

/** Reads renewal information; null when it means nothing (RFC 9773 4.2: an end that is not after its start). */
export function parseRenewalInfo(body: unknown): RenewalInfo | null {
	const { suggestedWindow, explanationURL } = object(body);
	const { start, end } = object(suggestedWindow);
	const window = { start: instant(start), end: instant(end) };
	if (!(window.end > window.start)) return null;
	const isLink =
		typeof explanationURL === "string" && URL.canParse(explanationURL);
	return {
		window,
		explanationUrl:
			isLink && explanationURL.startsWith("https://") ? explanationURL : null,
	};
}

const POLL_SECONDS = { min: 60, max: DAY, otherwise: DAY / 4 };

/** In how many seconds to ask for renewal information again: what the CA says, within reason. */
export function pollSeconds(retryAfterSeconds: number | null): number {
	if (retryAfterSeconds === null) return POLL_SECONDS.otherwise;
	return Math.min(
		Math.max(retryAfterSeconds, POLL_SECONDS.min),
		POLL_SECONDS.max,
	);
}

export type Attempt = {
	/** How long after the failure. */
	readonly waitSeconds: number;
	/** Staging proves that the names can be proved, without using up what the CA allows in production. */
	readonly at: "production" | "staging";
};

/** What follows the first, second … failure in a row; the last row is for all that follow. */
export const RETRIES: readonly [Attempt, ...Attempt[]] = [
	{ waitSeconds: 60, at: "staging" },
	{ waitSeconds: 600, at: "staging" },
	{ waitSeconds: 6000, at: "staging" },
	{ waitSeconds: DAY, at: "staging" },
];

/** When a second CA is asked in the same attempt: see `asksFallback`. */
const FALLBACK_AFTER = { failures: 3, waitSeconds: 6 * 3600 };

/**
 * Whether a second CA is asked right after the first has failed: once that has failed three times in a row, or wants
 * to be left alone for more than six hours. What stands in the way here (a closed port, a wrong record) mostly shows
 * in the first two failures, and costs the second CA nothing.
 * @param failures in a row, with this one
 * @param waitSeconds how long the first one asks to wait; null: it does not say
 */
export function asksFallback(
	failures: number,
	waitSeconds: number | null,
): boolean {
	return (
		failures >= FALLBACK_AFTER.failures ||
		(waitSeconds ?? 0) > FALLBACK_AFTER.waitSeconds
	);
}

const HURRY_SECONDS_MIN = 900;

/**
 * The attempt after `failures` in a row.
 * @param rehearsed staging has passed since the last failure: production is next, at once
 * @param leftSeconds how long the certificate being renewed still lives; null when there is none
 */
export function nextAttempt(
	failures: number,
	rehearsed: boolean,
	leftSeconds: number | null,
): Attempt {
	if (failures === 0 || rehearsed) return { waitSeconds: 0, at: "production" };
	const row = RETRIES[Math.min(failures, RETRIES.length) - 1] ?? RETRIES[0];
	if (leftSeconds === null) return row;
	// Near the end an eighth of what is left is soon enough to try seven times more.
	const hurry = Math.max(leftSeconds / 8, HURRY_SECONDS_MIN);
	return {
		...row,
		waitSeconds: Math.floor(Math.min(row.waitSeconds, hurry)),
	};
}

/** How close to its end a certificate is announced as ending: a quarter of its life, then a tenth. */
export function urgency(
	{ notBefore, notAfter }: Lifetime,
	now: number,
): "none" | "soon" | "urgent" {
	const left = (notAfter - now) / (notAfter - notBefore);
	if (left < 1 / 10) return "urgent";
	return left < 1 / 4 ? "soon" : "none";
}

function object(value: unknown): Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null ? { ...value } : {};
}

function instant(value: unknown): number {
	return typeof value === "string"
		? Math.floor(Date.parse(value) / 1000)
		: Number.NaN;
}
