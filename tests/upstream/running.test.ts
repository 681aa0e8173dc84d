import { expect, test } from "bun:test";
import { Abort } from "../../src/abort.ts";
import { Patience } from "../../src/upstream/patience.ts";
import { type Running, RunningCalls } from "../../src/upstream/running.ts";

function call(calls: RunningCalls): Running {
	return {
		id: calls.nextId(),
		call: { method: "ping", params: null, signal: new Abort() },
		patience: new Patience(1000),
		ends: null,
		before: null,
		after: null,
	};
}

function idsOf(calls: RunningCalls): readonly number[] {
	return calls.list().map(({ id }) => id);
}

test("calls leave in any order, and those that are left stay the newest first", () => {
	for (const [leaving, left] of [
		[[1], [3, 2]],
		[[2], [3, 1]],
		[[3], [2, 1]],
		[[1, 2, 3], []],
		[[3, 1], [2]],
		[[2, 3, 1], []],
	] as const) {
		const calls = new RunningCalls();
		const all = [call(calls), call(calls), call(calls)] as const;
		for (const each of all) calls.add(each);
		for (const id of leaving) calls.delete(all[id - 1] as Running);
		expect(idsOf(calls)).toEqual([...left]);
		// Whoever comes next is the newest, with an id of its own.
		calls.add(call(calls));
		expect(idsOf(calls)).toEqual([4, ...left]);
	}
});

test("what ended a second time, or never ran, takes nobody else along", () => {
	const calls = new RunningCalls();
	const [first, second, stranger] = [call(calls), call(calls), call(calls)];
	calls.add(first);
	calls.add(second);
	calls.delete(first);
	calls.delete(first);
	calls.delete(stranger);
	expect(idsOf(calls)).toEqual([2]);
});

test("the questions of a call end with it, once", () => {
	const calls = new RunningCalls();
	const asked = call(calls);
	let ended = 0;
	asked.ends = new Set([() => ended++]);
	calls.add(asked);
	calls.delete(asked);
	calls.delete(asked);
	expect(ended).toBe(1);
});
