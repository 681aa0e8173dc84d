import { expect, test } from "bun:test";
import { Deadline, deadlines } from "../src/clock.ts";
import { withTimers } from "./support/timers.ts";

class Told extends Deadline {
	readonly tell: () => void;

	constructor(tell: () => void) {
		super();
		this.tell = tell;
	}

	onLate(): void {
		this.tell();
	}
}

/** A deadline that writes down when it was passed. */
function deadline(name: string, passed: string[]): Deadline {
	return new Told(() => void passed.push(name));
}

test("deadlines pass in their order, each once, however they were set", () =>
	withTimers((passMs) => {
		const passed: string[] = [];
		deadlines.add(deadline("late", passed), 3000);
		deadlines.add(deadline("soon", passed), 1000);
		deadlines.add(deadline("between", passed), 2000);
		passMs(999);
		expect(passed).toEqual([]);
		passMs(1);
		expect(passed).toEqual(["soon"]);
		passMs(10_000);
		expect(passed).toEqual(["soon", "between", "late"]);
	}));

test("one that is taken back or put off does not pass", () =>
	withTimers((passMs) => {
		const passed: string[] = [];
		const [back, off] = [deadline("back", passed), deadline("off", passed)];
		deadlines.add(back, 1000);
		deadlines.add(off, 1000);
		deadlines.delete(back);
		passMs(900);
		deadlines.putOff(off, 1000);
		passMs(900);
		expect(passed).toEqual([]);
		passMs(100);
		expect(passed).toEqual(["off"]);
	}));

test("what one does when it passes may take another back, or set it anew", () =>
	withTimers((passMs) => {
		const passed: string[] = [];
		const other = deadline("other", passed);
		const again = new Told(() => {
			passed.push("again");
			deadlines.delete(other);
			if (passed.length < 3) deadlines.add(again, 500);
		});
		deadlines.add(again, 1000);
		deadlines.add(other, 1000);
		passMs(5000);
		expect(passed).toEqual(["again", "again", "again"]);
	}));
