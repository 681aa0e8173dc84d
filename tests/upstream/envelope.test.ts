import { expect, test } from "bun:test";
import { oneLine } from "../../src/assembly.ts";
import { MalformedMessage } from "../../src/malformed.ts";
import { toBytes } from "../../src/message.ts";
import {
	type Envelope,
	restoreProgressToken,
	wrapRequest,
} from "../../src/upstream/envelope.ts";

function wrapped(
	params: string | null,
	era: Envelope["era"] = "legacy",
): { text: string; token: string | null } {
	const request = wrapRequest({
		id: 5,
		method: "m",
		params: params === null ? null : toBytes(params),
		era,
		clientCapabilities: '{"elicitation":{}}',
		version: "1",
	});
	const bytes = Buffer.alloc(request.length + 2, "|");
	request.writeTo(bytes, 1);
	const whole = bytes.toString();
	expect([whole[0], whole.at(-1)]).toEqual(["|", "|"]);
	const text = whole.slice(1, -1);
	JSON.parse(text);
	return {
		text: text.slice('{"jsonrpc":"2.0","id":5,"method":"m"'.length),
		token: request.progressToken,
	};
}

const OURS =
	'"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}},"io.modelcontextprotocol/clientInfo":{"name":"sallyport","version":"1"}';
const THEIRS = '"io.modelcontextprotocol/clientInfo":{"name":"x"}';

test("a legacy server gets the params byte for byte", () => {
	for (const params of [
		'{ "arguments" : {"big":12345678901234567890,"s":"\\ud800\\/"},\n"_meta": {"a.b/c" : 1.10} }',
		"{}",
		'{"_meta":{}}',
		'{"_meta":"odd"}',
	])
		expect(wrapped(params)).toEqual({
			text: `,"params":${params}}`,
			token: null,
		});
	expect(wrapped(null).text).toBe("}");
});

test("what a client put into the reserved part of _meta does not reach a legacy server", () => {
	const cases = [
		[`{"_meta":{${THEIRS}},"a":1}`, '{"_meta":{},"a":1}'],
		[`{"_meta":{${THEIRS} , "k": 1 }}`, '{"_meta":{"k": 1 }}'],
		[`{"_meta":{"k": 1 , ${THEIRS} }}`, '{"_meta":{"k": 1 }}'],
		[
			`{"_meta":{"k":1,${THEIRS},"io.modelcontextprotocol\\/x":2,"l":3,"io.modelcontextprotocol/y":4,"io.modelcontextprotocol/z":5}}`,
			'{"_meta":{"k":1,"l":3}}',
		],
	] as const;
	for (const [sent, arrives] of cases)
		expect(wrapped(sent).text).toBe(`,"params":${arrives}}`);
});

test("a modern server gets our reserved members, and the client's others untouched", () => {
	const cases = [
		[null, `{"_meta":{${OURS}}}`],
		["{}", `{"_meta":{${OURS}}}`],
		['{"a":1}', `{"_meta":{${OURS}},"a":1}`],
		['{"_meta":null}', `{"_meta":{${OURS}}}`],
		['{"_meta":{}}', `{"_meta":{${OURS}}}`],
		[`{"_meta":{${THEIRS}}}`, `{"_meta":{${OURS}}}`],
		[
			`{"_meta":{${THEIRS},"traceparent":"00"},"a":1}`,
			`{"_meta":{${OURS},"traceparent":"00"},"a":1}`,
		],
		[
			'{"_meta":{"io.modelcontextprotocol/logLevel":"debug"}}',
			`{"_meta":{${OURS},"io.modelcontextprotocol/logLevel":"debug"}}`,
		],
	] as const;
	for (const [sent, arrives] of cases)
		expect(wrapped(sent, "modern").text).toBe(`,"params":${arrives}}`);
});

test("a progress token becomes ours on the way up and the client's own on the way down", () => {
	for (const [era, before] of [
		["legacy", ""],
		["modern", `${OURS},`],
	] as const)
		expect(
			wrapped('{"_meta":{"progressToken": "t\\u00e9" ,"k":1}}', era),
		).toEqual({
			text: `,"params":{"_meta":{${before}"progressToken": 5 ,"k":1}}}`,
			token: '"t\\u00e9"',
		});
	const note =
		'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":5,"progress":1.50,"x":[1]}}';
	const start = note.indexOf('{"progressToken');
	const restored = restoreProgressToken(toBytes(note), { start }, 5, '"té"');
	expect(String(restored && Buffer.from(restored))).toBe(
		note.replace(":5,", ':"té",'),
	);
	expect(restoreProgressToken(toBytes(note), { start }, 6, "1")).toBeNull();
});

test("a member that stands twice is refused, because two readers might choose differently", () => {
	expect(() => wrapped('{"name":"a","name":"b"}', "modern")).toThrow(
		MalformedMessage,
	);
	expect(() => wrapped('{"_meta":{"k":1,"k":2}}')).toThrow(MalformedMessage);
});

test("stdio: line breaks between tokens become spaces, nothing else changes", () => {
	const text = '{\r\n"a":\t"x\\n"\n}';
	expect(Buffer.from(oneLine(toBytes(text))).toString()).toBe(
		'{  "a":\t"x\\n" }',
	);
});
