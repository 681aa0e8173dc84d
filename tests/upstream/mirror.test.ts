import { expect, test } from "bun:test";
import { textOf, toBytes } from "../../src/message.ts";
import {
	mirrorHeaders,
	paramHeadersOf,
	withoutBadMarks,
} from "../../src/upstream/mirror.ts";

function nameOf(name: string): string | undefined {
	return mirrorHeaders("tools/call", toBytes(JSON.stringify({ name })))[
		"Mcp-Name"
	];
}

test("SEP-2243: the headers repeat method and name of the body", () => {
	expect(mirrorHeaders("tools/list", null)).toEqual({
		"Mcp-Method": "tools/list",
	});
	expect(
		mirrorHeaders("resources/read", toBytes('{"uri":"file:\\/\\/x"}')),
	).toEqual({ "Mcp-Method": "resources/read", "Mcp-Name": "file://x" });
	expect(mirrorHeaders("constructor", toBytes('{"name":"x"}'))).toEqual({
		"Mcp-Method": "constructor",
	});
});

test("SEP-2243: a name that no header can hold is sent in the Base64 sentinel", () => {
	expect(nameOf("plain name")).toBe("plain name");
	expect(nameOf("é")).toBe("=?base64?w6k=?=");
	expect(nameOf(" a")).toBe("=?base64?IGE=?=");
	expect(nameOf("")).toBe("=?base64??=");
	expect(nameOf("a\r\nX-Evil: 1")).toBe("=?base64?YQ0KWC1FdmlsOiAx?=");
	expect(nameOf("=?base64?YQ==?=")).toBe("=?base64?PT9iYXNlNjQ/WVE9PT89?=");
});

const region = (schema: object): Uint8Array =>
	toBytes(JSON.stringify({ name: "t", inputSchema: schema }));

test("SEP-2243: marked arguments travel as headers", () => {
	const headers = paramHeadersOf(
		region({
			type: "object",
			properties: {
				region: { type: "string", "x-mcp-header": "Region" },
				deep: {
					type: "object",
					properties: { n: { type: "integer", "x-mcp-header": "N" } },
				},
				flag: { type: "boolean", "x-mcp-header": "Flag" },
			},
		}),
	);
	expect(headers).not.toBeNull();
	expect(
		mirrorHeaders(
			"tools/call",
			toBytes(
				'{"name":"t","arguments":{"region":"Zürich","deep":{"n":7},"flag":null}}',
			),
			headers ?? [],
		),
	).toEqual({
		"Mcp-Method": "tools/call",
		"Mcp-Name": "t",
		"Mcp-Param-Region": "=?base64?WsO8cmljaA==?=",
		"Mcp-Param-N": "7",
	});
	expect(paramHeadersOf(region({ type: "object" }))).toEqual([]);
});

for (const [what, schema] of [
	[
		"below items",
		{ items: { properties: { a: { type: "string", "x-mcp-header": "A" } } } },
	],
	[
		"in a definition",
		{ $defs: { a: { type: "string", "x-mcp-header": "A" } } },
	],
	["at the root", { type: "string", "x-mcp-header": "A" }],
	[
		"on a number",
		{ properties: { a: { type: "number", "x-mcp-header": "A" } } },
	],
	[
		"with a name that is no token",
		{ properties: { a: { type: "string", "x-mcp-header": "A\r\nB" } } },
	],
	[
		"twice with one name",
		{
			properties: {
				a: { type: "string", "x-mcp-header": "A" },
				b: { type: "string", "x-mcp-header": "a" },
			},
		},
	],
] as const)
	test(`SEP-2243: a tool with a mark ${what} is left out`, () => {
		expect(paramHeadersOf(region(schema))).toBeNull();
	});

test("marks that a client could not follow are taken out, and good ones stay", () => {
	const tool = (schema: string): Uint8Array =>
		toBytes(`{"name":"a","inputSchema":${schema},"x":{"x-mcp-header":1}}`);
	const after = (schema: string): string =>
		textOf(withoutBadMarks(tool(schema)));
	const good =
		'{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"A"}}}';
	expect(after(good)).toBe(textOf(tool(good)));
	expect(
		after(
			'{"x-mcp-header":"B", "properties":{"a":{"x-mcp-header":"A","type":"string"},"b":{"type":"string" ,"x-mcp-header":"a"}},"default":{"x-mcp-header":1},"anyOf":[{"x-mcp-header":"C"}]}',
		),
	).toBe(
		textOf(
			tool(
				'{"properties":{"a":{"type":"string"},"b":{"type":"string"}},"default":{"x-mcp-header":1},"anyOf":[{}]}',
			),
		),
	);
});
