import { expect, test } from "bun:test";
import { delay } from "../../src/clock.ts";
import { createBells } from "../../src/mcp/bells.ts";

test("what is said often is said at once, and once more for all that was meant in the pause", async () => {
	const bells = createBells(20);
	let said = 0;
	const again = Promise.withResolvers<void>();
	const say = (): void => {
		if (++said === 2) again.resolve();
	};
	for (let rings = 0; rings < 1000; rings++) bells.ring("tools", say);
	expect(said).toBe(1);
	await again.promise;
	await delay(50);
	expect(said).toBe(2);
	bells.ring("tools", say);
	expect(said).toBe(3);
	bells.stop();
});

test("one thing does not wait for another, and nothing is said after the end", async () => {
	const bells = createBells(10);
	const said: string[] = [];
	for (const key of ["a", "b", "a", "b"]) bells.ring(key, () => said.push(key));
	expect(said).toEqual(["a", "b"]);
	bells.stop();
	await delay(30);
	bells.ring("c", () => said.push("c"));
	expect(said).toEqual(["a", "b"]);
});
