import { expect, test } from "bun:test";
import { adaptResult, withPrivateCache } from "../../src/mcp/adapt.ts";
import { type Bytes, textOf, toBytes } from "../../src/message.ts";
import { type Pieces, wholeOf } from "../../src/pieces.ts";

/** A body that arrives in pieces of a few bytes each. */
function inPieces(text: string, size = 5): Pieces {
	const bytes = toBytes(text);
	let at = 0;
	return {
		next: async () => {
			const piece = bytes.subarray(at, at + size);
			at += size;
			return piece.length > 0 ? piece : null;
		},
		cancel: () => {},
	};
}

async function readAll(body: Bytes | Pieces): Promise<string> {
	return textOf(
		body instanceof Uint8Array ? body : await wholeOf(body, 1 << 20),
	);
}

function toModern(method: string, text: string): string {
	const { body } = adaptResult({ era: "modern", method }, "legacy", {
		member: "result",
		body: toBytes(text),
	});
	return textOf(body as Bytes);
}

test("a legacy result becomes a modern one by what is put in front", () => {
	expect(toModern("tools/call", '{ "content":[]}')).toBe(
		'{"resultType":"complete", "content":[]}',
	);
	expect(toModern("tools/call", "{}")).toBe('{"resultType":"complete"}');
	expect(toModern("resources/read", '{"contents":[]}')).toBe(
		'{"resultType":"complete","ttlMs":0,"cacheScope":"private","contents":[]}',
	);
});

test("2026-07-28 mrtr: a legacy server's result is no question, whatever it says; one of the gateway's own is", () => {
	const said =
		'{"inputRequests":{"a":{"method":"elicitation/create"}},"resultType":"input_required"}';
	expect(toModern("tools/call", said)).toBe(
		said.replace('"input_required"', '"complete"'),
	);
	const own = {
		member: "result",
		body: toBytes(said),
		isQuestion: true,
	} as const;
	const to = { era: "modern", method: "tools/call" } as const;
	expect(adaptResult(to, "legacy", own)).toBe(own);
});

test("2026-07-28 basic: a result says once how it ended, though its legacy server has said something of that name", () => {
	const inner =
		'"content":[{"resultType":"inner"}],"note":"\\"resultType\\":1"';
	for (const [said, becomes] of [
		[
			`{${inner},"resultType" : "complete" }`,
			`{${inner},"resultType" : "complete" }`,
		],
		[`{"resultType":{"a":[1]},${inner}}`, `{"resultType":"complete",${inner}}`],
		[`{${inner}}`, `{"resultType":"complete",${inner}}`],
	] as const)
		expect(toModern("tools/call", said)).toBe(becomes);
	expect(
		toModern(
			"resources/read",
			'{"contents":[],"cacheScope":"public","ttlMs":-1}',
		),
	).toBe(
		'{"resultType":"complete","contents":[],"cacheScope":"private","ttlMs":0}',
	);
});

test("a read for somebody is private to them, and nothing else about it changes", async () => {
	for (const [said, becomes] of [
		[
			'{"cacheScope": "public","contents":[{"cacheScope":"public"}],"ttlMs":5}',
			'{"cacheScope": "private","contents":[{"cacheScope":"public"}],"ttlMs":5}',
		],
		['{"contents":[]}', '{"contents":[]}'],
		['{"cacheScope":"private"}', '{"cacheScope":"private"}'],
	] as const)
		for (const body of [toBytes(said), inPieces(said)])
			expect(
				await readAll(withPrivateCache({ member: "result", body }).body),
			).toBe(becomes);
	const refusal = { member: "error", body: toBytes('{"code":1}') } as const;
	expect(withPrivateCache(refusal)).toEqual(refusal);
});
