/**
 * The grammar of JSON over bytes: whether what stands there is JSON, and where it ends. What is proven here reads the
 * same to every parser that comes after us. No value is made of it, which takes a third of what `JSON.parse` does.
 *
 * Bytes above ASCII are taken as they are inside strings: whether a message is UTF-8 is asked once, of all of it.
 *
 * @see RFC 8259
 */
import {
	BACKSLASH,
	CLOSE_ARRAY,
	CLOSE_OBJECT,
	COLON,
	COMMA,
	CR,
	LF,
	OPEN_ARRAY,
	OPEN_OBJECT,
	QUOTE,
	SPACE,
	TAB,
	ZERO,
} from "./bytes.ts";
import { DEPTH_MAX, notJson, tooDeep } from "./malformed.ts";

type Bytes = Uint8Array;

/** The end of the value that begins at `start`: one past its last byte. @throws MalformedMessage when there is none */
export function valueEnd(bytes: Bytes, start: number): number {
	return endOf(bytes, start, 0);
}

/** The end of the string that begins at `start`. @throws MalformedMessage when there is none */
export function stringEnd(bytes: Bytes, start: number): number {
	if (bytes[start] !== QUOTE) throw notJson();
	let at = start + 1;
	for (;;) {
		while (isOf(bytes[at], PLAIN)) at++;
		if (bytes[at] === QUOTE) return at + 1;
		if (bytes[at] !== BACKSLASH) throw notJson();
		at = escapeEnd(bytes, at);
	}
}

export function skipSpace(bytes: Bytes, start: number): number {
	let at = start;
	while (isSpace(bytes[at])) at++;
	return at;
}

/** White space between tokens (RFC 8259 2). */
export function isSpace(byte: number | undefined): boolean {
	return byte === SPACE || byte === LF || byte === CR || byte === TAB;
}

/** What numbers, `true`, `false` and `null` are made of, for those who look for an end and prove nothing. */
export function isInScalar(byte: number): boolean {
	return (
		(byte >= 0x30 && byte <= 0x39) || // digits
		(byte >= 0x61 && byte <= 0x7a) || // letters of true, false, null and the exponent
		byte === PLUS ||
		byte === MINUS ||
		byte === POINT ||
		byte === CAPITAL_E
	);
}

function endOf(bytes: Bytes, start: number, depth: number): number {
	switch (bytes[start]) {
		case QUOTE:
			return stringEnd(bytes, start);
		case OPEN_OBJECT:
			return objectEnd(bytes, start, depth + 1);
		case OPEN_ARRAY:
			return arrayEnd(bytes, start, depth + 1);
		case SMALL_T:
			return wordEnd(bytes, start, "true");
		case SMALL_F:
			return wordEnd(bytes, start, "false");
		case SMALL_N:
			return wordEnd(bytes, start, "null");
		default:
			return numberEnd(bytes, start);
	}
}

function objectEnd(bytes: Bytes, start: number, depth: number): number {
	if (depth > DEPTH_MAX) throw tooDeep();
	let at = skipSpace(bytes, start + 1);
	if (bytes[at] === CLOSE_OBJECT) return at + 1;
	for (;;) {
		at = skipSpace(bytes, stringEnd(bytes, at));
		if (bytes[at] !== COLON) throw notJson();
		at = skipSpace(bytes, endOf(bytes, skipSpace(bytes, at + 1), depth));
		if (bytes[at] === CLOSE_OBJECT) return at + 1;
		if (bytes[at] !== COMMA) throw notJson();
		at = skipSpace(bytes, at + 1);
	}
}

function arrayEnd(bytes: Bytes, start: number, depth: number): number {
	if (depth > DEPTH_MAX) throw tooDeep();
	let at = skipSpace(bytes, start + 1);
	if (bytes[at] === CLOSE_ARRAY) return at + 1;
	for (;;) {
		at = skipSpace(bytes, endOf(bytes, at, depth));
		if (bytes[at] === CLOSE_ARRAY) return at + 1;
		if (bytes[at] !== COMMA) throw notJson();
		at = skipSpace(bytes, at + 1);
	}
}

function wordEnd(bytes: Bytes, start: number, word: string): number {
	for (let at = 0; at < word.length; at++)
		if (bytes[start + at] !== word.charCodeAt(at)) throw notJson();
	return start + word.length;
}

function numberEnd(bytes: Bytes, start: number): number {
	const first = bytes[start] === MINUS ? start + 1 : start;
	let at = bytes[first] === ZERO ? first + 1 : digitsEnd(bytes, first);
	if (bytes[at] === POINT) at = digitsEnd(bytes, at + 1);
	if (bytes[at] !== SMALL_E && bytes[at] !== CAPITAL_E) return at;
	at++;
	if (bytes[at] === PLUS || bytes[at] === MINUS) at++;
	return digitsEnd(bytes, at);
}

/** At least one digit. */
function digitsEnd(bytes: Bytes, start: number): number {
	let at = start;
	while (isOf(bytes[at], DIGIT)) at++;
	if (at === start) throw notJson();
	return at;
}

function escapeEnd(bytes: Bytes, start: number): number {
	if (isOf(bytes[start + 1], ESCAPED)) return start + 2;
	if (bytes[start + 1] !== SMALL_U) throw notJson();
	const end = start + 6;
	for (let at = start + 2; at < end; at++)
		if (!isOf(bytes[at], HEX)) throw notJson();
	return end;
}

const PLUS = 0x2b;
const MINUS = 0x2d;
const POINT = 0x2e;
const CAPITAL_E = 0x45;
const SMALL_E = 0x65;
const SMALL_F = 0x66;
const SMALL_N = 0x6e;
const SMALL_T = 0x74;
const SMALL_U = 0x75;

/** Where a byte may stand: in a string as itself, after a backslash, in a number, in `\u0000`. */
const PLAIN = 1;
const ESCAPED = 2;
const DIGIT = 4;
const HEX = 8;
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
	const character = String.fromCharCode(byte);
	return (
		(byte >= SPACE && !/["\\]/.test(character) ? PLAIN : 0) |
		(/["\\/bfnrt]/.test(character) ? ESCAPED : 0) |
		(/[0-9]/.test(character) ? DIGIT : 0) |
		(/[0-9A-Fa-f]/.test(character) ? HEX : 0)
	);
});

/** Whether there is a byte, and one of that kind. */
function isOf(byte: number | undefined, kind: number): boolean {
	return ((KINDS[byte as number] as number) & kind) !== 0;
}
