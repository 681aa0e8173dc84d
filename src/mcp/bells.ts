/**
 * Things that are said again and again: the first time at once, and then no more often than a pause allows, once for
 * all that was meant meanwhile. It knows nothing of what is said.
 */
import { delay } from "../clock.ts";

export type Bells = {
	/** Calls `say` now, or once at the end of the pause that began with the last time for this key. */
	readonly ring: (key: string, say: () => void) => void;
	/** Nothing is said any more. */
	readonly stop: () => void;
};

export function createBells(pauseMs: number): Bells {
	const stopping = new AbortController();
	/** What is due at the end of each running pause; null: nothing so far. */
	const pauses = new Map<string, (() => void) | null>();

	const pause = async (key: string): Promise<void> => {
		pauses.set(key, null);
		await delay(pauseMs, stopping.signal);
		const due = pauses.get(key);
		pauses.delete(key);
		if (due && !stopping.signal.aborted) ring(key, due);
	};
	const ring = (key: string, say: () => void): void => {
		if (stopping.signal.aborted) return;
		if (pauses.has(key)) {
			pauses.set(key, say);
			return;
		}
		void pause(key);
		say();
	};
	return { ring, stop: () => stopping.abort() };
}
