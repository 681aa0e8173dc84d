/**
 * A stream of server-sent events toward one client: messages, heartbeats, an end.
 * A client that does not read is cut when too much waits for it, so that it cannot hold the gateway's memory.
 */
import { every } from "../clock.ts";
import { type Bytes, join, oneLine } from "../message.ts";

const HEARTBEAT_MS = 15_000;
/** What may wait for a slow client before it is cut; one message more may always wait. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

export type EventStream = {
	readonly body: ReadableStream<Bytes>;
	/** Sends one JSON-RPC message. Silently nothing after the end. */
	readonly send: (message: Bytes) => void;
	readonly end: () => void;
	/** Calls `listener` once when the stream is over, by either side. */
	readonly onEnd: (listener: () => void) => void;
};

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
		send: (message) => write(eventOf(message)),
		end,
		onEnd: (listener) => {
			if (controller) listeners.push(listener);
			else listener();
		},
	};
}

/** One message as one event. */
function eventOf(message: Bytes): Bytes {
	return join(["data: ", oneLine(message), "\n\n"]);
}
