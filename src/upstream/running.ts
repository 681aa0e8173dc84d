/**
 * The requests of ours that run on one link, and the ids they have there. Every call comes and goes here, and a link is
 * kept for days: so they are chained to each other, and it keeps nothing when none runs.
 */
import type { Patience } from "./patience.ts";
import type { Call } from "./upstream.ts";

/** One of our requests while it runs. */
export type Running = {
	readonly id: number;
	readonly call: Call;
	readonly patience: Patience;
	/** What to do when it ends before its questions are answered; null while it was asked none. */
	ends: Set<() => void> | null;
	/** Its neighbours; set by whoever keeps what runs. */
	before: Running | null;
	after: Running | null;
};

export class RunningCalls {
	#newest: Running | null = null;
	#lastId = 0;

	/** An id that no other request on this link has or had. */
	nextId(): number {
		return ++this.#lastId;
	}

	add(call: Running): void {
		const before = this.#newest;
		call.before = before;
		if (before) before.after = call;
		this.#newest = call;
	}

	/** It has ended, and its open questions end with it. */
	delete(call: Running): void {
		const { before, after, ends } = call;
		if (after) after.before = before;
		else if (this.#newest === call) this.#newest = before;
		else return; // it is gone, or never was here
		if (before) before.after = after;
		call.before = null;
		call.after = null;
		if (ends) for (const end of ends) end();
	}

	/** Those that there are now, newest first. */
	list(): readonly Running[] {
		const found: Running[] = [];
		for (let call = this.#newest; call; call = call.before) found.push(call);
		return found;
	}
}
