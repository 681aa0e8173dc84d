/**
 * How long one call waits for its server: anew each time the server shows that it is alive, and not at all while a
 * person is being asked.
 */

/** A class, because every call makes one. */
export class Patience {
	readonly timeoutMs: number;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#holds = 0;
	#onEnd: (() => void) | null = null;

	constructor(timeoutMs: number) {
		this.timeoutMs = timeoutMs;
	}

	/** Begins to wait. `onEnd` is called when nothing was heard for so long. */
	start(onEnd: () => void): void {
		this.#onEnd = onEnd;
		this.#begin();
	}

	/** The server is alive: its time begins anew. */
	touch(): void {
		this.#timer?.refresh();
	}

	/** Time stands still until the returned function is called, and begins anew then. */
	hold(): () => void {
		let held = true;
		this.#holds++;
		this.#begin();
		return () => {
			if (!held) return;
			held = false;
			this.#holds--;
			this.#begin();
		};
	}

	stop(): void {
		this.#onEnd = null;
		clearTimeout(this.#timer);
		this.#timer = undefined;
	}

	#begin(): void {
		clearTimeout(this.#timer);
		this.#timer =
			this.#onEnd && this.#holds === 0
				? setTimeout(this.#onEnd, this.timeoutMs)
				: undefined;
	}
}
