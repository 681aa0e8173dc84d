/**
 * A stream of server-sent events toward one client: messages, heartbeats, an end.
 * A client that does not read is cut when too much waits for it, so that it cannot hold the gateway's memory.
 */
import { every } from "../clock.ts";
import { type Bytes, join, oneLine, toBytes } from "../message.ts";

const HEARTBEAT_MS = 15_000;
/** What may wait for a slow client before it is cut; one message more may always wait. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

/** Where messages go, as long as somebody wants them. */
export type EventSink = {
	/** Sends one JSON-RPC message. Silently nothing after the end. */
	readonly send: (message: Bytes) => void;
	readonly end: () => void;
	/** Calls `listener` once when the stream is over, by either side. */
	readonly onEnd: (listener: () => void) => void;
};

export type EventStream = EventSink & {
	readonly body: ReadableStream<Bytes>;
	/** Sends one message as the event of that id. */
	readonly send: (message: Bytes, id?: string) => void;
	/** Says where the stream is, and when to come back to it should it break, without a message (SEP-1699). */
	readonly prime: (id: string, retryMs: number) => void;
	/** Sends the headers: Bun holds them back until there is something to send, and clients wait for them. */
	readonly open: () => void;
};

const OPENING = Buffer.from(": open\n\n");
const HEARTBEAT = Buffer.from(": heartbeat\n\n");

export const EVENT_STREAM_HEADERS: Readonly<Record<string, string>> = {
	"content-type": "text/event-stream",
	"cache-control": "no-store",
	// nginx and its like hold a stream back otherwise
	"x-accel-buffering": "no",
};

export function createEventStream(): EventStream {
	let controller: ReadableStreamDefaultController<Bytes> | null = null;
	const listeners: (() => void)[] = [];
	const over = (): void => {
		controller = null;
		stopHeartbeat();
		for (const listener of listeners.splice(0)) listener();
	};
	const end = (): void => {
		controller?.close();
		if (controller) over();
	};
	const write = (chunk: Bytes): void => {
		if (!controller) return;
		if ((controller.desiredSize ?? 0) < -WAITING_BYTES_MAX) end();
		else controller.enqueue(chunk);
	};
	const stopHeartbeat = every(HEARTBEAT_MS, () => write(HEARTBEAT));
	const body = new ReadableStream<Bytes>(
		{
			start: (started) => {
				controller = started;
			},
			cancel: over,
		},
		new ByteLengthQueuingStrategy({ highWaterMark: 0 }),
	);
	return {
		body,
		send: (message: Bytes, id?: string) => write(eventOf(message, id)),
		prime: (id, retryMs) =>
			write(toBytes(`id: ${id}\nretry: ${retryMs}\ndata: \n\n`)),
		open: () => write(OPENING),
		end,
		onEnd: (listener) => {
			if (controller) listeners.push(listener);
			else listener();
		},
	};
}

/** One message as one event. */
function eventOf(message: Bytes, id?: string): Bytes {
	const head = id === undefined ? "data: " : `id: ${id}\ndata: `;
	return join([head, oneLine(message), "\n\n"]);
}
