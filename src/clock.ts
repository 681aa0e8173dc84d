/**
 * The only clock. Instants are integer seconds since 1970 and end in `At`; durations carry their unit.
 * Everyone else is handed a `Clock`, so that a test can be tomorrow.
 */

export type Clock = {
	/** Now, in whole seconds. */
	readonly now: () => number;
	/** Now, in milliseconds; for durations within one process only. */
	readonly nowMs: () => number;
};

export const systemClock: Clock = {
	now: () => Math.floor(Date.now() / 1000),
	nowMs: () => performance.now(),
};

/** Resolves after `ms`; an aborted signal ends the wait early without an error. Never keeps the process alive. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		if (signal?.aborted) return resolve();
		const done = (): void => {
			clearTimeout(timer);
			signal?.removeEventListener("abort", done);
			resolve();
		};
		const timer = setTimeout(done, ms);
		signal?.addEventListener("abort", done, { once: true });
	});
}

/** Calls `work` every `ms` until stopped. Never keeps the process alive. */
export function every(ms: number, work: () => void): () => void {
	const timer = setInterval(work, ms);
	timer.unref();
	return () => clearInterval(timer);
}
