import { expect, test } from "bun:test";
import fc from "fast-check";
import { replaceMembers, withMembers } from "../../src/mcp/members.ts";
import { type Bytes, membersOf, textOf, toBytes } from "../../src/message.ts";
import { type Pieces, wholeOf } from "../../src/pieces.ts";
import { jsonText, objectText } from "../support/json-text.ts";

/** The text in pieces that are cut at these lengths, again and again. */
function cut(text: string, lengths: readonly number[]): Pieces {
	const bytes = toBytes(text);
	let at = 0;
	let turn = 0;
	return {
		next: async () => {
			if (at >= bytes.length) return null;
			const from = at;
			at += lengths[turn++ % lengths.length] as number;
			return bytes.subarray(from, at);
		},
		cancel: () => {},
	};
}

function read(body: Bytes | Pieces): Promise<string> | string {
	return body instanceof Uint8Array
		? textOf(body)
		: wholeOf(body, 1 << 24).then((bytes) => textOf(bytes));
}

const SAID = { resultType: '"complete"', ttlMs: "0" };
const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });
const result = objectText({
	content: jsonText,
	resultType: jsonText,
	ttlMs: jsonText,
	resultTypes: jsonText,
});

test("whole or in pieces, each member stands once with our value, and all others as they were written", async () => {
	await fc.assert(
		fc.asyncProperty(result, lengths, async (text, sizes) => {
			const others = (bytes: Bytes): readonly string[] =>
				membersOf(bytes, 0)
					.filter(({ key }) => !(key in SAID))
					.map(({ keyStart, end }) => textOf(bytes.subarray(keyStart, end)));
			for (const body of [toBytes(text), cut(text, sizes)]) {
				const bytes = toBytes(await read(withMembers(body, SAID)));
				const members = membersOf(bytes, 0);
				expect(
					Object.fromEntries(
						members
							.filter(({ key }) => key in SAID)
							.map((member) => [member.key, textOf(bytes, member)]),
					),
				).toEqual(SAID);
				expect(others(bytes)).toEqual(others(toBytes(text)));
			}
		}),
	);
});

test("what is only to be replaced is not added", async () => {
	await fc.assert(
		fc.asyncProperty(result, lengths, async (text, sizes) => {
			const own = membersOf(toBytes(text), 0).map(({ key }) => key);
			for (const body of [toBytes(text), cut(text, sizes)]) {
				const bytes = toBytes(await read(replaceMembers(body, SAID)));
				expect(membersOf(bytes, 0).map(({ key }) => key)).toEqual(own);
			}
		}),
	);
});

test("a result that is no object passes as it is", async () => {
	for (const text of ["[1,{}]", '"a"', "17", "null"])
		for (const body of [toBytes(text), cut(text, [1])])
			expect(await read(withMembers(body, SAID))).toBe(text);
});
