import { expect, test } from "bun:test";
import { MalformedMessage } from "../../src/malformed.ts";
import {
	type Incoming,
	MESSAGE_BYTES_MAX,
	parseIncoming,
	readBody,
} from "../../src/mcp/request.ts";
import { RpcError } from "../../src/mcp/rpc.ts";

async function readIncoming(request: Request): Promise<Incoming> {
	return parseIncoming(await readBody(request));
}

async function refusal(
	body: BodyInit,
	headers: Record<string, string> = { "content-type": "application/json" },
): Promise<number | undefined> {
	try {
		await readIncoming(
			new Request("http://gate/mcp", { method: "POST", body, headers }),
		);
	} catch (error) {
		if (error instanceof RpcError) return error.status;
		if (error instanceof MalformedMessage) return error.code;
		throw error;
	}
	return undefined;
}

test("a body that is not JSON is a parse error, whatever it looks like", async () => {
	for (const body of [
		"hello",
		'{"jsonrpc":"2.0"',
		'{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":tru}}',
		"{'a':1}",
	])
		expect(await refusal(body)).toBe(-32700);
});

test("bytes that are not UTF-8 are a parse error, wherever they stand", async () => {
	const whole = Buffer.from(
		'{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":"?"}}',
	);
	expect(await refusal(whole)).toBeUndefined();
	for (const byte of [0x80, 0xc3, 0xff]) {
		const bytes = Buffer.from(whole);
		bytes[whole.indexOf("?")] = byte;
		expect(await refusal(bytes)).toBe(-32700);
	}
});

test("a raw line break inside a string never gets through: it would be two messages to a child process", async () => {
	expect(
		await refusal(
			'{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":"x\n{}"}}',
		),
	).toBe(-32700);
});

test("another content type is 415", async () => {
	expect(await refusal("{}", { "content-type": "text/plain" })).toBe(415);
	expect(
		await refusal("{}", { "content-type": "application/json, text/plain" }),
	).toBe(415);
});

test("a body over the bound is 413, declared or not", async () => {
	const big = new Uint8Array(MESSAGE_BYTES_MAX + 1).fill(0x20);
	expect(await refusal(big)).toBe(413);
	const chunk = new Uint8Array(64 * 1024).fill(0x20);
	let sent = 0;
	const endless = new ReadableStream({
		pull(controller) {
			controller.enqueue(chunk);
			sent += chunk.length;
			if (sent > 4 * MESSAGE_BYTES_MAX) controller.close();
		},
	});
	expect(await refusal(endless)).toBe(413);
	expect(sent).toBeLessThan(2 * MESSAGE_BYTES_MAX);
});

test("a duplicate where we read is refused", async () => {
	expect(
		await refusal(
			'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}',
		),
	).toBe(-32600);
	expect(
		await refusal(
			'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"a":1,"a":2}}}',
		),
	).toBe(-32600);
});
