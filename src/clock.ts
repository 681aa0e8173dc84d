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
export abstract class Deadline {
	/** When it passes; set by whoever keeps the deadlines, as are its neighbours. */
	atMs = 0;
	before: Deadline | null = null;
	after: Deadline | null = null;

	/** Called once it has passed; the deadline does not stand any more. */
	abstract onLate(): void;
}

/**
 * The deadlines that stand. Every call sets some, and next to none is ever passed: one timer for all of them, set for
 * the first to come, and a ring that each is put into and taken out of, cost a call far less than a timer for each.
 * Never keeps the process alive.
 */
class Deadlines extends Deadline {
	#timer: ReturnType<typeof setTimeout> | null = null;
	#timerMs = Number.POSITIVE_INFINITY;

	/** It closes the ring itself. */
	constructor() {
		super();
		this.before = this;
		this.after = this;
	}

	/** Sets it to pass so long from now. */
	add(deadline: Deadline, inMs: number): void {
		this.putOff(deadline, inMs);
		if (deadline.after === null) {
			const last = this.before as Deadline;
			deadline.before = last;
			deadline.after = this;
			last.after = deadline;
			this.before = deadline;
		}
		if (deadline.atMs < this.#timerMs) this.#wakeAt(deadline.atMs);
	}

	/** The same for one that stands already, or never will. */
	putOff(deadline: Deadline, inMs: number): void {
		deadline.atMs = performance.now() + inMs;
	}

	delete(deadline: Deadline): void {
		const { before, after } = deadline;
		if (before === null || after === null) return;
		before.after = after;
		after.before = before;
		deadline.before = null;
		deadline.after = null;
	}

	#wakeAt(atMs: number): void {
		if (this.#timer) clearTimeout(this.#timer);
		this.#timerMs = atMs;
		const waitMs = Math.max(1, Math.ceil(atMs - performance.now()));
		this.#timer = setTimeout(() => this.onLate(), waitMs);
		this.#timer.unref();
	}

	/** Some may have passed. */
	onLate(): void {
		this.#timer = null;
		this.#timerMs = Number.POSITIVE_INFINITY;
		const nowMs = performance.now();
		const passed: Deadline[] = [];
		let nextMs = Number.POSITIVE_INFINITY;
		for (let each = this.after; each && each !== this; each = each.after)
			if (each.atMs > nowMs) nextMs = Math.min(nextMs, each.atMs);
			else passed.push(each);
		// One of them may take another back, or set it anew.
		for (const each of passed)
			if (each.after !== null && each.atMs <= nowMs) {
				this.delete(each);
				each.onLate();
			}
		if (nextMs < this.#timerMs) this.#wakeAt(nextMs);
	}
}

export const deadlines = new Deadlines();
