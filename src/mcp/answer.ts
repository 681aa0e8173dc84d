/**
 * A reply as an HTTP response: plain JSON when the answer is all there is, an event stream as soon as something
 * else comes first (a notification, or a silence longer than the patience of those in between).
 */

import { join } from "../assembly.ts";
import { CLOSE_OBJECT, SPACE } from "../bytes.ts";
import { Deadline, deadlines } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { type HeaderLines, headerLines } from "../http1/header-lines.ts";
import { type Later, PlainResponse } from "../http1/outgoing.ts";
import type { Bytes } from "../message.ts";
import { around, type Pieces } from "../pieces.ts";
import {
	ANSWER_END,
	answerParts,
	answerStart,
	wrapAnswer,
} from "../upstream/envelope.ts";
import { wholeBody } from "../upstream/reply.ts";
import { type ReplyTo, tell } from "../upstream/reply-to.ts";
import type { Reply } from "../upstream/upstream.ts";
import {
	createEventStream,
	type EventSink,
	type EventStream,
	streamResponse,
} from "./stream.ts";

/** A silent request becomes a stream with heartbeats after this long, before anything in between gives it up. */
const PATIENCE_MS = 5000;

export const JSON_HEADERS: Readonly<Record<string, string>> = {
	"content-type": "application/json",
	"cache-control": "no-store",
};

const JSON_LINES = headerLines(JSON_HEADERS);

/** How one request is answered in its era. */
export type Manner = {
	/** The raw JSON of the request's id. */
	readonly id: string;
	/** The client takes event streams. */
	readonly streams: boolean;
	/** Does the work. @returns the reply, or null when the client is told of it */
	reply(client: Client): Reply | Promise<Reply> | null;
	/** What is answered when that failed. */
	failed(error: unknown): Reply;
	/** Called once when the work is over, however. */
	onEnd(): void;
	/** The HTTP status of a reply that comes as plain JSON. */
	statusOf(reply: Reply): number;
	/** The client went away before the reply. */
	onGone(): void;
	/** Where the answer goes when it is a stream; the connection itself when it cannot be taken up again. */
	trackOn(connection: EventStream): EventSink;
};

/** Who is answered: hears notifications, and then of the reply. */
export type Client = ReplyTo & { notify(message: Bytes): void };

/** Answers a request: at once, or as soon as anything can be sent. Never rejects. */
export function answer(manner: Manner): PlainResponse | Later<PlainResponse> {
	return new Answering(manner).run();
}

/** An answer in the making. A class, because every call makes one. */
class Answering extends Deadline implements Client, Later<PlainResponse> {
	readonly #manner: Manner;
	#stream: EventSink | null = null;
	/** The answer, until whoever sends it is told. */
	#response: PlainResponse | null = null;
	#tell: ((response: PlainResponse) => void) | null = null;
	#isOver = false;

	constructor(manner: Manner) {
		super();
		this.#manner = manner;
	}

	run(): PlainResponse | Later<PlainResponse> {
		try {
			const reply = this.#manner.reply(this);
			if (reply instanceof Promise) tell(reply, this);
			else if (reply) this.onReply(reply);
		} catch (error) {
			this.onFailure(error);
		}
		if (!this.#isOver) deadlines.add(this, PATIENCE_MS);
		return this.#response ?? this;
	}

	// biome-ignore lint/suspicious/noThenProperty: a promise is five objects and a wait, and every call would make one
	then(onResponse: (response: PlainResponse) => void): void {
		if (this.#response) onResponse(this.#response);
		else this.#tell = onResponse;
	}

	onReply(reply: Reply): void {
		deadlines.delete(this);
		this.#isOver = true;
		this.#manner.onEnd();
		if (this.#stream) void sendLast(this.#stream, this.#manner.id, reply);
		else this.#respond(this.#json(reply));
	}

	onFailure(error: unknown): void {
		this.onReply(this.#manner.failed(error));
	}

	#respond(response: PlainResponse): void {
		if (this.#tell) this.#tell(response);
		else this.#response = response;
	}

	/** Only a client that takes streams hears anything before the reply. */
	notify(message: Bytes): void {
		if (this.#manner.streams) this.#open().send(message);
	}

	/** It is silent for long. */
	onLate(): void {
		if (this.#manner.streams) this.#open();
	}

	#json(reply: Reply): PlainResponse {
		return jsonResponse(this.#manner.id, reply, this.#manner.statusOf(reply));
	}

	#open(): EventSink {
		if (this.#stream) return this.#stream;
		const connection = createEventStream();
		connection.onEnd(() => {
			if (!this.#isOver) this.#manner.onGone();
		});
		this.#stream = this.#manner.trackOn(connection);
		this.#respond(streamResponse(connection));
		return this.#stream;
	}
}

/** Ends a stream with the reply. What breaks now ends it without. */
async function sendLast(
	stream: EventSink,
	id: string,
	{ member, body }: Reply,
): Promise<void> {
	try {
		stream.send(wrapAnswer(id, member, await wholeBody(body)));
	} catch (error) {
		if (!(error instanceof SallyportError)) throw error;
	} finally {
		stream.end();
	}
}

/** One response message as a JSON document; a streamed result stays a stream. */
export function jsonResponse(
	id: string,
	{ member, body }: Reply,
	status = 200,
	headers: HeaderLines = JSON_LINES,
): PlainResponse {
	return new PlainResponse(
		status,
		headers,
		body instanceof Uint8Array
			? answerParts(id, member, body)
			: streamed(answerStart(id, member), body),
	);
}

/**
 * A document around a body that still arrives. Where the body's greatest length is known, the document's is said ahead,
 * which spares both sides the framing of every piece; white space fills up what the body is shorter.
 */
function streamed(start: Bytes, body: Pieces): Pieces {
	return body.atMost === undefined
		? around(start, body, ANSWER_END)
		: new Filled(start, body, body.atMost);
}

/** A document of a length that was said ahead. Its start is there at once, so that it goes out with the head. */
class Filled implements Pieces {
	readonly length: number;
	#start: Bytes | null;
	readonly #body: Pieces;
	#hasEnded = false;
	#isClosed = false;
	#left: number;

	constructor(start: Bytes, body: Pieces, bodyBytesMax: number) {
		this.length = start.length + bodyBytesMax + ANSWER_END.length;
		this.#start = start;
		this.#body = body;
		this.#left = this.length;
	}

	next(): Promise<Bytes | null> {
		const start = this.#start;
		this.#start = null;
		return start ? Promise.resolve(this.#counted(start)) : this.#rest();
	}

	cancel(): void {
		this.#body.cancel();
	}

	async #rest(): Promise<Bytes | null> {
		const piece = this.#hasEnded ? null : await this.#body.next();
		if (piece) {
			this.#counted(piece);
			return this.#left === ANSWER_END.length ? this.#last(piece) : piece;
		}
		this.#hasEnded = true;
		if (this.#left <= 0) return null;
		const end = this.#isClosed ? SPACES : FILLED_END;
		this.#isClosed = true;
		return this.#counted(end.subarray(0, this.#left));
	}

	/** The last piece of a body that is as long as it might be: the end goes out with it, once the body has ended. */
	async #last(piece: Bytes): Promise<Bytes> {
		const more = await this.#body.next();
		if (more) throw new Error("a body is longer than it was said to be");
		this.#hasEnded = true;
		const closed = closedIn(piece);
		if (!closed) return piece;
		this.#isClosed = true;
		this.#counted(ANSWER_END);
		return closed;
	}

	#counted(piece: Bytes): Bytes {
		this.#left -= piece.length;
		return piece;
	}
}

const SPACES = new Uint8Array(4096).fill(SPACE);
const FILLED_END = join([ANSWER_END, SPACES]);

/**
 * The piece with the end behind it, where that stands there in memory already, as it does when a server closed its
 * object right behind the result: to put the two together would be to copy all of it.
 */
function closedIn({ buffer, byteOffset, length }: Bytes): Bytes | null {
	if (byteOffset + length >= buffer.byteLength) return null;
	const closed = new Uint8Array(buffer, byteOffset, length + 1);
	return closed[length] === CLOSE_OBJECT ? closed : null;
}
