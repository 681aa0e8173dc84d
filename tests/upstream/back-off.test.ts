import { expect, test } from "bun:test";
import { BackOff } from "../../src/upstream/back-off.ts";

test("a first failure may be tried again at once, and each that follows waits longer, up to a minute", () => {
	const backOff = new BackOff();
	expect(backOff.waitMs(0)).toBe(0);
	const pauses = Array.from({ length: 8 }, () => backOff.fail(0, 0));
	expect(pauses).toEqual([0, 1000, 2000, 5000, 15_000, 30_000, 60_000, 60_000]);
	expect(backOff.waitMs(20_000)).toBe(40_000);
	expect(backOff.waitMs(60_000)).toBe(0);
});

test("what went well for more than a minute begins the count anew", () => {
	const backOff = new BackOff();
	for (let failures = 0; failures < 5; failures++) backOff.fail(60_000, 0);
	expect(backOff.failures).toBe(5);
	expect(backOff.fail(60_001, 0)).toBe(0);
	expect(backOff.failures).toBe(1);
});
