import { expect, test } from "bun:test";
import { valueEnd } from "../src/json.ts";
import { DEPTH_MAX, MalformedMessage } from "../src/malformed.ts";
import { toBytes } from "../src/message.ts";

/** Whether all of the text is one value. */
function isJson(text: string): boolean {
	const bytes = toBytes(text);
	try {
		return valueEnd(bytes, 0) === bytes.length;
	} catch (error) {
		if (error instanceof MalformedMessage) return false;
		throw error;
	}
}

function parses(text: string): boolean {
	try {
		JSON.parse(text);
		return true;
	} catch {
		return false;
	}
}

test("what RFC 8259 has is taken: every kind of value, number and escape", () => {
	for (const text of [
		...["true", "false", "null", "{}", "[]", '""', "[[],{}]"],
		...["0", "-0", "10", "1.50", "0.1", "1e9", "-1E+9", "12.5e-3"],
		...[
			'"\\u00e9\\uD800\\""',
			'"\\\\\\/\\b\\f\\n\\r\\t"',
			'"é\u{1f600}\u2028"',
		],
		' { "a" : [ 1 , { "b" : null } ] ,\r\n\t"a" : 2 }'.trim(),
	]) {
		expect(parses(text)).toBe(true);
		expect(isJson(text)).toBe(true);
	}
});

test("what it does not have is refused, however common", () => {
	for (const text of [
		...["", " ", "undefined", "NaN", "Infinity", "True", "nul", "truex"],
		...["01", "-", "+1", ".5", "1.", "1e", "1e+", "0x10", "1_000"],
		...[
			"'a'",
			'"a',
			'"\\x41"',
			'"\\u12g4"',
			'"\\u123',
			'"a\nb"',
			'"a\tb"',
			'"\0"',
		],
		...["[1,]", "[,1]", "[1 2]", "[1", "{,}", '{"a"}', '{"a":}', '{"a":1,}'],
		...["{a:1}", '{"a":1 "b":2}', '{"a"::1}', "[}", "{]", "1//", "[/**/]"],
	])
		expect(isJson(text)).toBe(false);
});

test("it takes exactly what JSON.parse takes, over many texts that are nearly JSON", () => {
	const whole =
		'{"a":[1,-2.5e3,true,null,"x\\n\\u0041"],"b":{"c":"","d":[[],{}]},"e":"é"}';
	const pieces = ["{", "}", "[", "]", ",", ":", '"', "\\", "u", "0", "1"];
	const odd = ["-", ".", "e", "+", " ", "\n", "\0", "t", "n", "true", '"a":'];
	const all = [...pieces, ...odd];
	for (let at = 0; at <= whole.length; at++)
		for (const piece of all)
			for (const cut of [0, 1, 2]) {
				const text = whole.slice(0, at) + piece + whole.slice(at + cut);
				expect([text, isJson(text.trim())]).toEqual([
					text,
					parses(text.trim()),
				]);
			}
});

test("nesting is bounded, and up to the bound it is taken", () => {
	const nested = (depth: number): string =>
		`${'[{"a":'.repeat(depth / 2)}1${"}]".repeat(depth / 2)}`;
	expect(isJson(nested(DEPTH_MAX))).toBe(true);
	expect(() => valueEnd(toBytes(nested(DEPTH_MAX + 2)), 0)).toThrow("deeply");
	expect(() => valueEnd(toBytes("[".repeat(1_000_000)), 0)).toThrow("deeply");
});
