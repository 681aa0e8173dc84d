import { expect, test } from "bun:test";
import { exposeItem, exposeResult } from "../../src/mcp/exposure.ts";
import { textOf, toBytes } from "../../src/message.ts";

function item(
	text: string,
	key: string,
): { key: string; bytes: Uint8Array; exposed: string } {
	return { key, bytes: toBytes(text), exposed: `art_${key}` };
}

test("a tool changes in its name and in the page it points to, and in nothing else", () => {
	const text =
		'{"name":"draw","big":12345678901234567890,"_meta":{"ui":{"resourceUri":"ui://a/b","x":1},"ui/resourceUri":"ui://a/b"},"inputSchema":{"properties":{"name":{"const":"draw"}}}}';
	expect(textOf(exposeItem("art", "tools", item(text, "draw")))).toBe(
		text
			.replace('"name":"draw"', '"name":"art_draw"')
			.replaceAll("ui://a/b", "ui://art/a/b"),
	);
});

test("a resource and a template change in their URI", () => {
	expect(
		textOf(
			exposeItem(
				"art",
				"resources",
				item('{"uri":"file:///a","name":"a"}', "file:///a"),
			),
		),
	).toBe('{"uri":"art+file:///a","name":"a"}');
	expect(
		textOf(
			exposeItem(
				"art",
				"resourceTemplates",
				item('{"uriTemplate":"x://{id}"}', "x://{id}"),
			),
		),
	).toBe('{"uriTemplate":"art+x://{id}"}');
});

test("in a result only the URIs of resources change; unknown types, numbers and escapes stay", () => {
	const text =
		'{"content":[{"type":"resource_link","uri":"x://1"},{"type":"resource","resource":{"uri":"x://2","text":"\\ud800"}},{"type":"hologram","uri":"x://3"},{"type":"text","text":"\\"uri\\":\\"x://4\\""}],"structuredContent":{"uri":"x://5","n":1e400}}';
	expect(textOf(exposeResult("art", toBytes(text)))).toBe(
		text.replace('"x://1"', '"art+x://1"').replace('"x://2"', '"art+x://2"'),
	);
});

test("prompt messages and read contents are exposed too", () => {
	const prompt =
		'{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"x://1"}}},{"content":"text"}]}';
	expect(textOf(exposeResult("art", toBytes(prompt)))).toBe(
		prompt.replace("x://1", "art+x://1"),
	);
	const read = '{"contents":[{"uri":"x://1","blob":""}]}';
	expect(textOf(exposeResult("art", toBytes(read)))).toBe(
		read.replace("x://1", "art+x://1"),
	);
});
