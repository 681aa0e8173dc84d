/**
 * How a server that failed is left alone for a while: longer after each failure that follows on the last.
 */
import { SallyportError } from "../errors.ts";
import type { Server } from "../store/servers.ts";

/** Pauses after one failure, after two, …; the last one repeats. A first failure may be tried again at once. */
const PAUSES_MS = [0, 1000, 2000, 5000, 15_000, 30_000, 60_000] as const;
/** What went well for this long begins the count anew. */
const STABLE_MS = 60_000;

export class BackOff {
	/** How many failures have followed each other. */
	failures = 0;
	#retryAtMs = 0;

	/**
	 * Counts a failure.
	 * @param livedMs how long it had gone well before
	 * @returns the pause in milliseconds
	 */
	fail(livedMs: number, nowMs: number): number {
		this.failures = livedMs > STABLE_MS ? 1 : this.failures + 1;
		const pause = PAUSES_MS[Math.min(this.failures, PAUSES_MS.length) - 1] ?? 0;
		this.#retryAtMs = nowMs + pause;
		return pause;
	}

	/** How long it is still left alone; 0 when it may be tried. */
	waitMs(nowMs: number): number {
		return Math.max(0, this.#retryAtMs - nowMs);
	}
}

/** Whoever asks meanwhile is told what failed, and when it is tried again. */
export function backingOff(
	server: Server,
	reason: string,
	waitMs: number,
): SallyportError {
	return new SallyportError(
		"unavailable",
		`${server.slug} is not available: ${reason}`,
		{
			hint: `it is tried again in ${Math.ceil(waitMs / 1000)} s; see sallyport servers show ${server.slug}`,
		},
	);
}
