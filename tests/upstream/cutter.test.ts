import { expect, test } from "bun:test";
import { MalformedMessage } from "../../src/malformed.ts";
import { createCutter } from "../../src/upstream/cutter.ts";
import { ODD_RESULT } from "../fixtures/odd.ts";

/** Feeds a text in pieces of `size` bytes and gives what was cut out. */
function cut(text: string | Uint8Array, size: number, id = "7"): string {
	const bytes = typeof text === "string" ? Buffer.from(text) : text;
	const cutter = createCutter(id);
	const parts: Uint8Array[] = [];
	for (let at = 0; at < bytes.length; at += size)
		parts.push(...cutter.push(bytes.subarray(at, at + size)));
	cutter.finish();
	return `${cutter.member()} ${Buffer.concat(parts).toString("latin1")}`;
}

const TRICKY = [
	"{}",
	"[]",
	"null",
	"-12.5e+3",
	'"a\\\\"',
	'"\\\\\\"}"',
	ODD_RESULT,
	' { "a" : [ 1 , { "b" : "]}\\"" } ] } '.trim(),
	'{"lone":"\\ud800","text":"}]{[\\\\"}',
];

for (const size of [1, 2, 3, 7, 1000])
	test(`every result is cut exactly out of pieces of ${size} bytes`, () => {
		for (const result of TRICKY) {
			const latin = Buffer.from(result).toString("latin1");
			for (const text of [
				`{"jsonrpc":"2.0","id":7,"result":${result}}`,
				` {"result" :\n${result} , "id": 7,"x":{"result":[1]},"jsonrpc":"2.0" }\r\n`,
			])
				expect(cut(text, size)).toBe(`result ${latin}`);
		}
		expect(cut('{"id":7,"error":{"code":1},"jsonrpc":"2.0"}', size)).toBe(
			'error {"code":1}',
		);
	});

for (const [what, text] of [
	["another id", '{"jsonrpc":"2.0","id":8,"result":{}}'],
	["another id at the end", '{"jsonrpc":"2.0","result":{},"id":"7"}'],
	["no id", '{"jsonrpc":"2.0","result":{}}'],
	["two ids", '{"jsonrpc":"2.0","id":7,"id":7,"result":{}}'],
	["two results", '{"jsonrpc":"2.0","id":7,"result":{},"result":{}}'],
	["a result and an error", '{"jsonrpc":"2.0","id":7,"result":1,"error":{}}'],
	["neither", '{"jsonrpc":"2.0","id":7}'],
	["another version", '{"jsonrpc":"1.0","id":7,"result":{}}'],
	["no end", '{"jsonrpc":"2.0","id":7,"result":{"a":"'],
	["mismatched brackets", '{"jsonrpc":"2.0","id":7,"result":{"a":[}]}'],
	["text after it", '{"jsonrpc":"2.0","id":7,"result":{}} {}'],
	["an early end", '{"jsonrpc":"2.0","id":7,"result":{}}]}}'],
	["an array", '[{"jsonrpc":"2.0","id":7,"result":{}}]'],
	["no JSON", "}{ not json"],
	["a page", "<!doctype html>"],
	["nothing", ""],
	["a comma too much", '{"jsonrpc":"2.0","id":7,"result":{},}'],
	["endless depth", `{"jsonrpc":"2.0","id":7,"result":${"[".repeat(300)}`],
	["an endless envelope", `{"x":"${"y".repeat(70_000)}`],
] as const)
	test(`a response with ${what} is refused`, () => {
		for (const size of [1, 1000])
			expect(() => cut(text, size)).toThrow(MalformedMessage);
	});

test("what stands around the member is counted as soon as its value begins, however the chunks fall", () => {
	const front = '{"jsonrpc": "2.0", "id":1,\n"result": ';
	const text = `${front}{"a":"b"} }`;
	for (let size = 1; size <= text.length; size++) {
		const cutter = createCutter("1");
		for (let at = 0; at < text.length; at += size)
			cutter.push(Buffer.from(text.slice(at, at + size)));
		cutter.finish();
		expect(cutter.around()).toBe(front.length + 1);
	}
});
