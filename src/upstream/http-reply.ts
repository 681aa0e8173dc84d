/**
 * What a server's HTTP response says: the answer to one request, as JSON or at the end of an event stream.
 *
 * A large JSON answer is handed on while it arrives; a small one is checked whole. A body is never quoted in an error:
 * it may be a page of somebody else's, or hold somebody's data.
 *
 * @see specification 2026-07-28 and 2025-11-25, basic/transports (Streamable HTTP)
 */

import { cut, join } from "../assembly.ts";
import { Deadline, deadlines } from "../clock.ts";
import type { Answer } from "../http1/answer.ts";
import { EgressError } from "../http1/failure.ts";
import { MalformedMessage } from "../malformed.ts";
import { type Bytes, type Message, parseMessage } from "../message.ts";
import type { Pieces } from "../pieces.ts";
import { type Cutter, createCutter } from "./cutter.ts";
import { createEventSplitter, type EventSplitter } from "./events.ts";
import { LinkError, MESSAGE_BYTES_MAX, pauseMs, RECONNECT_MS } from "./link.ts";
import { STREAMED_BYTES_MAX } from "./reply.ts";
import type { Reply } from "./upstream.ts";

/** A JSON answer longer than this is streamed. */
const WHOLE_BYTES_MAX = 64 * 1024;
/** A streamed answer that brings nothing for this long has broken. */
const STALL_MS = 300_000;

type RpcResponse = Extract<Message, { kind: "response" }>;

/** Reads a JSON answer to the request of this id. @throws LinkError */
export function readJson(answer: Answer, id: number): Reply | Promise<Reply> {
	return answer.whole ? readWhole(answer.whole, id) : readLong(answer, id);
}

function readWhole(bytes: Bytes, id: number): Reply {
	try {
		return replyOf(bytes, id);
	} catch (error) {
		throw translate(error);
	}
}

/** An error that came with a status that is no success; null when the body is something else. */
export async function readRefusal(answer: Answer): Promise<RpcResponse | null> {
	const bytes = await readSome(answer.body);
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
 * Reads events until `onMessage` says it has heard enough or the stream ends.
 * @throws LinkError when the stream breaks, or an event is too large
 */
export async function readEvents(
	body: Pieces,
	onMessage: (message: Message) => "more" | "enough",
): Promise<EventSplitter> {
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
			const piece = await next(body);
			if (!piece) break;
			splitter.push(piece);
		}
		return splitter;
	} catch (error) {
		throw translate(error);
	} finally {
		body.cancel();
	}
}

/** The pause before a stream that ended is opened again: what it asked for, the first time. */
export function reopenMs(
	splitter: EventSplitter | null,
	attempt: number,
): number {
	const wanted = splitter?.retryMs();
	return wanted === undefined || attempt > 0
		? pauseMs(attempt)
		: Math.min(wanted, RECONNECT_MS[RECONNECT_MS.length - 1] as number);
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
		: Number(message.id) === id;
}

export function bodyOf({ bytes, body }: RpcResponse): Bytes {
	return cut(bytes, body.start, body.end);
}

/** Lets go of an answer that nobody reads. */
export function discard(answer: Answer): void {
	answer.body.cancel();
}

async function readLong(answer: Answer, id: number): Promise<Reply> {
	const { body: pieces, length } = answer;
	const cutter = createCutter(String(id));
	const parts: Bytes[] = [];
	let held = 0;
	try {
		while (held <= WHOLE_BYTES_MAX || cutter.member() === null) {
			const piece = await next(pieces);
			if (!piece) {
				cutter.finish();
				return {
					member: cutter.member() as Reply["member"],
					body: join(parts),
				};
			}
			for (const part of cutter.push(piece)) {
				parts.push(part);
				held += part.length;
			}
		}
	} catch (error) {
		pieces.cancel();
		throw translate(error);
	}
	return {
		member: cutter.member() as Reply["member"],
		body: {
			...restOf(pieces, cutter, parts),
			...(length !== null && { atMost: length - cutter.around() }),
		},
	};
}

/** What was cut so far, then the rest as it arrives. It breaks when the answer turns out to be none. */
function restOf(pieces: Pieces, cutter: Cutter, first: Bytes[]): Pieces {
	const ready = first;
	const stall = new Stall(pieces);
	let sent = 0;
	return {
		next: async () => {
			if (ready.length === 0) deadlines.add(stall, STALL_MS);
			try {
				for (;;) {
					const part = ready.shift();
					if (part) return part;
					const piece = await next(pieces);
					if (!piece) {
						cutter.finish();
						return null;
					}
					sent += piece.length;
					if (sent > STREAMED_BYTES_MAX) throw tooLarge();
					ready.push(...cutter.push(piece));
				}
			} catch (error) {
				pieces.cancel();
				throw translate(error);
			} finally {
				deadlines.delete(stall);
			}
		},
		cancel: () => pieces.cancel(),
	};
}

/** The end of waiting for the next piece. */
class Stall extends Deadline {
	readonly #pieces: Pieces;

	constructor(pieces: Pieces) {
		super();
		this.#pieces = pieces;
	}

	onLate(): void {
		this.#pieces.cancel();
	}
}

/** The beginning of a body; what is longer is no JSON-RPC error. */
async function readSome(pieces: Pieces): Promise<Bytes> {
	const parts: Bytes[] = [];
	let held = 0;
	try {
		while (held <= WHOLE_BYTES_MAX) {
			const piece = await pieces.next();
			if (!piece) break;
			held += piece.length;
			parts.push(piece);
		}
	} catch {
		// the status is known, and the body was only to explain it
	}
	pieces.cancel();
	return join(parts);
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

/** The next piece. @throws LinkError when the connection breaks */
function next(pieces: Pieces): Promise<Bytes | null> {
	return pieces.next().catch(brokenOff);
}

function brokenOff(error: unknown): never {
	if (!(error instanceof EgressError)) throw error;
	throw new LinkError(
		"broken",
		"the connection to the server broke in the middle of an answer",
	);
}

/** What is no message is said in words about the server; any other error is a bug, and stays what it is. */
function translate(error: unknown): unknown {
	return error instanceof MalformedMessage ? notAnAnswer() : error;
}
