/** Waiting for what only asking again can show; what can be awaited must be awaited instead. */

const PAUSE_MS = 20;

/** @throws Error naming `what` when it does not become true in time */
export async function until(
	what: string,
	holds: () => boolean | Promise<boolean>,
	timeoutMs = 10_000,
): Promise<void> {
	const deadline = performance.now() + timeoutMs;
	while (!(await holds())) {
		if (performance.now() > deadline)
			throw new Error(`in ${timeoutMs} ms it did not happen that ${what}`);
		await Bun.sleep(PAUSE_MS);
	}
}
