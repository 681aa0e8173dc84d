/**
 * The head of an answer: a status and headers, and from them alone how long the body is. Whatever two readers could
 * understand differently is refused, because what one takes for the end of an answer the other takes for the
 * beginning of the next, and that one may be somebody else's.
 *
 * @see RFC 9112 2 to 6, RFC 9110 5
 */
import { COLON, CR, LF, SPACE, TAB, ZERO } from "../bytes.ts";
import type { SallyportError } from "../errors.ts";
import { type Bytes, latin1In, standsAt } from "../message.ts";
import { MEDIA } from "../protocol.ts";
import { malformed } from "./failure.ts";

/** How the body ends: after so many bytes, by its last chunk, or with the connection. */
export type Framing = number | "chunked" | "close";

/** What may stand in a header's name, and in a value: bit 1 and bit 2 of a character. */
const IN_NAME = 1;
const IN_VALUE = 2;
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
	const character = String.fromCharCode(byte);
	const name = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character) ? IN_NAME : 0;
	const value = /[\t\x20-\x7e\x80-\xff]/.test(character) ? IN_VALUE : 0;
	return name | value;
});
const VERSION = "HTTP/1.";
const STATUS_LINE = "HTTP/1.x 000";
const CONTENT_LENGTH = "content-length";
const TRANSFER_ENCODING = "transfer-encoding";
const CONNECTION = "connection";
const LENGTH_DIGITS_MAX = 15;

/** A class, because every call reads one. It stays bytes: values are cut out when they are asked for. */
export class Head {
	readonly status: number;
	readonly framing: Framing;
	/** Another request may follow on the connection. */
	readonly persistent: boolean;
	readonly #bytes: Bytes;
	readonly #start: number;
	readonly #end: number;

	/**
	 * Reads the head that stands there, without the empty line that ends it.
	 * @throws SallyportError `upstream` when it is malformed or ambiguous
	 */
	constructor(bytes: Bytes, start: number, end: number) {
		this.#bytes = bytes;
		this.#start = start;
		this.#end = end;
		const isModern = requireStatusLine(bytes, start, end);
		this.status = numberIn(bytes, start + 9, start + 12);
		let length = -1;
		let encoding: string | null = null;
		let isLast = !isModern;
		let at = lineEnd(bytes, start, end);
		while (at < end) {
			const name = at + 2;
			const colon = stretchEnd(bytes, name, end, IN_NAME);
			// White space before a colon, and lines that continue another, are how heads are smuggled.
			if (colon === name || bytes[colon] !== COLON)
				throw malformed("a header has no proper name");
			at = stretchEnd(bytes, colon + 1, end, IN_VALUE);
			if (!isLineEnd(bytes, at, end))
				throw malformed("a header holds a control character");
			switch (colon - name) {
				case CONTENT_LENGTH.length:
					if (!isNamed(bytes, name, CONTENT_LENGTH)) break;
					if (length >= 0) throw twice(CONTENT_LENGTH);
					length = lengthIn(bytes, colon + 1, at);
					break;
				case TRANSFER_ENCODING.length:
					if (!isNamed(bytes, name, TRANSFER_ENCODING)) break;
					if (encoding !== null) throw twice(TRANSFER_ENCODING);
					encoding = valueIn(bytes, colon + 1, at);
					break;
				case CONNECTION.length:
					if (isNamed(bytes, name, CONNECTION))
						isLast ||= hasClose(valueIn(bytes, colon + 1, at));
			}
		}
		this.framing = framingOf(this.status, isModern, length, encoding);
		this.persistent = !isLast && this.framing !== "close";
	}

	/** The value of a header by its lower-case name, the first line of it; null when there is none. */
	header(name: string): string | null {
		const bytes = this.#bytes;
		const end = this.#end;
		let at = lineEnd(bytes, this.#start, end);
		while (at < end) {
			const start = at + 2;
			at = lineEnd(bytes, start, end);
			const colon = start + name.length;
			if (colon < at && bytes[colon] === COLON && isNamed(bytes, start, name))
				return valueIn(bytes, colon + 1, at);
		}
		return null;
	}
}

/** Of such a header there is one, or nobody knows which one counts. */
function twice(name: string): SallyportError {
	return malformed(`it says ${name} twice`);
}

function framingOf(
	status: number,
	isModern: boolean,
	length: number,
	encoding: string | null,
): Framing {
	if (encoding !== null) {
		if (length >= 0 || !isModern)
			throw malformed("it says its length in two ways");
		if (encoding.toLowerCase() !== "chunked")
			throw malformed("its transfer coding is not known");
	}
	if (status < 200 || status === 204 || status === 304) return 0;
	if (encoding !== null) return "chunked";
	return length < 0 ? "close" : length;
}

/** @returns whether it is HTTP/1.1, and not 1.0 */
function requireStatusLine(bytes: Bytes, start: number, end: number): boolean {
	const minor = (bytes[start + 7] as number) - ZERO;
	const code = start + 9;
	const after = start + STATUS_LINE.length;
	const isKnown =
		after <= end &&
		standsAt(bytes, start, VERSION) &&
		(minor === 0 || minor === 1) &&
		bytes[start + 8] === SPACE &&
		(bytes[code] as number) >= ZERO + 1 &&
		(bytes[code] as number) <= ZERO + 5 &&
		numberIn(bytes, code, after) >= 0;
	const lineEnds = stretchEnd(bytes, after, end, IN_VALUE);
	const hasReason = lineEnds === after || bytes[after] === SPACE;
	if (!isKnown || !hasReason || !isLineEnd(bytes, lineEnds, end))
		throw malformed("its first line is no status line");
	return minor === 1;
}

/** A number in digits alone; -1 for anything else. */
function numberIn(bytes: Bytes, start: number, end: number): number {
	let number = 0;
	for (let at = start; at < end; at++) {
		const digit = (bytes[at] as number) - ZERO;
		if (digit < 0 || digit > 9) return -1;
		number = number * 10 + digit;
	}
	return start < end ? number : -1;
}

function lengthIn(bytes: Bytes, start: number, end: number): number {
	const from = valueStart(bytes, start, end);
	const to = valueEnd(bytes, from, end);
	const length = to - from > LENGTH_DIGITS_MAX ? -1 : numberIn(bytes, from, to);
	if (length < 0) throw malformed("its length is no number");
	return length;
}

/** Where a stretch of such bytes ends. */
function stretchEnd(
	bytes: Bytes,
	start: number,
	end: number,
	kind: number,
): number {
	let at = start;
	while (at < end && ((KINDS[bytes[at] as number] as number) & kind) !== 0)
		at++;
	return at;
}

/** The end of the line; of the last one, the end of the head. What is asked of an unread head is refused later. */
function lineEnd(bytes: Bytes, start: number, end: number): number {
	return stretchEnd(bytes, start, end, IN_VALUE | IN_NAME);
}

function isLineEnd(bytes: Bytes, at: number, end: number): boolean {
	return at === end || (bytes[at] === CR && bytes[at + 1] === LF);
}

/** Names are ASCII, and their letters differ from the capital ones in one bit only. */
function isNamed(bytes: Bytes, start: number, name: string): boolean {
	for (let at = 0; at < name.length; at++)
		if (((bytes[start + at] as number) | 0x20) !== name.charCodeAt(at))
			return false;
	return true;
}

/** A value, without the white space around it. */
function valueIn(bytes: Bytes, start: number, end: number): string {
	const from = valueStart(bytes, start, end);
	const to = valueEnd(bytes, from, end);
	// Nearly every answer is JSON, and a text made of that each time would be most of what a head costs.
	return to - from === MEDIA.json.length && standsAt(bytes, from, MEDIA.json)
		? MEDIA.json
		: latin1In(bytes, from, to);
}

function valueStart(bytes: Bytes, start: number, end: number): number {
	let at = start;
	while (at < end && isBlank(bytes[at])) at++;
	return at;
}

function valueEnd(bytes: Bytes, start: number, end: number): number {
	let at = end;
	while (at > start && isBlank(bytes[at - 1])) at--;
	return at;
}

function isBlank(byte: number | undefined): boolean {
	return byte === SPACE || byte === TAB;
}

function hasClose(connection: string): boolean {
	return /(?:^|,)\s*close\s*(?:,|$)/i.test(connection);
}
