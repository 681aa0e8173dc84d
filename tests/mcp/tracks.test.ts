import { expect, test } from "bun:test";
import { createEventStream, type EventStream } from "../../src/mcp/stream.ts";
import {
	type Budget,
	createTracks,
	type Tracks,
} from "../../src/mcp/tracks.ts";
import { toBytes } from "../../src/message.ts";
import { readableOf } from "../../src/pieces.ts";

/** Everything that a connection was sent; it must have ended, or never ends. */
function sent(connection: EventStream): Promise<string> {
	return new Response(readableOf(connection.body)).text();
}

function idsIn(text: string): readonly string[] {
	return [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id ?? "");
}

function dataIn(text: string): readonly string[] {
	return [...text.matchAll(/^data: (.+)$/gm)].map(([, data]) => data ?? "");
}

function fresh(primes = true): { tracks: Tracks; budget: Budget } {
	const budget = { bytes: 0 };
	return { tracks: createTracks(budget, primes), budget };
}

function found(tracks: Tracks, id: string): (again: EventStream) => void {
	const resumed = tracks.resume(id);
	if (resumed?.kind !== "found") throw new Error("not found");
	return (again) => resumed.track.connect(again, resumed.after);
}

test("a stream begins with an event without data, and says when to come back (SEP-1699)", async () => {
	const first = createEventStream();
	fresh().tracks.open("1", first).end();
	expect(await sent(first)).toMatch(/^id: \S+\nretry: \d+\ndata: \n\n$/);
	const older = createEventStream();
	fresh(false).tracks.open("1", older).end();
	expect(await sent(older)).toBe("");
});

test("who comes back gets what followed the last event it has seen, and what comes", async () => {
	const { tracks } = fresh();
	const first = createEventStream();
	const track = tracks.open("1", first);
	track.send(toBytes("1"));
	track.send(toBytes("2"));
	first.end();
	const [, afterOne = ""] = idsIn(await sent(first));
	track.send(toBytes("3"));
	const again = createEventStream();
	found(tracks, afterOne)(again);
	track.send(toBytes("4"));
	track.end();
	expect(dataIn(await sent(again))).toEqual(["2", "3", "4"]);
});

test("an answer that may have been missed is told again after its stream has ended", async () => {
	const { tracks } = fresh();
	const first = createEventStream();
	const track = tracks.open("1", first);
	track.send(toBytes("the answer"));
	track.end();
	const [primed = ""] = idsIn(await sent(first));
	for (const again of [createEventStream(), createEventStream()]) {
		found(tracks, primed)(again);
		expect(dataIn(await sent(again))).toEqual(["the answer"]);
	}
});

test("a second connection takes the first one's place", async () => {
	const { tracks } = fresh();
	const first = createEventStream();
	const track = tracks.open(null, first);
	track.send(toBytes("1"));
	const second = createEventStream();
	track.connect(second, 0);
	track.send(toBytes("2"));
	expect(dataIn(await sent(first))).toEqual(["1"]);
	track.end();
	expect(dataIn(await sent(second))).toEqual(["1", "2"]);
});

test("a call that is gone is known by the id of its events; what was said unasked is owed to nobody", async () => {
	const connections = [createEventStream(), createEventStream()] as const;
	const { tracks } = fresh();
	tracks.open('"call 7"', connections[0]).end();
	const heard = tracks.open(null, connections[1]);
	const [call = ""] = idsIn(await sent(connections[0]));
	heard.end();
	const [unasked = ""] = idsIn(await sent(connections[1]));
	const later = fresh().tracks;
	expect(later.resume(call)).toEqual({ kind: "lost", callId: '"call 7"' });
	expect(later.resume(unasked)).toBeNull();
	for (const strange of ["", "x", "a.b.c", "a.b.1", "a.eyJ9.1"])
		expect(later.resume(strange)).toBeNull();
});

test("what is kept is bounded, and given back at the end", async () => {
	const { tracks, budget } = fresh();
	const track = tracks.open("1", createEventStream());
	const large = new Uint8Array(1024 * 1024).fill(0x31);
	for (let sends = 0; sends < 10; sends++) track.send(large);
	expect(budget.bytes).toBeLessThanOrEqual(4 * 1024 * 1024);
	for (let sends = 0; sends < 2000; sends++) track.send(toBytes("1"));
	expect(budget.bytes).toBeLessThanOrEqual(1000);
	for (let calls = 0; calls < 100; calls++)
		tracks.open(String(calls), createEventStream()).send(large);
	expect(budget.bytes).toBeLessThanOrEqual(64 * 1024 * 1024);
	tracks.close();
	expect(budget.bytes).toBe(0);
});
