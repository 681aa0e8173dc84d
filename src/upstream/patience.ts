/**
 * How long one call waits for its server: anew each time the server shows that it is alive, and not at all while a
 * person is being asked.
 */
import { Deadline, deadlines } from "../clock.ts";

/** Whoever waits, and is told when it took too long. */
export type Waiter = { onLate(): void };

/** A class, because every call makes one. */
export class Patience extends Deadline {
	readonly timeoutMs: number;
	#holds = 0;
	#waiter: Waiter | null = null;

	constructor(timeoutMs: number) {
		super();
		this.timeoutMs = timeoutMs;
	}

	/** Begins to wait. The waiter is told when nothing was heard for so long. */
	start(waiter: Waiter): void {
		this.#waiter = waiter;
		this.#begin();
	}

	/** The server is alive: its time begins anew. */
	touch(): void {
		deadlines.putOff(this, this.timeoutMs);
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
		this.#waiter = null;
		deadlines.delete(this);
	}

	onLate(): void {
		this.#waiter?.onLate();
	}

	#begin(): void {
		if (this.#waiter && this.#holds === 0) deadlines.add(this, this.timeoutMs);
		else deadlines.delete(this);
	}
}
