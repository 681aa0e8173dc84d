/**
 * The header fields of a head, of requests and answers alike. Whatever two readers could understand differently is
 * refused, because what one takes for the end of a message the other takes for the beginning of the next, and that
 * one may be somebody else's.
 *
 * @see RFC 9112 5 and 6, RFC 9110 5
 */
import { COLON, CR, LF, SPACE, TAB, ZERO } from "../bytes.ts";
import { type Bytes, latin1In, standsAt } from "../message.ts";
import { MEDIA } from "../protocol.ts";
import { Malformed } from "./failure.ts";

/** What may stand in a name and in a value, for the brackets of an expression (RFC 9110 5.5 and 5.6.2). */
export const NAME_CHARACTERS = "!#$%&'*+\\-.^_`|~0-9A-Za-z";
export const VALUE_CHARACTERS = "\\t\\x20-\\x7e\\x80-\\xff";
const NAME = new RegExp(`[${NAME_CHARACTERS}]`);
const VALUE = new RegExp(`[${VALUE_CHARACTERS}]`);

/** The same and what may stand in the target of a request, a bit of each character. */
export const IN_NAME = 1;
export const IN_VALUE = 2;
export const IN_TARGET = 4;
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
	const character = String.fromCharCode(byte);
	const name = NAME.test(character) ? IN_NAME : 0;
	const value = VALUE.test(character) ? IN_VALUE : 0;
	const target = /[\x21\x22\x24-\x7e]/.test(character) ? IN_TARGET : 0;
	return name | value | target;
});
const CONTENT_LENGTH = "content-length";
const TRANSFER_ENCODING = "transfer-encoding";
const CONNECTION = "connection";
const LENGTH_DIGITS_MAX = 15;
const FIELDS_MAX = 256;

/**
 * A class, because every call reads two. It stays bytes: values are cut out when they are asked for, and kept, because
 * a head may serve for many messages. How many names are asked for is ours to say.
 */
export class Fields {
	/** What `content-length` says; -1 when there is none. */
	protected readonly length: number;
	/** What `transfer-encoding` says, in small letters; null when there is none. */
	protected readonly encoding: string | null;
	/** What `connection` says; empty when it says nothing. */
	protected readonly connection: string;
	readonly #bytes: Bytes;
	readonly #start: number;
	readonly #known = new Map<string, string | null>();
	#mediaType: string | null = null;

	/**
	 * Reads the fields of a head without its empty line.
	 * @param start where its first line ends
	 * @throws Malformed for what is no field, or stands twice and may stand once only
	 */
	constructor(bytes: Bytes, start: number) {
		const end = bytes.length;
		this.#bytes = bytes;
		this.#start = start;
		let length = -1;
		let encoding: string | null = null;
		let connection = "";
		let count = 0;
		let at = start;
		while (at < end) {
			if (++count > FIELDS_MAX)
				throw new Malformed("it has too many headers", 431);
			const name = at + 2;
			const colon = stretchEnd(bytes, name, end, IN_NAME);
			// White space before a colon, and lines that continue another, are how heads are smuggled.
			if (colon === name || bytes[colon] !== COLON)
				throw new Malformed("a header has no proper name");
			at = stretchEnd(bytes, colon + 1, end, IN_VALUE);
			if (!isLineEnd(bytes, at, end))
				throw new Malformed("a header holds a control character");
			switch (colon - name) {
				case CONTENT_LENGTH.length:
					if (!isNamed(bytes, name, CONTENT_LENGTH)) break;
					if (length >= 0) throw twice(CONTENT_LENGTH);
					length = lengthIn(bytes, colon + 1, at);
					break;
				case TRANSFER_ENCODING.length:
					if (!isNamed(bytes, name, TRANSFER_ENCODING)) break;
					if (encoding !== null) throw twice(TRANSFER_ENCODING);
					encoding = valueIn(bytes, colon + 1, at).toLowerCase();
					break;
				case CONNECTION.length:
					if (isNamed(bytes, name, CONNECTION))
						connection += `,${valueIn(bytes, colon + 1, at)}`;
			}
		}
		this.length = length;
		this.encoding = encoding;
		this.connection = connection;
	}

	/** The value of a header, all lines of it joined; null when there is none. */
	get(name: string): string | null {
		const known = this.#known.get(name);
		if (known !== undefined) return known;
		const value = this.#find(name.toLowerCase());
		this.#known.set(name, value);
		return value;
	}

	has(name: string): boolean {
		return this.get(name) !== null;
	}

	/** The media type alone, in small letters; empty when there is none. */
	get mediaType(): string {
		this.#mediaType ??= mediaTypeIn(this.get("content-type") ?? "");
		return this.#mediaType;
	}

	#find(name: string): string | null {
		const bytes = this.#bytes;
		const end = bytes.length;
		let found: string | null = null;
		let at = this.#start;
		while (at < end) {
			const start = at + 2;
			at = lineEnd(bytes, start, end);
			const colon = start + name.length;
			if (colon >= at || bytes[colon] !== COLON) continue;
			if (!isNamed(bytes, start, name)) continue;
			const value = valueIn(bytes, colon + 1, at);
			found =
				found === null
					? value
					: `${found}${name === "cookie" ? "; " : ", "}${value}`;
		}
		return found;
	}

	/** Each header line as it stands there. */
	*entries(): Generator<readonly [name: string, value: string]> {
		const bytes = this.#bytes;
		let at = this.#start;
		while (at < bytes.length) {
			const start = at + 2;
			at = lineEnd(bytes, start, bytes.length);
			const colon = stretchEnd(bytes, start, at, IN_NAME);
			yield [latin1In(bytes, start, colon), valueIn(bytes, colon + 1, at)];
		}
	}
}

/** The media type in a `content-type`, in small letters (RFC 9110 8.3.1). */
function mediaTypeIn(value: string): string {
	const end = value.indexOf(";");
	return (end < 0 ? value : value.slice(0, end)).trim().toLowerCase();
}

/** Of such a header there is one, or nobody knows which one counts. */
function twice(name: string): Malformed {
	return new Malformed(`it says ${name} twice`);
}

/** A number in digits alone; -1 for anything else. */
export function numberIn(bytes: Bytes, start: number, end: number): number {
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
	if (length < 0) throw new Malformed("its length is no number");
	return length;
}

/** Where a stretch of such bytes ends. */
export function stretchEnd(
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
export function lineEnd(bytes: Bytes, start: number, end: number): number {
	return stretchEnd(bytes, start, end, IN_VALUE | IN_NAME);
}

export function isLineEnd(bytes: Bytes, at: number, end: number): boolean {
	return at === end || (bytes[at] === CR && bytes[at + 1] === LF);
}

/** Names are ASCII, and their letters differ from the capital ones in one bit only. */
function isNamed(bytes: Bytes, start: number, name: string): boolean {
	for (let at = 0; at < name.length; at++) {
		const wanted = name.charCodeAt(at);
		const byte = bytes[start + at] as number;
		if (byte !== wanted && (wanted < 0x61 || (byte | 0x20) !== wanted))
			return false;
	}
	return true;
}

/** A value, without the white space around it. */
function valueIn(bytes: Bytes, start: number, end: number): string {
	const from = valueStart(bytes, start, end);
	const to = valueEnd(bytes, from, end);
	// Nearly every message is JSON, and a text made of that each time would be most of what a head costs.
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

const CLOSE = /(?:^|,)\s*close\s*(?:,|$)/i;
const KEEP_ALIVE = /(?:^|,)\s*keep-alive\s*(?:,|$)/i;

/** Whether a `connection` header says that this message is the last. */
export function saysClose(connection: string): boolean {
	return connection !== "" && CLOSE.test(connection);
}

/** Whether it asks to be kept, which goes without saying since HTTP/1.1. */
export function saysKeepAlive(connection: string): boolean {
	return connection !== "" && KEEP_ALIVE.test(connection);
}
