/**
 * Where one JSON value ends, over chunks that arrive one after another: strings are jumped over, brackets are counted
 * and matched, and nothing is parsed or held.
 *
 * @see RFC 8259
 */
import {
	BACKSLASH,
	CLOSE_ARRAY,
	CLOSE_OBJECT,
	COMMA,
	OPEN_ARRAY,
	OPEN_OBJECT,
	QUOTE,
} from "./bytes.ts";
import { isInScalar, isSpace } from "./json.ts";
import { DEPTH_MAX, notJson, tooDeep } from "./malformed.ts";
import { type Bytes, LOOKED_THROUGH } from "./message.ts";

export type ValueScan = {
	readonly started: () => boolean;
	readonly ended: () => boolean;
	/** Scans from `at`; gives where the value ends in this chunk, or the chunk's length. */
	readonly push: (chunk: Bytes, at: number) => number;
};

/** Follows one JSON value over chunks: nesting, strings and their escapes. */
export function createValueScan(): ValueScan {
	let started = false;
	let ended = false;
	let inString = false;
	let escaped = false;
	const closers: number[] = [];

	/** Scans inside a string; gives where it ends, or the chunk's length. */
	const string = (chunk: Bytes, start: number): number => {
		let at = start;
		if (escaped) {
			escaped = false;
			at++;
		}
		while (at < chunk.length) {
			for (const soon = at + LOOKED_THROUGH; at < soon; at++) {
				const byte = chunk[at];
				if (byte === BACKSLASH || byte === undefined) break;
				if (byte !== QUOTE) continue;
				inString = false;
				ended = closers.length === 0;
				return at + 1;
			}
			const quote = chunk.indexOf(QUOTE, at);
			const stop = quote < 0 ? chunk.length : quote;
			let slashes = 0;
			while (
				stop - 1 - slashes >= at &&
				chunk[stop - 1 - slashes] === BACKSLASH
			)
				slashes++;
			const odd = slashes % 2 === 1;
			if (quote < 0) {
				escaped = odd;
				return stop;
			}
			at = quote + 1;
			if (!odd) {
				inString = false;
				ended = closers.length === 0;
				return at;
			}
		}
		return at;
	};

	const push = (chunk: Bytes, start: number): number => {
		let at = start;
		while (at < chunk.length) {
			if (inString) {
				at = string(chunk, at);
				if (ended) return at;
				continue;
			}
			const byte = chunk[at] as number;
			if (started && closers.length === 0) {
				// a number, true, false or null: it ends before what cannot be part of it
				if (
					isSpace(byte) ||
					byte === COMMA ||
					byte === CLOSE_OBJECT ||
					byte === CLOSE_ARRAY
				) {
					ended = true;
					return at;
				}
				if (!isInScalar(byte)) throw notJson();
				at++;
				continue;
			}
			started = true;
			at++;
			if (byte === QUOTE) inString = true;
			else if (byte === OPEN_OBJECT) open(CLOSE_OBJECT);
			else if (byte === OPEN_ARRAY) open(CLOSE_ARRAY);
			else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
				if (closers.pop() !== byte) throw notJson();
				if (closers.length === 0) {
					ended = true;
					return at;
				}
			} else if (closers.length === 0 && !isInScalar(byte)) throw notJson();
		}
		return at;
	};
	const open = (closer: number): void => {
		if (closers.push(closer) > DEPTH_MAX) throw tooDeep();
	};
	return { started: () => started, ended: () => ended, push };
}
