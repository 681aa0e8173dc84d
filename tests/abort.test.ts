import { expect, test } from "bun:test";
import { Abort, type Abortable } from "../src/abort.ts";
import { delay } from "../src/clock.ts";

test("each listener hears of it once, whichever kind it is, unless it was taken away", () => {
	const abort = new Abort();
	const heard: string[] = [];
	const gone = (): void => void heard.push("gone");
	abort.addEventListener("abort", () => void heard.push("function"));
	abort.addEventListener("abort", {
		handleEvent: () => void heard.push("object"),
	});
	abort.addEventListener("abort", gone);
	abort.removeEventListener("abort", gone);
	abort.abort();
	abort.abort();
	expect(heard).toEqual(["function", "object"]);
	expect(abort.aborted).toBe(true);
});

test("whoever asks too late hears nothing, as with the platform's own", () => {
	for (const kind of [new Abort(), new AbortController()]) {
		const signal: Abortable = kind instanceof Abort ? kind : kind.signal;
		kind.abort();
		let heard = 0;
		signal.addEventListener("abort", () => heard++);
		kind.abort();
		expect([signal.aborted, heard]).toEqual([true, 0]);
	}
});

test("a listener that makes way for another is not heard", () => {
	const abort = new Abort();
	const heard: number[] = [];
	const first = (): void => void heard.push(1);
	abort.addEventListener("abort", first);
	abort.removeEventListener("abort", first);
	abort.addEventListener("abort", () => void heard.push(2));
	abort.abort();
	expect(heard).toEqual([2]);
});

test("a wait is ended by it", async () => {
	const abort = new Abort();
	const waited = delay(60_000, abort);
	abort.abort();
	await waited;
});
