import { expect, test } from "bun:test";
import { type Passage, refusalFor } from "../../src/mcp/error-codes.ts";
import { textOf, toBytes } from "../../src/message.ts";
import type { Era } from "../../src/protocol.ts";

function said(
	client: Era,
	server: Era,
	code: number,
	{ method = "tools/call", data = "{}" } = {},
): number {
	const passage: Passage = { client, server, method };
	const error = `{"message":"it is, \\"so\\"","code":${code},"data":${data},"x":1.0}`;
	const refusal = textOf(refusalFor(passage, toBytes(error)));
	const { code: becomes } = JSON.parse(refusal);
	expect(refusal).toBe(error.replace(`:${code},`, `:${becomes},`));
	return becomes;
}

test("a missing resource has the code of the client's era (2026-07-28 changelog)", () => {
	const read = { method: "resources/read" };
	expect(said("modern", "legacy", -32002, read)).toBe(-32602);
	expect(said("modern", "modern", -32002, read)).toBe(-32602);
	expect(said("legacy", "modern", -32602, read)).toBe(-32002);
	expect(said("legacy", "legacy", -32602, read)).toBe(-32602);
	expect(said("legacy", "legacy", -32002, read)).toBe(-32002);
});

test("2026-07-28 basic: codes of earlier revisions are not said to a modern client", () => {
	for (const server of ["modern", "legacy"] as const)
		for (const code of [-32002, -32042])
			expect(said("modern", server, code)).toBe(-32603);
});

test("what a server says of headers and revisions is about our hop, and no client mends its own for it", () => {
	for (const code of [-32020, -32022])
		for (const client of ["modern", "legacy"] as const)
			expect(said(client, "modern", code)).toBe(-32603);
});

test("a missing capability is named to a modern client that could declare it, and to no other", () => {
	const needs = (capabilities: unknown): { readonly data: string } => ({
		data: JSON.stringify({ requiredCapabilities: capabilities }),
	});
	const known = needs({
		elicitation: { url: {} },
		extensions: { "io.modelcontextprotocol/tasks": {} },
	});
	expect(said("modern", "modern", -32021, known)).toBe(-32021);
	expect(said("legacy", "modern", -32021, known)).toBe(-32603);
	for (const others of [
		{ extensions: { "com.example/none": {} } },
		{ telepathy: {} },
	])
		expect(said("modern", "modern", -32021, needs(others))).toBe(-32603);
	// In the legacy era the code is any server's own, and a modern client would take it for something else.
	expect(said("modern", "legacy", -32021, known)).toBe(-32603);
	expect(said("legacy", "legacy", -32021, known)).toBe(-32021);
});

test("every other code, and what is no error at all, passes as it is", () => {
	for (const client of ["modern", "legacy"] as const)
		for (const server of ["modern", "legacy"] as const)
			for (const code of [-32700, -32602, -32601, -32000, -32099, 7, 0])
				expect(said(client, server, code)).toBe(code);
	const passage = { client: "modern", server: "modern", method: "x" } as const;
	for (const text of ["[]", '"no"', "{}", '{"code":"-32002"}'])
		expect(textOf(refusalFor(passage, toBytes(text)))).toBe(text);
});
