import { expect, test } from "bun:test";
import { askFrom, questionsFrom } from "../../src/mcp/asking.ts";
import { textOf, toBytes } from "../../src/message.ts";

function asked(result: string): string {
	const { body } = questionsFrom("notes", {
		member: "result",
		body: toBytes(result),
	});
	return textOf(body as Uint8Array);
}

test("a question to the user says whose it is, and keeps its own spelling", async () => {
	const told: string[] = [];
	const ask = askFrom("notes", async ({ params }) => {
		told.push(params ? textOf(params) : "nothing");
		return { member: "result", body: toBytes("{}") };
	});
	const params = (text: string): Uint8Array => toBytes(text);
	await ask({
		method: "elicitation/create",
		params: params('{"a":1,"message" : "\\u0057ho?"}'),
	});
	await ask({
		method: "sampling/createMessage",
		params: params('{"message":"Who?"}'),
	});
	await ask({ method: "elicitation/create", params: null });
	expect(told).toEqual([
		'{"a":1,"message" : "notes: \\u0057ho?"}',
		'{"message":"Who?"}',
		"nothing",
	]);
});

test("so do the questions in a modern result, and nothing else in it", () => {
	const question = (message: string): string =>
		`{"method":"elicitation/create","params":{"message":"${message}"}}`;
	expect(
		asked(
			`{"resultType":"input_required","inputRequests":{"a":${question("Who?")},"b":{"method":"roots/list"}},"message":"Who?"}`,
		),
	).toBe(
		`{"resultType":"input_required","inputRequests":{"a":${question("notes: Who?")},"b":{"method":"roots/list"}},"message":"Who?"}`,
	);
	for (const other of [
		`{"resultType":"complete","inputRequests":{"a":${question("Who?")}}}`,
		'{"resultType":"input_required","inputRequests":[]}',
		'{"content":[]}',
	])
		expect(asked(other)).toBe(other);
});
