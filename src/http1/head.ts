/**
 * The head of an answer: a status and headers, and from them alone how long the body is. Whatever two readers could
 * understand differently is refused, because what one takes for the end of an answer the other takes for the
 * beginning of the next, and that one may be somebody else's.
 *
 * @see RFC 9112 2 to 6, RFC 9110 5
 */
import { malformed } from "./failure.ts";

/** How the body ends: after so many bytes, by its last chunk, or with the connection. */
export type Framing = number | "chunked" | "close";

/** What may stand in a header's name, and in a value: bit 1 and bit 2 of a character. */
const IN_NAME = 1;
const IN_VALUE = 2;
const CHARACTERS = Uint8Array.from({ length: 256 }, (_, code) => {
	const character = String.fromCharCode(code);
	const name = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character) ? IN_NAME : 0;
	const value = /[\t\x20-\x7e\x80-\xff]/.test(character) ? IN_VALUE : 0;
	return name | value;
});
const STATUS_END = "HTTP/1.x 000".length;
const LINE_END = "\r\n";
const CONTENT_LENGTH = "content-length";
const TRANSFER_ENCODING = "transfer-encoding";
const COLON = 0x3a;
const SPACE = 0x20;
const TAB = 0x09;
const ZERO = 0x30;
const LENGTH = /^\d{1,15}$/;

/** A class, because every call reads one. Its lines stay text: values are cut out when they are asked for. */
export class Head {
	readonly status: number;
	readonly framing: Framing;
	/** Another request may follow on the connection. */
	readonly persistent: boolean;
	readonly #text: string;

	/**
	 * Reads a head, without the empty line that ends it.
	 * @param text in Latin-1
	 * @throws SallyportError `upstream` when it is malformed or ambiguous
	 */
	constructor(text: string) {
		this.#text = text;
		const isModern = requireStatusLine(text);
		this.status = Number(text.slice(9, 12));
		let length: string | null = null;
		let encoding: string | null = null;
		let connection: string | null = null;
		let at = text.indexOf(LINE_END);
		while (at >= 0 && at < text.length) {
			const name = at + LINE_END.length;
			const colon = stretchEnd(text, name, IN_NAME);
			// White space before a colon, and lines that continue another, are how heads are smuggled.
			if (colon === name || text.charCodeAt(colon) !== COLON)
				throw malformed("a header has no proper name");
			at = stretchEnd(text, colon + 1, IN_VALUE);
			if (!isLineEnd(text, at))
				throw malformed("a header holds a control character");
			if (isNamed(text, name, CONTENT_LENGTH))
				length = only(CONTENT_LENGTH, length, valueIn(text, colon + 1, at));
			else if (isNamed(text, name, TRANSFER_ENCODING))
				encoding = only(
					TRANSFER_ENCODING,
					encoding,
					valueIn(text, colon + 1, at),
				);
			else if (isNamed(text, name, "connection"))
				connection ??= valueIn(text, colon + 1, at);
		}
		this.framing = framingOf(this.status, isModern, length, encoding);
		this.persistent =
			isModern && this.framing !== "close" && !hasClose(connection);
	}

	/** The value of a header by its lower-case name, the first line of it; null when there is none. */
	header(name: string): string | null {
		const text = this.#text;
		let at = text.indexOf(LINE_END);
		for (; at >= 0; at = text.indexOf(LINE_END, at + 1)) {
			const start = at + LINE_END.length;
			if (!isNamed(text, start, name)) continue;
			const end = text.indexOf(LINE_END, start);
			const from = start + name.length + 1;
			return valueIn(text, from, end < 0 ? text.length : end);
		}
		return null;
	}
}

/** A header of which there is one, or nobody knows which one counts. */
function only(name: string, known: string | null, value: string): string {
	if (known !== null) throw malformed(`it says ${name} twice`);
	return value;
}

function framingOf(
	status: number,
	isModern: boolean,
	length: string | null,
	encoding: string | null,
): Framing {
	if (length !== null && !LENGTH.test(length))
		throw malformed("its length is no number");
	if (encoding !== null) {
		if (length !== null || !isModern)
			throw malformed("it says its length in two ways");
		if (encoding.toLowerCase() !== "chunked")
			throw malformed("its transfer coding is not known");
	}
	if (status < 200 || status === 204 || status === 304) return 0;
	if (encoding !== null) return "chunked";
	return length === null ? "close" : Number(length);
}

/** @returns whether it is HTTP/1.1, and not 1.0 */
function requireStatusLine(text: string): boolean {
	const minor = text.charCodeAt(7) - ZERO;
	const isKnown =
		text.startsWith("HTTP/1.") &&
		(minor === 0 || minor === 1) &&
		text.charCodeAt(8) === SPACE &&
		isDigit(text, 9, 1, 5) &&
		isDigit(text, 10, 0, 9) &&
		isDigit(text, 11, 0, 9);
	const end = stretchEnd(text, STATUS_END, IN_VALUE);
	const hasReason = end === STATUS_END || text.charCodeAt(STATUS_END) === SPACE;
	if (!isKnown || !hasReason || !isLineEnd(text, end))
		throw malformed("its first line is no status line");
	return minor === 1;
}

function isDigit(
	text: string,
	at: number,
	least: number,
	most: number,
): boolean {
	const digit = text.charCodeAt(at) - ZERO;
	return digit >= least && digit <= most;
}

/** Where a stretch of such characters ends. */
function stretchEnd(text: string, start: number, kind: number): number {
	let at = start;
	while (
		at < text.length &&
		((CHARACTERS[text.charCodeAt(at)] as number) & kind) !== 0
	)
		at++;
	return at;
}

function isLineEnd(text: string, at: number): boolean {
	return at === text.length || text.startsWith(LINE_END, at);
}

/** Names are ASCII, and their letters differ from the capital ones in one bit only. */
function isNamed(text: string, start: number, name: string): boolean {
	if (text.charCodeAt(start + name.length) !== COLON) return false;
	for (let at = 0; at < name.length; at++)
		if ((text.charCodeAt(start + at) | 0x20) !== name.charCodeAt(at))
			return false;
	return true;
}

/** A value, without the white space around it. */
function valueIn(text: string, start: number, end: number): string {
	let from = start;
	let to = end;
	while (from < to && isBlank(text.charCodeAt(from))) from++;
	while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
	return text.slice(from, to);
}

function isBlank(code: number): boolean {
	return code === SPACE || code === TAB;
}

function hasClose(connection: string | null): boolean {
	return connection !== null && /(?:^|,)\s*close\s*(?:,|$)/i.test(connection);
}
