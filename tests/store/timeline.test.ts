import { expect, test } from "bun:test";
import { openDatabase } from "../../src/store/database.ts";
import {
	createTimelineRecorder,
	deleteOldSteps,
	listSteps,
} from "../../src/store/timeline.ts";

const ORIGIN = { address: "192.0.2.7", agent: "Claude-User" };

function open(): {
	db: ReturnType<typeof openDatabase>;
	timeline: ReturnType<typeof createTimelineRecorder>;
	at: { now: number };
} {
	const db = openDatabase(":memory:");
	const at = { now: 1000 };
	const clock = { now: () => at.now, nowMs: () => 0 };
	return { db, at, timeline: createTimelineRecorder({ db, clock }) };
}

test("a step is kept with where it came from, without control characters, and not before the batch is written", () => {
	const { db, timeline } = open();
	timeline.note(
		{ address: "192.0.2.7", agent: `evil\u001b[31m\u202e${"x".repeat(500)}` },
		{ step: "registration", outcome: "ok", clientId: "cli_a" },
	);
	expect(listSteps(db, 0, 10)).toEqual([]);
	timeline.flush();
	const [step] = listSteps(db, 0, 10);
	expect(step).toMatchObject({
		at: 1000,
		step: "registration",
		outcome: "ok",
		clientId: "cli_a",
		detail: null,
		address: "192.0.2.7",
	});
	expect(step?.agent).toHaveLength(200);
	for (const hidden of ["\u001b", "\u202e"])
		expect(step?.agent).not.toContain(hidden);
	timeline.close();
});

test("a grant is unused from its first tokens to its first call or its first refresh", () => {
	const { timeline } = open();
	const issued = { step: "token", outcome: "ok", grantId: "grt_a" } as const;
	expect(timeline.isUnused("grt_a")).toBe(false);
	timeline.note(ORIGIN, issued);
	expect(timeline.isUnused("grt_a")).toBe(true);
	expect(timeline.isFirstUse("grt_a")).toBe(true);
	expect(timeline.isFirstUse("grt_a")).toBe(false);
	expect(timeline.isUnused("grt_a")).toBe(false);
	timeline.note(ORIGIN, issued);
	timeline.note(ORIGIN, { ...issued, step: "refresh" });
	expect(timeline.isUnused("grt_a")).toBe(false);
	expect(timeline.isFirstUse(null)).toBe(false);
	timeline.close();
});

test("rows are bounded, and strangers push out nobody but strangers", () => {
	const { db, timeline } = open();
	timeline.note(ORIGIN, { step: "token", outcome: "ok", clientId: "cli_a" });
	for (let n = 0; n < 6000; n++)
		timeline.note(ORIGIN, { step: "challenge", outcome: "ok" });
	timeline.flush();
	const steps = listSteps(db, 0, 30_000);
	expect(steps).toHaveLength(5001);
	expect(steps[0]?.clientId).toBe("cli_a");
	for (let n = 0; n < 20_000; n++)
		timeline.note(ORIGIN, { step: "token", outcome: "ok", clientId: "cli_b" });
	timeline.flush();
	expect(listSteps(db, 0, 30_000)).toHaveLength(20_000);
	timeline.close();
});

test("steps end by age", () => {
	const { db, timeline, at } = open();
	timeline.note(ORIGIN, { step: "challenge", outcome: "ok" });
	at.now = 2000;
	timeline.note(ORIGIN, { step: "metadata", outcome: "ok" });
	timeline.flush();
	deleteOldSteps(db, 1500);
	expect(listSteps(db, 0, 10).map(({ step }) => step)).toEqual(["metadata"]);
	timeline.close();
});
