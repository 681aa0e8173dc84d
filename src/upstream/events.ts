/**
 * Server-sent events out of a byte stream. Data stays bytes, so that a message arrives as it was sent.
 *
 * @see WHATWG HTML 9.2.6, "Interpreting an event stream"
 */

import { join } from "../assembly.ts";
import { COLON, SPACE } from "../bytes.ts";
import type { Bytes } from "../message.ts";
import { createLineSplitter } from "./lines.ts";

export type ServerEvent = {
	/** `message` when the stream does not say. */
	readonly type: string;
	readonly data: Bytes;
	/** The last event id so far; empty when there was none. */
	readonly id: string;
};

export type EventSplitter = {
	readonly push: (chunk: Bytes) => void;
	/** The reconnection time the stream asked for. */
	readonly retryMs: () => number | undefined;
	readonly lastId: () => string;
};

const RETRY_DIGITS = /^\d{1,9}$/;

/** @param options.onTooLong called when one event has more than `bytesMax` bytes; the stream is of no use then */
export function createEventSplitter(options: {
	readonly bytesMax: number;
	readonly onEvent: (event: ServerEvent) => void;
	readonly onTooLong: () => void;
}): EventSplitter {
	let type = "";
	let id = "";
	let retryMs: number | undefined;
	let data: Bytes[] = [];
	let held = 0;
	let first = true;

	const dispatch = (): void => {
		const parts = data;
		const event = type === "" ? "message" : type;
		data = [];
		held = 0;
		type = "";
		if (parts.length === 0) return;
		const whole =
			parts.length === 1
				? (parts[0] as Bytes)
				: join(parts.flatMap((part, at) => (at === 0 ? [part] : ["\n", part])));
		options.onEvent({ type: event, data: whole, id });
	};

	const field = (line: Bytes): void => {
		const colon = line.indexOf(COLON);
		const nameEnd = colon < 0 ? line.length : colon;
		const valueStart =
			colon < 0
				? line.length
				: line[colon + 1] === SPACE
					? colon + 2
					: colon + 1;
		const value = line.subarray(valueStart);
		switch (latin(line.subarray(0, nameEnd))) {
			case "data":
				held += value.length;
				if (held > options.bytesMax) options.onTooLong();
				else data.push(value);
				break;
			case "event":
				type = latin(value);
				break;
			case "id":
				if (!value.includes(0)) id = latin(value);
				break;
			case "retry":
				if (RETRY_DIGITS.test(latin(value))) retryMs = Number(latin(value));
				break;
		}
	};

	const lines = createLineSplitter({
		bytesMax: options.bytesMax,
		bareCr: true,
		onTooLong: options.onTooLong,
		onLine: (raw) => {
			const line = first ? withoutBom(raw) : raw;
			first = false;
			if (line.length === 0) dispatch();
			else if (line[0] !== COLON) field(line);
		},
	});
	return { push: lines.push, retryMs: () => retryMs, lastId: () => id };
}

function withoutBom(line: Bytes): Bytes {
	return line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf
		? line.subarray(3)
		: line;
}

/** Short values only: an id is handed back as it came, byte for byte, and a header is made of Latin-1. */
function latin(bytes: Bytes): string {
	return Buffer.from(
		bytes.buffer,
		bytes.byteOffset,
		Math.min(bytes.length, 1024),
	).toString("latin1");
}
