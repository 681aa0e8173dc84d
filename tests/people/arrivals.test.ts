import { expect, test } from "bun:test";
import { createArrivals } from "../../src/people/arrivals.ts";

test("an arrival is good once, for whom it was issued, and not for long", () => {
	let now = 1000;
	const arrivals = createArrivals({ now: () => now, nowMs: () => now * 1000 });
	const token = arrivals.issue("usr_ada");
	expect(token).toMatch(/^[\w-]{43}$/);
	expect(arrivals.redeem("made up")).toBeNull();
	expect(arrivals.redeem(token)).toBe("usr_ada");
	expect(arrivals.redeem(token)).toBeNull();
	const late = arrivals.issue("usr_ada");
	now += 300;
	expect(arrivals.redeem(late)).toBeNull();
});

test("no more than a hundred wait", () => {
	const arrivals = createArrivals({ now: () => 1, nowMs: () => 1 });
	const tokens = Array.from({ length: 101 }, () => arrivals.issue("usr_ada"));
	expect(arrivals.redeem(tokens[0] ?? "")).toBeNull();
	expect(arrivals.redeem(tokens[1] ?? "")).toBe("usr_ada");
});
