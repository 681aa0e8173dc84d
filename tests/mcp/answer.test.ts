import { expect, test } from "bun:test";
import { isParts, type PlainResponse } from "../../src/http1/outgoing.ts";
import { answer as answerIn, type Manner } from "../../src/mcp/answer.ts";
import { toBytes } from "../../src/message.ts";
import { piecesOf, readableOf } from "../../src/pieces.ts";
import type { Reply } from "../../src/upstream/upstream.ts";

const OK: Reply = { member: "result", body: toBytes('{"n":1}') };
const NOTE = toBytes('{"jsonrpc":"2.0",\n"method":"notifications/progress"}');

const MANNER: Omit<Manner, "reply"> = {
	id: '"a"',
	streams: true,
	failed: (error) => {
		throw error;
	},
	onEnd: () => {},
	statusOf: () => 200,
	onGone: () => {},
	trackOn: (connection) => connection,
};

async function answer(
	run: (notify: (message: Uint8Array) => void) => Promise<Reply>,
	streams = true,
	onGone = (): void => {},
): Promise<Response> {
	const answered = await answerIn({
		...MANNER,
		streams,
		reply: (client) => run((message) => client.notify(message)),
		onGone,
	});
	return asResponse(answered);
}

/** What is answered as a client of the platform would see it. */
function asResponse({ status, headers, body }: PlainResponse): Response {
	return new Response(
		isParts(body) ? new Blob(body as BlobPart[]) : readableOf(body),
		{
			status,
			headers: headers
				.split("\r\n")
				.filter((line) => line !== "")
				.map((line) => line.split(/: (.*)/, 2) as [string, string]),
		},
	);
}

/** The answer to a call whose result comes in these parts, and is at most so long. */
function streamedIn(
	parts: (Uint8Array | Promise<null>)[],
	atMost: number,
): ReturnType<typeof answerIn> {
	return answerIn({
		...MANNER,
		reply: () => ({
			member: "result",
			body: {
				next: async () => parts.shift() ?? null,
				cancel: () => {},
				atMost,
			},
		}),
	});
}

test("an answer that is all there is comes as JSON under the client's own id", async () => {
	const response = await answer(async () => OK);
	expect(response.headers.get("content-type")).toBe("application/json");
	expect(await response.text()).toBe(
		'{"jsonrpc":"2.0","id":"a","result":{"n":1}}',
	);
});

test("a notification first makes it a stream: each message one event, the answer last", async () => {
	const response = await answer(async (notify) => {
		notify(NOTE);
		await Promise.resolve();
		return OK;
	});
	expect(response.headers.get("content-type")).toBe("text/event-stream");
	expect(response.headers.get("x-accel-buffering")).toBe("no");
	expect(await response.text()).toBe(
		'data: {"jsonrpc":"2.0", "method":"notifications/progress"}\n\ndata: {"jsonrpc":"2.0","id":"a","result":{"n":1}}\n\n',
	);
});

test("a client that takes no streams gets the answer alone", async () => {
	const response = await answer(async (notify) => {
		notify(NOTE);
		return OK;
	}, false);
	expect(await response.json()).toEqual({
		jsonrpc: "2.0",
		id: "a",
		result: { n: 1 },
	});
});

test("a streamed result is passed on as it comes", async () => {
	const body = new ReadableStream<Uint8Array>({
		start(controller) {
			for (const part of ['{"text":"', "a".repeat(100), '"}'])
				controller.enqueue(toBytes(part));
			controller.close();
		},
	});
	const response = await answer(async () => ({
		member: "result",
		body: piecesOf(body),
	}));
	expect(await response.json()).toEqual({
		jsonrpc: "2.0",
		id: "a",
		result: { text: "a".repeat(100) },
	});
});

test("a streamed result that is no longer than it says has its length said ahead, filled up with white space", async () => {
	for (const spare of [0, 1, 100, 200_000]) {
		const text = '{"text":"a"}';
		const parts = [toBytes(text)];
		const answered = await streamedIn(parts, text.length + spare);
		const { length } = answered.body;
		const whole = await asResponse(answered).text();
		expect(whole.length).toBe(length as number);
		expect(whole).toBe(
			`{"jsonrpc":"2.0","id":"a","result":${text}}${" ".repeat(spare)}`,
		);
	}
});

test("the end of a streamed result goes out with its last piece where it stands behind it in memory, and only once the result has ended", async () => {
	const text = '{"text":"a"}';
	for (const [behind, pieces] of [
		["}", 2],
		["}x", 2],
		[" }", 3],
		["", 3],
	] as const) {
		const ended = Promise.withResolvers<null>();
		const piece = toBytes(text + behind).subarray(0, text.length);
		const { body } = await streamedIn([piece, ended.promise], text.length);
		if (isParts(body)) throw new Error("it was not streamed");
		const said: string[] = [Buffer.from((await body.next()) ?? []).toString()];
		const last = body.next();
		await new Promise(setImmediate);
		expect(Bun.peek.status(last)).toBe("pending");
		ended.resolve(null);
		for (let next = await last; next; next = await body.next())
			said.push(Buffer.from(next).toString());
		expect(said.join("")).toBe(`{"jsonrpc":"2.0","id":"a","result":${text}}`);
		expect(said).toHaveLength(pieces);
	}
});

test("a streamed result that is longer than it said breaks off", async () => {
	const parts = [toBytes('{"a":'), toBytes("1}"), toBytes("}")];
	const { body } = await streamedIn(parts, 7);
	if (isParts(body)) throw new Error("it was not streamed");
	await body.next();
	await body.next();
	await expect(body.next()).rejects.toThrow("longer than it was said");
});

test("a long result arrives whole, whatever its length", async () => {
	let length = 0;
	const server = Bun.serve({
		hostname: "127.0.0.1",
		port: 0,
		fetch: () =>
			answer(async () => ({
				member: "result",
				body: toBytes(JSON.stringify("é".repeat(length))),
			})),
	});
	for (length of [7_000, 7_600, 8_200, 50_000, 1_000_000]) {
		const response = await fetch(server.url);
		expect(response.headers.get("content-type")).toBe("application/json");
		const { result } = (await response.json()) as { result: string };
		expect(result).toBe("é".repeat(length));
	}
	await server.stop(true);
});

test("a client that leaves an open stream is noticed", async () => {
	const gone = Promise.withResolvers<void>();
	const never = Promise.withResolvers<Reply>();
	const response = await answer(
		(notify) => {
			notify(NOTE);
			return never.promise;
		},
		true,
		gone.resolve,
	);
	await response.body?.cancel();
	await gone.promise;
});
