/**
 * What a server's HTTP response says: the answer to one request, as JSON or at the end of an event stream.
 *
 * A large JSON answer is handed on while it arrives; a small one is checked whole. A body is never quoted in an error:
 * it may be a page of somebody else's, or hold somebody's data.
 *
 * @see specification 2026-07-28 and 2025-11-25, basic/transports (Streamable HTTP)
 */
import {
	type Bytes,
	join,
	MalformedMessage,
	type Message,
	parseMessage,
} from "../message.ts";
import { type Cutter, createCutter } from "./cutter.ts";
import { createEventSplitter, type EventSplitter } from "./events.ts";
import { LinkError, MESSAGE_BYTES_MAX } from "./link.ts";
import { STREAMED_BYTES_MAX } from "./reply.ts";
import type { Reply } from "./upstream.ts";

/** A JSON answer longer than this is streamed. */
const WHOLE_BYTES_MAX = 64 * 1024;
/** A streamed answer that brings nothing for this long has broken. */
const STALL_MS = 300_000;

type RpcResponse = Extract<Message, { kind: "response" }>;
type Reader = ReadableStreamDefaultReader<Bytes>;

/** The media type alone, or empty. */
export function mediaType(response: Response): string {
	const type = response.headers.get("content-type") ?? "";
	return (type.split(";")[0] as string).trim().toLowerCase();
}

/** Reads a JSON answer to the request of this id. @throws LinkError */
export async function readJson(response: Response, id: number): Promise<Reply> {
	try {
		const length = Number(response.headers.get("content-length") ?? Number.NaN);
		const encoded = response.headers.has("content-encoding");
		if (!encoded && length <= WHOLE_BYTES_MAX)
			return replyOf(await response.bytes().catch(brokenOff), id);
		if (!response.body) throw notAnAnswer();
		return await readLong(response.body.getReader(), id);
	} catch (error) {
		throw translate(error);
	}
}

/** An error that came with a status that is no success; null when the body is something else. */
export async function readRefusal(
	response: Response,
): Promise<RpcResponse | null> {
	const bytes = await readSome(response);
	try {
		const message = parseMessage(bytes);
		return message.kind === "response" && message.member === "error"
			? message
			: null;
	} catch (error) {
		if (error instanceof MalformedMessage) return null;
		throw error;
	}
}

/**
 * Reads events until `onMessage` says it has heard enough or the stream ends. What follows is drained for a moment,
 * so that the connection can be used again.
 * @throws LinkError when the stream breaks, or an event is too large
 */
export async function readEvents(
	body: ReadableStream<Bytes>,
	onMessage: (message: Message) => "more" | "enough",
): Promise<{ readonly enough: boolean; readonly splitter: EventSplitter }> {
	const reader = body.getReader();
	let enough = false;
	const splitter = createEventSplitter({
		bytesMax: MESSAGE_BYTES_MAX,
		onTooLong: () => {
			throw tooLarge();
		},
		onEvent: ({ type, data }) => {
			if (enough || type !== "message" || data.length === 0) return;
			enough = onMessage(parseMessage(data)) === "enough";
		},
	});
	try {
		while (!enough) {
			const { done, value } = await next(reader);
			if (done) return { enough, splitter };
			splitter.push(value);
		}
	} catch (error) {
		void reader.cancel().catch(() => {}); // it is broken already
		throw translate(error);
	}
	void drain(reader);
	return { enough, splitter };
}

/** The reply that a whole message is. @throws LinkError when it answers something else */
function replyOf(bytes: Bytes, id: number): Reply {
	const message = parseMessage(bytes);
	if (message.kind !== "response" || !answers(message, id)) throw notAnAnswer();
	return { member: message.member, body: bodyOf(message) };
}

/** Whether the response is to this request. An error without an id is to whatever was sent. */
export function answers(message: RpcResponse, id: number): boolean {
	return message.id === null
		? message.member === "error"
		: message.id === String(id);
}

export function bodyOf({ bytes, body }: RpcResponse): Bytes {
	return bytes.subarray(body.start, body.end);
}

/** Lets go of a response that nobody reads. */
export function discard(response: Response): void {
	void response.body?.cancel().catch(() => {}); // it is of no interest how it ends
}

async function readLong(reader: Reader, id: number): Promise<Reply> {
	const cutter = createCutter(String(id));
	const parts: Bytes[] = [];
	let held = 0;
	try {
		while (held <= WHOLE_BYTES_MAX || cutter.member() === null) {
			const { done, value } = await next(reader);
			if (done) {
				cutter.finish();
				return {
					member: cutter.member() as Reply["member"],
					body: join(parts),
				};
			}
			for (const part of cutter.push(value)) {
				parts.push(part);
				held += part.length;
			}
		}
	} catch (error) {
		void reader.cancel().catch(() => {}); // the error that matters is thrown
		throw error;
	}
	return {
		member: cutter.member() as Reply["member"],
		body: streamRest(reader, cutter, parts),
	};
}

/** What was cut so far, then the rest as it arrives. It breaks when the answer turns out to be none. */
function streamRest(
	reader: Reader,
	cutter: Cutter,
	first: readonly Bytes[],
): ReadableStream<Bytes> {
	let sent = 0;
	return new ReadableStream<Bytes>(
		{
			start: (controller) => {
				for (const part of first) controller.enqueue(part);
			},
			pull: async (controller) => {
				const stall = setTimeout(() => void reader.cancel(), STALL_MS);
				try {
					for (;;) {
						const { done, value } = await next(reader);
						if (done) {
							cutter.finish();
							return controller.close();
						}
						sent += value.length;
						if (sent > STREAMED_BYTES_MAX) throw tooLarge();
						const parts = cutter.push(value);
						for (const part of parts) controller.enqueue(part);
						if (parts.length > 0) return;
					}
				} catch (error) {
					void reader.cancel().catch(() => {}); // the stream says why
					controller.error(translate(error));
				} finally {
					clearTimeout(stall);
				}
			},
			cancel: () => void reader.cancel().catch(() => {}), // nobody reads on
		},
		{ highWaterMark: 0 },
	);
}

/** The beginning of a body; what is longer is no JSON-RPC error. */
async function readSome(response: Response): Promise<Bytes> {
	const reader = response.body?.getReader() as Reader | undefined;
	const parts: Bytes[] = [];
	let held = 0;
	try {
		while (reader && held <= WHOLE_BYTES_MAX) {
			const { done, value } = await reader.read();
			if (done) break;
			held += value.length;
			parts.push(value);
		}
		if (held > WHOLE_BYTES_MAX) await reader?.cancel();
	} catch {
		// the status is known, and the body was only to explain it
	}
	return join(parts);
}

const DRAIN_READS_MAX = 8;

async function drain(reader: Reader): Promise<void> {
	const timer = setTimeout(() => void reader.cancel().catch(() => {}), 1000);
	try {
		for (let reads = 0; reads < DRAIN_READS_MAX; reads++)
			if ((await reader.read()).done) return;
		await reader.cancel();
	} catch {
		// the answer is complete: how its stream ends concerns nobody
	} finally {
		clearTimeout(timer);
	}
}

function notAnAnswer(): LinkError {
	return new LinkError(
		"final",
		"the server answered with something that is not an MCP message",
		{ hint: "check that the URL is the server's MCP endpoint" },
	);
}

function tooLarge(): LinkError {
	return new LinkError("final", "the server's answer is too large");
}

/** The next chunk. @throws LinkError when the connection breaks */
function next(reader: Reader): ReturnType<Reader["read"]> {
	return reader.read().catch(brokenOff);
}

function brokenOff(): never {
	throw new LinkError(
		"broken",
		"the connection to the server broke in the middle of an answer",
	);
}

/** What is no message is said in words about the server; any other error is a bug, and stays what it is. */
function translate(error: unknown): unknown {
	return error instanceof MalformedMessage ? notAnAnswer() : error;
}
