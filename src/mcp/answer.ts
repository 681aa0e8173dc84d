/**
 * A reply as an HTTP response: plain JSON when the answer is all there is, an event stream as soon as something
 * else comes first (a notification, or a silence longer than the patience of those in between).
 */
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
export async function answer(answering: Answering): Promise<Response> {
	const { id, run, statusOf, streams, patient, onGone, headers, trackOn } =
		answering;
	const opened = Promise.withResolvers<Response>();
	let stream: EventSink | null = null;
	let finished = false;

	const open = (): EventSink => {
		if (stream) return stream;
		patient();
		const connection = createEventStream();
		connection.onEnd(() => {
			if (!finished) onGone();
		});
		stream = trackOn?.(connection) ?? connection;
		opened.resolve(
			new Response(connection.body, {
				headers: { ...EVENT_STREAM_HEADERS, ...headers },
			}),
		);
		return stream;
	};
	const timer = setTimeout(() => (streams ? open() : patient()), PATIENCE_MS);

	const work = run((message) => {
		if (streams) open().send(message);
	}).then(
		async (reply) => {
			clearTimeout(timer);
			finished = true;
			if (!stream) return jsonResponse(id, reply, statusOf(reply), headers);
			stream.send(
				join([...wrap(id, reply.member), await wholeBody(reply.body), "}"]),
			);
			stream.end();
			return null;
		},
		(error) => {
			clearTimeout(timer);
			finished = true;
			throw error;
		},
	);
	// Once the stream is open nobody awaits the work; its failure was turned into an error reply by `run`.
	work.catch(() => stream?.end());
	return (await Promise.race([work, opened.promise])) ?? opened.promise;
}

/** One response message as a JSON document; a streamed result stays a stream. */
export function jsonResponse(
	id: string,
	{ member, body }: Reply,
	status = 200,
	headers: Readonly<Record<string, string>> = {},
): Response {
	const init = { status, headers: { ...JSON_HEADERS, ...headers } };
	const head = wrap(id, member);
	if (body instanceof Uint8Array)
		return new Response(join([...head, body, "}"]), init);
	return new Response(readableOf(around(join(head), body, toBytes("}"))), init);
}

function wrap(id: string, member: "result" | "error"): string[] {
	return [`{"jsonrpc":"2.0","id":${id},"${member}":`];
}
