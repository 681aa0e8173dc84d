/**
 * The only clock. Instants are integer seconds since 1970 and end in `At`; durations carry their unit.
 * Everyone else is handed a `Clock`, so that a test can be tomorrow.
 */
import type { Abortable } from "./abort.ts";

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

/** An instant as HTTP says it (RFC 9110 5.6.7). */
export function httpDate(at: number): string {
	return new Date(at * 1000).toUTCString();
}

/** Resolves after `ms`; an aborted signal ends the wait early without an error. Never keeps the process alive. */
export function delay(ms: number, signal?: Abortable): Promise<void> {
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

/** Something that is given up when it is not over by then. */
export type Deadline = {
	/** When it passes; set by whoever keeps the deadlines. */
	atMs: number;
	/** Called once it has passed; the deadline does not stand any more. */
	onLate(): void;
};

/**
 * The deadlines that stand. Every call sets some, and next to none is ever passed: one timer for all of them, set for
 * the first to come, costs a call far less than a timer for each. Never keeps the process alive.
 */
class Deadlines {
	readonly #standing = new Set<Deadline>();
	#timer: ReturnType<typeof setTimeout> | null = null;
	#timerMs = Number.POSITIVE_INFINITY;

	/** Sets it to pass so long from now. */
	add(deadline: Deadline, inMs: number): void {
		this.putOff(deadline, inMs);
		this.#standing.add(deadline);
		if (deadline.atMs < this.#timerMs) this.#wakeAt(deadline.atMs);
	}

	/** The same for one that stands already, or never will. */
	putOff(deadline: Deadline, inMs: number): void {
		deadline.atMs = performance.now() + inMs;
	}

	delete(deadline: Deadline): void {
		this.#standing.delete(deadline);
	}

	#wakeAt(atMs: number): void {
		if (this.#timer) clearTimeout(this.#timer);
		this.#timerMs = atMs;
		const waitMs = Math.max(1, Math.ceil(atMs - performance.now()));
		this.#timer = setTimeout(() => this.#look(), waitMs);
		this.#timer.unref();
	}

	#look(): void {
		this.#timer = null;
		this.#timerMs = Number.POSITIVE_INFINITY;
		const nowMs = performance.now();
		let nextMs = Number.POSITIVE_INFINITY;
		for (const deadline of [...this.#standing])
			if (deadline.atMs > nowMs) nextMs = Math.min(nextMs, deadline.atMs);
			else if (this.#standing.delete(deadline)) deadline.onLate();
		if (nextMs < this.#timerMs) this.#wakeAt(nextMs);
	}
}

export const deadlines = new Deadlines();
