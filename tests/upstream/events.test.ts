import { expect, test } from "bun:test";
import {
	createEventSplitter,
	type ServerEvent,
} from "../../src/upstream/events.ts";

function split(text: string, size: number): readonly string[] {
	const events: ServerEvent[] = [];
	const splitter = createEventSplitter({
		bytesMax: 1000,
		onEvent: (event) => events.push(event),
		onTooLong: () => {
			throw new Error("too long");
		},
	});
	const bytes = Buffer.from(text);
	for (let at = 0; at < bytes.length; at += size)
		splitter.push(bytes.subarray(at, at + size));
	return events.map(
		({ type, data, id }) => `${type}|${Buffer.from(data)}|${id}`,
	);
}

for (const size of [1, 2, 5, 1000])
	test(`WHATWG HTML 9.2.6: events are split alike in pieces of ${size} bytes`, () => {
		expect(split("data: a\n\ndata:b\r\n\r\ndata:  c\r\r", size)).toEqual([
			"message|a|",
			"message|b|",
			"message| c|",
		]);
		expect(
			split(
				": comment\nevent: endpoint\nid: 7\ndata: x\ndata\ndata: z\n\n",
				size,
			),
		).toEqual(["endpoint|x\n\nz|7"]);
		expect(split("\uFEFFdata: bom\n\n", size)).toEqual(["message|bom|"]);
		expect(split("id: 1\n\ndata: é\n\nevent: x\n\ndata: y\n\n", size)).toEqual([
			"message|é|1",
			"message|y|1",
		]);
		expect(split("data: never ended\n", size)).toEqual([]);
	});

test("an event that is too long is not collected", () => {
	expect(() => split(`data: ${"x".repeat(2000)}`, 10)).toThrow("too long");
	expect(() => split(`data: ${"x".repeat(99)}\n`.repeat(20), 10)).toThrow(
		"too long",
	);
});
