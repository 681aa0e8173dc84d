/**
 * A stream of server-sent events toward one client: messages, heartbeats, an end.
 * A client that does not read is cut when too much waits for it, so that it cannot hold the gateway's memory.
 */

import { join, oneLine } from "../assembly.ts";
import { every } from "../clock.ts";
import { headerLines } from "../http1/header-lines.ts";
import { PlainResponse } from "../http1/outgoing.ts";
import { type Bytes, toBytes } from "../message.ts";
import type { Pieces } from "../pieces.ts";

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
	readonly body: Pieces;
	/** Sends one message as the event of that id. */
	readonly send: (message: Bytes, id?: string) => void;
	/** Says where the stream is, and when to come back to it should it break, without a message (SEP-1699). */
	readonly prime: (id: string, retryMs: number) => void;
};

const HEARTBEAT = Buffer.from(": heartbeat\n\n");

const EVENT_STREAM_LINES = headerLines({
	"content-type": "text/event-stream",
	"cache-control": "no-store",
	// nginx and its like hold a stream back otherwise
	"x-accel-buffering": "no",
});

/** A response that is this stream. */
export function streamResponse({ body }: EventStream): PlainResponse {
	return new PlainResponse(200, EVENT_STREAM_LINES, body);
}

export function createEventStream(): EventStream {
	let waiting: Bytes[] = [];
	let waitingBytes = 0;
	let reader: ((piece: Bytes | null) => void) | null = null;
	let isOver = false;
	const listeners: (() => void)[] = [];
	const end = (): void => {
		if (isOver) return;
		isOver = true;
		stopHeartbeat();
		reader?.(null);
		reader = null;
		for (const listener of listeners.splice(0)) listener();
	};
	const write = (chunk: Bytes): void => {
		if (isOver) return;
		if (reader) {
			reader(chunk);
			reader = null;
			return;
		}
		if (waitingBytes > WAITING_BYTES_MAX) {
			end();
			return;
		}
		waiting.push(chunk);
		waitingBytes += chunk.length;
	};
	const stopHeartbeat = every(HEARTBEAT_MS, () => write(HEARTBEAT));
	return {
		body: {
			next: () => {
				if (waiting.length > 0) {
					const pieces = waiting;
					waiting = [];
					waitingBytes = 0;
					return Promise.resolve(join(pieces));
				}
				if (isOver) return Promise.resolve(null);
				return new Promise((resolve) => {
					reader = resolve;
				});
			},
			cancel: () => {
				waiting = [];
				end();
			},
		},
		send: (message: Bytes, id?: string) => write(eventOf(message, id)),
		prime: (id, retryMs) =>
			write(toBytes(`id: ${id}\nretry: ${retryMs}\ndata: \n\n`)),
		end,
		onEnd: (listener) => {
			if (isOver) listener();
			else listeners.push(listener);
		},
	};
}

/** One message as one event. */
function eventOf(message: Bytes, id?: string): Bytes {
	const head = id === undefined ? "data: " : `id: ${id}\ndata: `;
	return join([head, oneLine(message), "\n\n"]);
}
