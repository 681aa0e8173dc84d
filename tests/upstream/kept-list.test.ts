import { expect, test } from "bun:test";
import { toBytes } from "../../src/message.ts";
import { KeptList } from "../../src/upstream/kept-list.ts";
import { EMPTY, type Listing } from "../../src/upstream/lists.ts";

const MINUTE_MS = 60_000;

/** A list of things of these names. */
function listing(ttlMs: number | undefined, ...keys: string[]): Listing {
	const items = keys.map((key) => ({ key, bytes: toBytes(`"${key}"`) }));
	return { ...EMPTY, items, ttlMs };
}

test("a list holds for as long as it says, or ten minutes; while its server sleeps it does not grow old", () => {
	for (const [ttlMs, heldMs] of [
		[5000, 5000],
		[undefined, 10 * MINUTE_MS],
	] as const) {
		const kept = new KeptList();
		expect(kept.holdsForMs(true, 0)).toBe(0);
		const list = listing(ttlMs, "a");
		kept.take(list, kept.changes, 0);
		expect(kept.holdsForMs(true, 1000)).toBe(heldMs - 1000);
		expect(kept.fresh(true, heldMs - 1)).toBe(list);
		expect(kept.fresh(true, heldMs)).toBeNull();
		expect(kept.fresh(false, heldMs)).toBe(list);
		expect(kept.holdsForMs(false, heldMs)).toBe(heldMs);
	}
});

test("what was asked for before a change is old when it comes", () => {
	const kept = new KeptList();
	const since = kept.changes;
	kept.change();
	const list = listing(5000, "a");
	kept.take(list, since, 0);
	expect(kept.fresh(true, 0)).toBeNull();
	expect(kept.last).toBe(list);
});

test("a first list is news only to those who were given none, and another one only if it says something else", () => {
	const take = (kept: KeptList, ...keys: string[]): boolean =>
		kept.take(listing(undefined, ...keys), kept.changes, 0);
	const kept = new KeptList();
	expect(take(kept, "a")).toBe(false);
	expect(take(kept, "a")).toBe(false);
	expect(take(kept, "a", "b")).toBe(true);
	const missed = new KeptList();
	missed.isMissed = true;
	expect(take(missed, "a")).toBe(true);
	expect(missed.isMissed).toBe(false);
	const missedAndEmpty = new KeptList();
	missedAndEmpty.isMissed = true;
	expect(take(missedAndEmpty)).toBe(false);
});
