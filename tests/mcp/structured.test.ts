import { expect, test } from "bun:test";
import {
	withObjectOutput,
	withObjectResult,
	wrapsOutput,
} from "../../src/mcp/structured.ts";
import { textOf, toBytes } from "../../src/message.ts";
import { wholeBody } from "../../src/upstream/reply.ts";

function shown(schema: string): string {
	return textOf(
		withObjectOutput(toBytes(`{"name":"a","outputSchema":${schema}}`)),
	);
}

function wrapped(schema: string): string {
	return `{"name":"a","outputSchema":{"type":"object","properties":{"result":${schema}},"required":["result"]}}`;
}

async function given(result: string, always: boolean): Promise<string> {
	const reply = await withObjectResult(
		{ member: "result", body: toBytes(result) },
		always,
	);
	return textOf(await wholeBody(reply.body));
}

test("an output schema that is an object stays, and so does a tool without one", () => {
	const schema = '{ "type":"object", "properties":{"a":{"type":"array"}} }';
	expect(shown(schema)).toBe(`{"name":"a","outputSchema":${schema}}`);
	expect(textOf(withObjectOutput(toBytes('{"name":"a"}')))).toBe(
		'{"name":"a"}',
	);
});

test("any other is put into an object, its own bytes untouched (SEP-2106)", () => {
	for (const schema of [
		'{ "type":"array" , "items":{"type":"number","maximum":1E400}}',
		'{"anyOf":[{"type":"object"},{"type":"null"}]}',
		"{}",
		"true",
	])
		expect(shown(schema)).toBe(wrapped(schema));
});

test("a schema that refers into itself gets a name to be relative to, unless it has one", () => {
	const schema =
		'{"type":"array","items":{"$ref":"#/$defs/a"},"$defs":{"a":{"type":"string"}}}';
	expect(shown(schema)).toMatch(/"result":\{"\$id":"urn:sallyport:\w+","type"/);
	expect(shown(schema)).toBe(shown(schema));
	const named = schema.replace("{", '{"$id":"https://example.org/a",');
	expect(shown(named)).toBe(wrapped(named));
});

test("which tools that concerns is known by their list", () => {
	const tools = ["array", "object"].map((type) => ({
		key: type,
		bytes: toBytes(`{"name":"${type}","outputSchema":{"type":"${type}"}}`),
	}));
	expect(wrapsOutput(tools, "array")).toBe(true);
	expect(wrapsOutput(tools, "object")).toBe(false);
	expect(wrapsOutput(tools, "unknown")).toBe(false);
});

test("a result follows its schema; without one only what is no object is put into one", async () => {
	const result = '{"structuredContent": [1, 2e3] ,"content":[]}';
	const inside = '{"structuredContent": {"result":[1, 2e3]} ,"content":[]}';
	for (const always of [true, false])
		expect(await given(result, always)).toBe(inside);
	const object = '{"structuredContent":{"a":1}}';
	expect(await given(object, true)).toBe(
		'{"structuredContent":{"result":{"a":1}}}',
	);
	expect(await given(object, false)).toBe(object);
	expect(await given('{"content":[]}', true)).toBe('{"content":[]}');
});
