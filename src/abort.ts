/**
 * The end of something under way, wished for from outside: what an `AbortController` and its signal do, for the calls
 * of which there are very many. The platform's own are objects outside the engine's heap, with an event for each
 * abort; these are neither. Whoever waits for one takes either.
 */

export type AbortListener = (() => void) | { handleEvent(): void };

/** As much of an `AbortSignal` as is needed to give up in time. */
export type Abortable = {
	readonly aborted: boolean;
	addEventListener(
		type: "abort",
		listener: AbortListener,
		options?: { readonly once?: boolean },
	): void;
	removeEventListener(type: "abort", listener: AbortListener): void;
};

/** Aborted at most once; each listener hears of it once. */
export class Abort implements Abortable {
	aborted = false;
	/** Nearly always there is one, and a set for it would be most of what this costs. */
	#first: AbortListener | null = null;
	#others: Set<AbortListener> | null = null;

	addEventListener(_type: "abort", listener: AbortListener): void {
		if (this.aborted || this.#first === listener) return;
		if (this.#first === null) {
			this.#first = listener;
			return;
		}
		this.#others ??= new Set();
		this.#others.add(listener);
	}

	removeEventListener(_type: "abort", listener: AbortListener): void {
		if (this.#first === listener) this.#first = null;
		else this.#others?.delete(listener);
	}

	abort(): void {
		if (this.aborted) return;
		this.aborted = true;
		const listeners = [this.#first, ...(this.#others ?? [])];
		this.#first = null;
		this.#others = null;
		for (const listener of listeners)
			if (typeof listener === "function") listener();
			else listener?.handleEvent();
	}
}
