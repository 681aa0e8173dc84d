/**
 * A reply as an HTTP response: plain JSON when the answer is all there is, an event stream as soon as something
 * else comes first (a notification, or a silence longer than the patience of those in between).
 */
import { type Deadline, deadlines } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { type Bytes, join, toBytes } from "../message.ts";
import { around, readableOf } from "../pieces.ts";
import { wholeBody } from "../upstream/reply.ts";
import type { Reply } from "../upstream/upstream.ts";
import {
	createEventStream,
	EVENT_STREAM_HEADERS,
	type EventSink,
	type EventStream,
} from "./stream.ts";

/** A silent request becomes a stream with heartbeats after this long; `Bun.serve` would cut it after 10 s. */
const PATIENCE_MS = 5000;

export const JSON_HEADERS: Readonly<Record<string, string>> = {
	"content-type": "application/json",
	"cache-control": "no-store",
};

/** The same, ready to be copied: nearly every answer has them. */
const PREPARED = new Headers(JSON_HEADERS);

/** How one request wants its answer. */
export type Manner = {
	/** The raw JSON of the request's id. */
	readonly id: string;
	/** The client takes event streams. */
	readonly streams: boolean;
	/** Lets the response be silent. */
	patient(): void;
	/** The HTTP status of a reply that comes as plain JSON. */
	statusOf(reply: Reply): number;
	/** The client went away before the reply. */
	onGone(): void;
	/** Where the answer goes when it is a stream; the connection itself when it cannot be taken up again. */
	trackOn(connection: EventStream): EventSink;
};

/** An answer in the making. A class, because every call makes one. */
export class Answering implements Deadline {
	/** Resolves as soon as anything can be sent. Never rejects. */
	readonly response: Promise<Response>;
	atMs = 0;
	readonly #manner: Manner;
	readonly #resolve: (response: Response) => void;
	#stream: EventSink | null = null;
	#finished = false;

	constructor(manner: Manner) {
		const { promise, resolve } = Promise.withResolvers<Response>();
		this.response = promise;
		this.#resolve = resolve;
		this.#manner = manner;
		deadlines.add(this, PATIENCE_MS);
	}

	/** Sends a notification as it comes, to a client that takes streams. */
	notify(message: Bytes): void {
		if (this.#manner.streams) this.#open().send(message);
	}

	/** The reply, which is the end. */
	finish(reply: Reply): void {
		deadlines.delete(this);
		this.#finished = true;
		const { id } = this.#manner;
		if (this.#stream) void sendLast(this.#stream, id, reply);
		else this.#resolve(jsonResponse(id, reply, this.#manner.statusOf(reply)));
	}

	/** It is silent for long. */
	onLate(): void {
		if (this.#manner.streams) this.#open();
		else this.#manner.patient();
	}

	#open(): EventSink {
		if (this.#stream) return this.#stream;
		this.#manner.patient();
		const connection = createEventStream();
		connection.onEnd(() => {
			if (!this.#finished) this.#manner.onGone();
		});
		this.#stream = this.#manner.trackOn(connection);
		this.#resolve(
			new Response(connection.body, { headers: EVENT_STREAM_HEADERS }),
		);
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
		stream.send(join([wrap(id, member), await wholeBody(body), "}"]));
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
	headers: Readonly<Record<string, string>> | Headers = PREPARED,
): Response {
	const init = { status, headers };
	const head = wrap(id, member);
	if (!(body instanceof Uint8Array))
		return new Response(readableOf(around(toBytes(head), body, TAIL)), init);
	return body.length < CORKED_BYTES_MAX
		? new Response(join([head, body, "}"]), init)
		: new Response(written([toBytes(head), body, TAIL]), init);
}

const TAIL = toBytes("}");

/**
 * `Bun.serve` gathers a response of up to 16 KiB into one write to the socket. A longer body that it is given as bytes
 * makes it write each part of each header by itself, which costs five times the call; one that is written to it does
 * not.
 */
const CORKED_BYTES_MAX = 15 * 1024;

/** All parts, written at once when the response is sent (`type: "direct"` is Bun's own kind of stream). */
function written(parts: readonly Bytes[]): ReadableStream<Bytes> {
	const source = {
		type: "direct",
		pull: (socket: Writer) => {
			for (const part of parts) socket.write(part);
			socket.end();
		},
	};
	return new ReadableStream(source as unknown as UnderlyingSource<Bytes>);
}

type Writer = {
	readonly write: (part: Bytes) => void;
	readonly end: () => void;
};

function wrap(id: string, member: "result" | "error"): string {
	return `{"jsonrpc":"2.0","id":${id},"${member}":`;
}
