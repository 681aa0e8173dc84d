/**
 * JSON-RPC messages as bytes and an envelope.
 *
 * A gateway reads who is asked and passes the rest on untouched, so a message stays the bytes it arrived as, and
 * what we know of it is where its members begin and end. Arguments and results are never re-serialised: big
 * numbers, unknown members, lone surrogates and member order arrive as they were sent. Duplicate members are
 * refused where we read them, so that what is checked is what is sent.
 *
 * @see https://www.jsonrpc.org/specification and RFC 8259
 */
import { isUtf8 } from "node:buffer";
import { splice } from "./assembly.ts";
import {
	BACKSLASH,
	CLOSE_ARRAY,
	CLOSE_OBJECT,
	COLON,
	COMMA,
	OPEN_ARRAY,
	OPEN_OBJECT,
	QUOTE,
	ZERO,
} from "./bytes.ts";
import {
	isInScalar,
	valueEnd as provenEnd,
	stringEnd as provenStringEnd,
	skipSpace,
} from "./json.ts";
import { DEPTH_MAX, MalformedMessage, notJson, tooDeep } from "./malformed.ts";

export type Bytes = Uint8Array;

/** A stretch of bytes: from `start` up to, not including, `end`. */
export type Range = { readonly start: number; readonly end: number };

/** One member of an object: its decoded key, and where its value stands. */
export type Member = Range & {
	readonly key: string;
	readonly keyStart: number;
};

/** A message's envelope over its own bytes. `id` is the id's raw JSON (`7`, `"a"`). */
export type Message =
	| {
			readonly kind: "request";
			readonly bytes: Bytes;
			readonly id: string;
			readonly method: string;
			readonly params: Range | null;
	  }
	| {
			readonly kind: "notification";
			readonly bytes: Bytes;
			readonly method: string;
			readonly params: Range | null;
	  }
	| {
			readonly kind: "response";
			readonly bytes: Bytes;
			/** Null when the peer could not tell which request it answers. */
			readonly id: string | null;
			readonly member: "result" | "error";
			readonly body: Range;
	  };

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

export function toBytes(text: string): Bytes {
	return encoder.encode(text);
}

/** Texts up to this length are looked at byte by byte, which is faster than a decoder as long as they are ASCII. */
const SHORT = 64;

/**
 * Keys that stand in nearly every message, by their length: they are recognised in the bytes, because a text made of
 * each would be most of what a message costs.
 */
const KEYS: readonly string[] = [
	"id",
	"jsonrpc",
	"method",
	"params",
	"result",
	"error",
	"name",
	"arguments",
	"uri",
	"_meta",
	"content",
	"isError",
	"structuredContent",
	"resultType",
	"code",
	"message",
	"data",
	"progressToken",
	"io.modelcontextprotocol/protocolVersion",
	"io.modelcontextprotocol/clientCapabilities",
	"io.modelcontextprotocol/clientInfo",
	"io.modelcontextprotocol/logLevel",
];

/** Where they stand among all, by their length. */
const KEYS_BY_LENGTH: readonly (readonly number[])[] = byLength(KEYS);

function byLength(keys: readonly string[]): readonly (readonly number[])[] {
	const sorted: number[][] = [];
	for (const [at, { length }] of keys.entries()) {
		sorted[length] ??= [];
		sorted[length]?.push(at);
	}
	return sorted;
}

/** The text of a range. @throws MalformedMessage when it is not UTF-8 */
export function textOf(bytes: Bytes, range?: Range): string {
	if (range && range.end - range.start <= SHORT) {
		const short = asciiOf(bytes, range.start, range.end);
		if (short !== null) return short;
	}
	try {
		return decoder.decode(
			range ? bytes.subarray(range.start, range.end) : bytes,
		);
	} catch {
		throw notUtf8();
	}
}

function notUtf8(): MalformedMessage {
	return new MalformedMessage(-32700, "the message is not UTF-8 text");
}

/** The value of a range, parsed. @throws MalformedMessage when it is not JSON */
export function parseJson(bytes: Bytes, range?: Range): unknown {
	const text = textOf(bytes, range);
	try {
		return JSON.parse(text);
	} catch {
		throw notJson();
	}
}

/**
 * Reads one message. Only the envelope is looked at; `params`, `result` and `error` are found, not parsed.
 * @throws MalformedMessage
 */
export function parseMessage(bytes: Bytes): Message {
	return readMessage(bytes, false);
}

/**
 * The same for a message of a client, of which every byte is proven: a peer that relies on lines or on another parser
 * must not be handed something that reads differently there.
 * @throws MalformedMessage
 */
export function proveMessage(bytes: Bytes): Message {
	if (!isUtf8(bytes)) throw notUtf8();
	const start = skipSpace(bytes, 0);
	// What is no object is refused in any case, and what is no JSON as that.
	if (bytes[start] !== OPEN_OBJECT) provenEnd(bytes, start);
	return readMessage(bytes, true);
}

function readMessage(bytes: Bytes, isProof: boolean): Message {
	const start = skipSpace(bytes, 0);
	if (bytes[start] === OPEN_ARRAY)
		throw new MalformedMessage(
			-32600,
			"a batch is not accepted: send one message at a time",
		);
	let hasVersion = false;
	let id: string | null = null;
	let method: string | null = null;
	let params: Range | null = null;
	let member: "result" | "error" | null = null;
	let body: Range | null = null;
	reader.begin(bytes, start, isProof);
	while (reader.next())
		switch (reader.key) {
			case "jsonrpc":
				hasVersion = standsAt(bytes, reader.start, VERSION);
				break;
			case "id":
				id = idOf(bytes, reader);
				break;
			case "method":
				method = stringIn(bytes, reader);
				if (method === null)
					throw new MalformedMessage(-32600, "the method must be a string");
				break;
			case "params":
				params = reader.value();
				break;
			case "result":
			case "error":
				if (body) throw neither();
				member = reader.key;
				body = reader.value();
		}
	if (skipSpace(bytes, reader.end) !== bytes.length)
		throw new MalformedMessage(-32700, "there is text after the message");
	if (!hasVersion)
		throw new MalformedMessage(-32600, 'the message must say "jsonrpc": "2.0"');
	if (method === null) {
		if (!body || !member) throw neither();
		return {
			kind: "response",
			bytes,
			id: id === NO_ID ? null : id,
			member,
			body,
		};
	}
	if (params && bytes[params.start] !== OPEN_OBJECT)
		throw new MalformedMessage(-32600, "the params must be an object");
	if (id === NO_ID) throw badId();
	return id === null
		? { kind: "notification", bytes, method, params }
		: { kind: "request", bytes, id, method, params };
}

/** Whether the value that begins at `start` is an object. */
export function isObject(bytes: Bytes, start: number): boolean {
	return bytes[start] === OPEN_OBJECT;
}

/** Whether the value that begins at `start` is an array. */
export function isArray(bytes: Bytes, start: number): boolean {
	return bytes[start] === OPEN_ARRAY;
}

/**
 * The members of the object that begins at `start`, in order. Bytes are never changed, so that what was read once need
 * not be read again.
 * @throws MalformedMessage when there is no object, it is not closed, or a key stands twice
 */
export function membersOf(bytes: Bytes, start: number): readonly Member[] {
	const known =
		last?.bytes === bytes && last.start === start
			? last
			: earlier?.bytes === bytes && earlier.start === start
				? earlier
				: null;
	if (known) return known.members;
	const members: Member[] = [];
	reader.begin(bytes, start, false);
	while (reader.next()) members.push(reader.member());
	if (bytes.length <= REMEMBERED_BYTES_MAX) {
		earlier = last;
		last = { bytes, start, members };
	}
	return members;
}

/** An object that was read. */
type Known = {
	readonly bytes: Bytes;
	readonly start: number;
	readonly members: readonly Member[];
};

/** The two that were read last: a call's params and their `_meta` are looked into several times before others are. */
let last: Known | null = null;
let earlier: Known | null = null;
const REMEMBERED_BYTES_MAX = 4096;

/** The member of that key in the object that begins at `start`, or undefined. Throws as `membersOf` does. */
export function memberOf(
	bytes: Bytes,
	start: number,
	key: string,
): Member | undefined {
	for (const member of membersOf(bytes, start))
		if (member.key === key) return member;
	return undefined;
}

/** Other keys up to this many are looked through one by one. */
const FEW = 32;

/** Reads an object, member by member. There is one for all: reading an object is one step, and no two are interleaved. */
class ObjectReader {
	/** The member that was read last. */
	key = "";
	keyStart = 0;
	start = 0;
	/** Where its value ends; after the last one, where the object does. */
	end = 0;
	#bytes: Bytes = NO_BYTES;
	/** Whether what is read is proven, too. */
	#isProof = false;
	#isFirst = true;
	/** Those of `KEYS` that were read, a bit for each. */
	#known = 0;
	#others: string[] | null = null;
	/** The others, when they are many. */
	#many: Set<string> | null = null;

	/** Begins with the object that stands there. @throws MalformedMessage when there is none */
	begin(bytes: Bytes, start: number, isProof: boolean): void {
		if (bytes[start] !== OPEN_OBJECT)
			throw new MalformedMessage(
				start < bytes.length ? -32600 : -32700,
				"the message is not a JSON object",
			);
		this.#bytes = bytes;
		this.#isProof = isProof;
		this.#isFirst = true;
		this.#known = 0;
		this.#others = null;
		this.#many = null;
		this.end = start + 1;
	}

	/** Reads the next member; false when there is none. @throws MalformedMessage */
	next(): boolean {
		const bytes = this.#bytes;
		let at = skipSpace(bytes, this.end);
		if (bytes[at] === CLOSE_OBJECT) {
			this.end = at + 1;
			// What was read is not kept for it.
			this.#bytes = NO_BYTES;
			return false;
		}
		if (!this.#isFirst) {
			if (bytes[at] !== COMMA) throw notJson();
			at = skipSpace(bytes, at + 1);
		}
		this.#isFirst = false;
		if (bytes[at] !== QUOTE) throw notJson();
		const keyEnd = this.#isProof
			? provenStringEnd(bytes, at)
			: stringEnd(bytes, at);
		const colon = skipSpace(bytes, keyEnd);
		if (bytes[colon] !== COLON) throw notJson();
		this.keyStart = at;
		this.start = skipSpace(bytes, colon + 1);
		this.end = this.#isProof
			? provenEnd(bytes, this.start)
			: endOf(bytes, this.start);
		this.#take(at, keyEnd);
		return true;
	}

	/** The key that stands there, which must be a new one. */
	#take(start: number, end: number): void {
		let known = knownKey(this.#bytes, start, end);
		if (known < 0) {
			this.key = decodedKey(this.#bytes, start, end);
			known = KEYS.indexOf(this.key);
		} else this.key = KEYS[known] as string;
		const bit = 1 << known;
		if (known < 0 ? this.#isAmongOthers(this.key) : (this.#known & bit) !== 0)
			throw new MalformedMessage(
				-32600,
				"a member stands twice in the message",
			);
		if (known >= 0) this.#known |= bit;
	}

	/** Whether the key was read before; it was, from now on. */
	#isAmongOthers(key: string): boolean {
		if (this.#many) return this.#many.size === this.#many.add(key).size;
		this.#others ??= [];
		if (this.#others.includes(key)) return true;
		if (this.#others.push(key) === FEW) this.#many = new Set(this.#others);
		return false;
	}

	member(): Member {
		const { key, keyStart, start, end } = this;
		return { key, keyStart, start, end };
	}

	value(): Range {
		return { start: this.start, end: this.end };
	}
}

const NO_BYTES: Bytes = new Uint8Array();
const reader = new ObjectReader();

/** Which of `KEYS` it is, as it is spelled in the bytes; -1 for none. */
function knownKey(bytes: Bytes, start: number, end: number): number {
	const candidates = KEYS_BY_LENGTH[end - start - 2];
	if (candidates)
		for (const at of candidates)
			if (standsAt(bytes, start + 1, KEYS[at] as string)) return at;
	return -1;
}

function decodedKey(bytes: Bytes, start: number, end: number): string {
	return String(valueIn(bytes, { start, end }));
}

/** Whether an ASCII text stands there. */
export function standsAt(bytes: Bytes, start: number, text: string): boolean {
	for (let at = 0; at < text.length; at++)
		if (bytes[start + at] !== text.charCodeAt(at)) return false;
	return true;
}

/** The text of a JSON string, when it is short and nothing in it is escaped: it is then its own text. */
function plainString(bytes: Bytes, start: number, end: number): string | null {
	if (bytes[start] !== QUOTE || end - start > SHORT) return null;
	let hash = end - start;
	for (let at = start + 1; at < end - 1; at++) {
		const byte = bytes[at] as number;
		if (byte === BACKSLASH) return null;
		hash = (hash * 31 + byte) % KNOWN_TEXTS.length;
	}
	const known = KNOWN_TEXTS[hash] as string;
	if (known.length === end - start - 2 && standsAt(bytes, start + 1, known))
		return known;
	const text = asciiOf(bytes, start + 1, end - 1);
	if (text !== null) KNOWN_TEXTS[hash] = text;
	return text;
}

/**
 * Short texts that came before, by what their characters add up to: methods and the names of tools come again and
 * again, and the engine keeps each text that is made outside its heap.
 */
const KNOWN_TEXTS = new Array<string>(1024).fill("");

/** A JSON string, decoded; null when the value is none. */
export function stringIn(bytes: Bytes, range: Range): string | null {
	const value = valueIn(bytes, range);
	return typeof value === "string" ? value : null;
}

/** A value. @throws MalformedMessage when it is not JSON */
export function valueIn(bytes: Bytes, range: Range): unknown {
	return plainString(bytes, range.start, range.end) ?? parseJson(bytes, range);
}

/** Null when a byte is not printable ASCII. */
function asciiOf(bytes: Bytes, start: number, end: number): string | null {
	for (let at = start; at < end; at++) {
		const byte = bytes[at] as number;
		if (byte < 0x20 || byte > 0x7e) return null;
	}
	return latin1In(bytes, start, end);
}

/** The text of a stretch of Latin-1. */
export function latin1In(bytes: Bytes, start: number, end: number): string {
	return latin1Slice.call(bytes, start, end);
}

/** Methods of `Buffer` that do for any bytes, which need no view then. */
const { latin1Slice, includes } = Buffer.prototype as unknown as {
	readonly latin1Slice: (this: Bytes, start: number, end: number) => string;
	readonly includes: (this: Bytes, needle: Uint8Array | string) => boolean;
};

/** The elements of the array that begins at `start`, in order. @throws MalformedMessage */
export function elementsOf(bytes: Bytes, start: number): readonly Range[] {
	if (bytes[start] !== OPEN_ARRAY) throw notJson();
	const elements: Range[] = [];
	let at = skipSpace(bytes, start + 1);
	if (bytes[at] === CLOSE_ARRAY) return elements;
	for (;;) {
		const end = endOf(bytes, at);
		elements.push({ start: at, end });
		at = skipSpace(bytes, end);
		if (bytes[at] === CLOSE_ARRAY) return elements;
		if (bytes[at] !== COMMA) throw notJson();
		at = skipSpace(bytes, at + 1);
	}
}

/** The object without one of its members and that member's comma. */
export function withoutMember(bytes: Bytes, key: string): Bytes {
	const members = membersOf(bytes, 0);
	const at = members.findIndex((member) => member.key === key);
	const member = members[at];
	if (!member) return bytes;
	const next = members[at + 1];
	const previous = members[at - 1];
	return splice(bytes, [
		next
			? { start: member.keyStart, end: next.keyStart, text: "" }
			: { start: previous?.end ?? member.keyStart, end: member.end, text: "" },
	]);
}

/** Whether these bytes stand anywhere in the message: what is scanned for before anything is parsed. */
export function holds(bytes: Bytes, needle: Uint8Array | string): boolean {
	return includes.call(bytes, needle);
}

/** Whether a parsed value is an object, which a list is not. */
export function isRecord(
	value: unknown,
): value is Readonly<Record<string, unknown>> {
	return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** A parsed value as an object, or an empty one when it is something else. */
export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
	return isRecord(value) ? value : NOTHING;
}

const NOTHING: Readonly<Record<string, unknown>> = Object.freeze({});

/** What closes the objects and arrays that are open, from the outermost on: reading a value is one step, and no two are interleaved. */
const closers = new Uint8Array(DEPTH_MAX);

/** The end of the value that begins at `start`: one past its last byte. Strings are jumped over, not read. */
function endOf(bytes: Bytes, start: number): number {
	const first = bytes[start];
	if (first === QUOTE) return stringEnd(bytes, start);
	if (first !== OPEN_OBJECT && first !== OPEN_ARRAY)
		return scalarEnd(bytes, start);
	let depth = 0;
	let at = start;
	while (at < bytes.length) {
		const byte = bytes[at];
		if (byte === QUOTE) {
			at = stringEnd(bytes, at);
			continue;
		}
		if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
			if (depth === DEPTH_MAX) throw tooDeep();
			closers[depth++] = byte === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
		} else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
			if (closers[--depth] !== byte) throw notJson();
			if (depth === 0) return at + 1;
		}
		at++;
	}
	throw notJson();
}

/** Bytes of a string that are looked through before its end is searched for: most strings are shorter than a search costs. */
export const LOOKED_THROUGH = 48;

function stringEnd(bytes: Bytes, start: number): number {
	let at = start + 1;
	for (const soon = at + LOOKED_THROUGH; at < soon; at++) {
		const byte = bytes[at];
		if (byte === QUOTE) return at + 1;
		if (byte === BACKSLASH) break;
	}
	for (;;) {
		at = bytes.indexOf(QUOTE, at);
		if (at < 0) throw notJson();
		let slashes = 0;
		while (bytes[at - 1 - slashes] === BACKSLASH) slashes++;
		if (slashes % 2 === 0) return at + 1;
		at++;
	}
}

/** A number, `true`, `false` or `null`. */
function scalarEnd(bytes: Bytes, start: number): number {
	let at = start;
	while (at < bytes.length && isInScalar(bytes[at] as number)) at++;
	if (at === start) throw notJson();
	return at;
}

/** The id's raw JSON; `null` is one for a response only. */
function idOf(bytes: Bytes, range: Range): string {
	if (isWholeNumber(bytes, range))
		return latin1In(bytes, range.start, range.end);
	const id = parseJson(bytes, range);
	if (typeof id !== "string" && typeof id !== "number" && id !== null)
		throw badId();
	return textOf(bytes, range);
}

/** Digits alone, which next to every id is. */
function isWholeNumber(bytes: Bytes, { start, end }: Range): boolean {
	for (let at = start; at < end; at++) {
		const digit = (bytes[at] as number) - ZERO;
		if (digit < 0 || digit > 9) return false;
	}
	return bytes[start] !== ZERO || end - start === 1;
}

const NO_ID = "null";
const VERSION = '"2.0"';

function badId(): MalformedMessage {
	return new MalformedMessage(-32600, "the id must be a string or a number");
}

function neither(): MalformedMessage {
	return new MalformedMessage(
		-32600,
		"the message is neither a request, a notification nor a response",
	);
}
