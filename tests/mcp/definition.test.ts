import { expect, test } from "bun:test";
import fc from "fast-check";
import { definitionOf, definitionOfText } from "../../src/mcp/definition.ts";
import { toBytes } from "../../src/message.ts";
import type { Definition } from "../../src/store/tool-pins.ts";

function define(text: string, key = "read"): Definition {
	return definitionOf({ key, bytes: toBytes(text) });
}

test("order, white space and escapes make no difference", () => {
	const one = define(
		'{"name":"read","description":"Lies\\u0065n","inputSchema":{"type":"object","properties":{"a":{},"b":[1,{"x":1,"y":2}]}}}',
	);
	const other = define(
		'{ "inputSchema": {"properties":{"b":[1,{"y":2,"x":1}],"a":{ }},"type":"object"},\n"description":"Liesen", "name":"read"}',
	);
	expect(other).toEqual(one);
});

test("whatever is written anew by another JSON library is the same definition", () => {
	const shuffled = (value: unknown): unknown =>
		Array.isArray(value)
			? value.map(shuffled)
			: value !== null && typeof value === "object"
				? Object.fromEntries(
						Object.entries(value)
							.map(([key, inner]) => [key, shuffled(inner)] as const)
							.toReversed(),
					)
				: value;
	fc.assert(
		fc.property(
			fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<unknown>),
			(tool) => {
				const plain = { ...tool, name: "read" };
				expect(define(JSON.stringify(shuffled(plain), null, 3)).digest).toBe(
					define(JSON.stringify(plain)).digest,
				);
			},
		),
	);
});

test("every change that a model or a person can act on is one", () => {
	const base =
		'{"name":"read","title":"Read","description":"Reads","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}';
	for (const [from, to] of [
		["Reads", "Reads, and sends it on"],
		['"type":"object"', '"type":"object","required":["a"]'],
		["true", "false"],
		['"Read"', '"Write"'],
		["{", '{"outputSchema":{},'],
		["{", '{"vendor/anything":1,'],
	] as const)
		expect(define(base.replace(from, to)).digest).not.toBe(define(base).digest);
});

test("icons and _meta are none", () => {
	const base = '{"name":"read"}';
	expect(
		define(
			'{"icons":[{"src":"https://a/?sig=1"}],"name":"read","_meta":{"a":1}}',
		).digest,
	).toBe(define(base).digest);
});

test("a big number keeps its digits, and a member that stands twice is not taken for one", () => {
	const withNumber = (digits: string): string =>
		define(`{"name":"read","inputSchema":{"const":${digits}}}`).digest;
	expect(withNumber("9007199254740993")).not.toBe(
		withNumber("9007199254740992"),
	);
	const twice = (last: string): string =>
		define(`{"name":"read","inputSchema":{"a":{"x":"good","x":"${last}"}}}`)
			.digest;
	expect(twice("evil")).not.toBe(twice("good"));
});

test("a definition under another name is alike, and not the same", () => {
	const one = define('{"name":"read","description":"Reads"}');
	const other = define('{"name":"fetch","description":"Reads"}', "fetch");
	expect(other.digest).not.toBe(one.digest);
	expect(other.likeness).toBe(one.likeness);
});

test("instructions are their text", () => {
	expect(definitionOfText('say "yes"').text).toBe('"say \\"yes\\""');
});
