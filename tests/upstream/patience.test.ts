import { expect, test } from "bun:test";
import { Patience } from "../../src/upstream/patience.ts";
import { withTimers } from "../support/timers.ts";

test("it ends when nothing is heard for that long, and anew from each sign of life", () =>
	withTimers((passMs) => {
		let ended = 0;
		const patience = new Patience(1000);
		patience.start({ onLate: () => ended++ });
		passMs(900);
		patience.touch();
		passMs(900);
		expect(ended).toBe(0);
		passMs(100);
		expect(ended).toBe(1);
	}));

test("time stands still while a person is asked, however long, and begins anew after the last question", () =>
	withTimers((passMs) => {
		let ended = 0;
		const patience = new Patience(1000);
		patience.start({ onLate: () => ended++ });
		passMs(900);
		const [first, second] = [patience.hold(), patience.hold()];
		passMs(600_000);
		patience.touch();
		first();
		first();
		passMs(600_000);
		expect(ended).toBe(0);
		second();
		passMs(999);
		expect(ended).toBe(0);
		passMs(1);
		expect(ended).toBe(1);
	}));

test("what was stopped never ends, not even after a question", () =>
	withTimers((passMs) => {
		let ended = 0;
		const patience = new Patience(1000);
		patience.start({ onLate: () => ended++ });
		const resume = patience.hold();
		patience.stop();
		resume();
		passMs(5000);
		expect(ended).toBe(0);
	}));
