/**
 * A reply as an HTTP response: plain JSON when the answer is all there is, an event stream as soon as something
 * else comes first (a notification, or a silence longer than the patience of those in between).
 */
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

const JSON_HEADERS: Readonly<Record<string, string>> = {
	"content-type": "application/json",
	"cache-control": "no-store",
};

const NO_HEADERS: Readonly<Record<string, string>> = {};

export type Answering = {
	/** The raw JSON of the request's id. */
	readonly id: string;
	/** Does the work; notifications go to the client as they come. */
	readonly run: (notify: (message: Bytes) => void) => Promise<Reply>;
	/** The HTTP status of a reply that comes as plain JSON. */
	readonly statusOf: (reply: Reply) => number;
	/** The client takes event streams. */
	readonly streams: boolean;
	/** Lets the response be silent. */
	readonly patient: () => void;
	/** The client went away before the reply. */
	readonly onGone: () => void;
	readonly headers?: Readonly<Record<string, string>>;
	/** Where the answer goes when it is a stream; the connection itself when it cannot be taken up again. */
	readonly trackOn?: (connection: EventStream) => EventSink;
};

/** Answers one request. Never rejects unless `run` does before anything was sent. */
export function answer(answering: Answering): Promise<Response> {
	const { id, run, streams, patient } = answering;
	return new Promise<Response>((resolve, reject) => {
		let stream: EventSink | null = null;
		let finished = false;
		const open = (): EventSink => {
			if (stream) return stream;
			patient();
			const connection = createEventStream();
			connection.onEnd(() => {
				if (!finished) answering.onGone();
			});
			stream = answering.trackOn?.(connection) ?? connection;
			resolve(
				new Response(connection.body, {
					headers: { ...EVENT_STREAM_HEADERS, ...answering.headers },
				}),
			);
			return stream;
		};
		const finish = (): void => {
			clearTimeout(timer);
			finished = true;
		};
		const timer = setTimeout(() => {
			if (streams) open();
			else patient();
		}, PATIENCE_MS);
		const notify = (message: Bytes): void => {
			if (streams) open().send(message);
		};
		run(notify).then(
			(reply) => {
				finish();
				if (stream) void sendLast(stream, id, reply);
				else {
					const status = answering.statusOf(reply);
					resolve(jsonResponse(id, reply, status, answering.headers));
				}
			},
			(error: unknown) => {
				finish();
				if (stream) stream.end();
				reject(error);
			},
		);
	});
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
	headers: Readonly<Record<string, string>> = NO_HEADERS,
): Response {
	const init = {
		status,
		headers:
			headers === NO_HEADERS ? JSON_HEADERS : { ...JSON_HEADERS, ...headers },
	};
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
