/** What of MCP requests gets on the timeline: who was turned away, and the first call of each grant. */
import { expect, test } from "bun:test";
import type { Caller } from "../../src/caller.ts";
import {
	createWitness,
	type Seen,
	type Witness,
} from "../../src/http/witness.ts";
import { openDatabase } from "../../src/store/database.ts";
import { createTimelineRecorder, listSteps } from "../../src/store/timeline.ts";

const CALLER: Caller = {
	userId: "usr_a",
	role: "member",
	clientId: "cli_a",
	grantId: "grt_a",
	scopes: ["mcp"],
};

function open(): {
	readonly witness: Witness;
	/** A call from there. */
	readonly call: (headers?: Record<string, string>, address?: string) => Seen;
	readonly steps: () => readonly string[];
} {
	const db = openDatabase(":memory:");
	const clock = { now: () => 1000, nowMs: () => 1_000_000 };
	const timeline = createTimelineRecorder({ db, clock });
	return {
		witness: createWitness({ timeline, clock }),
		call: (headers = {}, address = "192.0.2.1") => ({
			request: new Request("https://gw.example/mcp?code=secret", {
				method: "POST",
				headers,
			}),
			clientAddress: () => address,
		}),
		steps: () => {
			timeline.flush();
			return listSteps(db, 0, 1000).map(
				({ step, outcome, detail, clientId }) =>
					`${step} ${outcome} ${detail} ${clientId}`,
			);
		},
	};
}

test("the first call of a grant is a step, and no later one", async () => {
	const { witness, call, steps } = open();
	witness.note(call(), {
		step: "token",
		outcome: "ok",
		clientId: "cli_a",
		grantId: "grt_a",
	});
	for (let n = 0; n < 3; n++)
		await witness.heard(
			call(),
			CALLER,
			Promise.resolve(new Response(null, { status: 404 })),
		);
	expect(steps()).toEqual([
		"token ok null cli_a",
		"mcp refused POST /mcp 404 cli_a",
	]);
});

test("a call of an API key, or of a grant that was used before, is none", async () => {
	const { witness, call, steps } = open();
	for (const grantId of [CALLER.grantId, null])
		await witness.heard(
			call(),
			{ ...CALLER, grantId },
			Promise.resolve(new Response()),
		);
	expect(steps()).toEqual([]);
});

test("who is turned away is told apart by whether they had a token; the query is not kept", () => {
	const { witness, call, steps } = open();
	witness.turnedAway(call());
	witness.turnedAway(call({ Authorization: "Bearer sp_at_x" }));
	expect(steps()).toEqual([
		"challenge ok POST /mcp null",
		"challenge refused POST /mcp null",
	]);
});

test("a scanner leaves sixty steps a minute, and somebody elsewhere still theirs", () => {
	const { witness, call, steps } = open();
	for (let n = 0; n < 200; n++) witness.turnedAway(call());
	witness.turnedAway(call({}, "198.51.100.1"));
	expect(steps()).toHaveLength(61);
});
