/**
 * One list of one server as it was said last: until when that holds, who asks for it now, and whether what it says is
 * news to anybody. A class, because every upstream keeps some, also when nobody asks it anything for days.
 */
import { type Listing, sameItems } from "./lists.ts";

/** How long a list holds that says nothing of it: changes are announced, this is for servers that forget to. */
const TTL_MS = 10 * 60_000;

export class KeptList {
	/** Null while it was never had. */
	last: Listing | null = null;
	/** The server is being asked for it. */
	asking: Promise<Listing> | null = null;
	/** Somebody was given lists without what is in this one, and it has not come since. */
	isMissed = false;
	#freshUntilMs = 0;
	#changes = 0;

	/** How often it was said to change: what is asked for before that is old when it comes. */
	get changes(): number {
		return this.#changes;
	}

	/** The server says that it changes. */
	change(): void {
		this.#changes++;
		this.expire();
	}

	/** It may be otherwise now. */
	expire(): void {
		this.#freshUntilMs = 0;
	}

	/**
	 * Takes what the server says.
	 * @param since the changes when it was asked
	 * @returns whether that is news: a first list is, to those who were given none
	 */
	take(listing: Listing, since: number, nowMs: number): boolean {
		const before = this.last;
		const isNews = before
			? !sameItems(before, listing)
			: this.isMissed && listing.items.length > 0;
		this.last = listing;
		this.#freshUntilMs = this.#changes === since ? nowMs + ttlOf(listing) : 0;
		this.isMissed = false;
		return isNews;
	}

	/** What it said last, while that holds; a sleeping server's list holds until it wakes. */
	fresh(isAwake: boolean, nowMs: number): Listing | null {
		return !isAwake || nowMs < this.#freshUntilMs ? this.last : null;
	}

	/** How long what is known is good for; 0 when nothing is. */
	holdsForMs(isAwake: boolean, nowMs: number): number {
		if (!this.last) return 0;
		return isAwake ? Math.max(0, this.#freshUntilMs - nowMs) : ttlOf(this.last);
	}
}

function ttlOf({ ttlMs }: Listing): number {
	return ttlMs ?? TTL_MS;
}
