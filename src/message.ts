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

export type Bytes = Uint8Array;

/** A stretch of bytes: from `start` up to, not including, `end`. */
export type Range = { readonly start: number; readonly end: number };

/** One member of an object: its decoded key, and where its value stands. */
export type Member = Range & {
	readonly key: string;
	readonly keyStart: number;
};

/** Nesting deeper than this is refused: no MCP message needs it, and recursion elsewhere must not be provoked. */
export const DEPTH_MAX = 256;

/** The text is not JSON, or not an object where one is needed; `reason` is in our words and safe to show. */
export class MalformedMessage extends Error {
	readonly code: -32700 | -32600;
	constructor(code: -32700 | -32600, reason: string) {
		super(reason);
		this.name = "MalformedMessage";
		this.code = code;
	}
}

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

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const LOWER_N = 0x6e;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

export function toBytes(text: string): Bytes {
	return encoder.encode(text);
}

/** Texts up to this length are looked at byte by byte, which is faster than a decoder as long as they are ASCII. */
const SHORT = 64;

/**
 * Keys that stand in nearly every message, by their length: they are recognised in the bytes, because a text made of
 * each would be most of what a message costs.
 */
const KEYS: readonly (readonly string[])[] = byLength([
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
]);

function byLength(keys: readonly string[]): readonly (readonly string[])[] {
	const sorted: string[][] = [];
	for (const key of keys) {
		sorted[key.length] ??= [];
		sorted[key.length]?.push(key);
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
		throw new MalformedMessage(-32700, "the message is not UTF-8 text");
	}
}

/** The value of a range, parsed. @throws MalformedMessage when it is not JSON */
export function parseJson(bytes: Bytes, range?: Range): unknown {
	const text = textOf(bytes, range);
	try {
		return JSON.parse(text);
	} catch {
		throw new MalformedMessage(-32700, "the message is not JSON");
	}
}

/**
 * Reads one message. Only the envelope is looked at; `params`, `result` and `error` are found, not parsed.
 * A request from a client must be proven JSON first (`parseJson`), because a peer that relies on lines or on
 * another parser must not be handed something that reads differently there.
 * @throws MalformedMessage
 */
export function parseMessage(bytes: Bytes): Message {
	const start = skipSpace(bytes, 0);
	if (bytes[start] === OPEN_ARRAY)
		throw new MalformedMessage(
			-32600,
			"a batch is not accepted: send one message at a time",
		);
	const { version, id, method, params, result, error, end } = envelopeOf(
		bytes,
		start,
	);
	if (skipSpace(bytes, end) !== bytes.length)
		throw new MalformedMessage(-32700, "there is text after the message");
	if (!version || textOf(bytes, version) !== '"2.0"')
		throw new MalformedMessage(-32600, 'the message must say "jsonrpc": "2.0"');
	if (method) {
		const name = stringIn(bytes, method);
		if (name === null)
			throw new MalformedMessage(-32600, "the method must be a string");
		if (params && bytes[params.start] !== OPEN_OBJECT)
			throw new MalformedMessage(-32600, "the params must be an object");
		return id
			? { kind: "request", bytes, id: idOf(bytes, id), method: name, params }
			: { kind: "notification", bytes, method: name, params };
	}
	const body = result ?? error;
	if (!body || (result && error))
		throw new MalformedMessage(
			-32600,
			"the message is neither a request, a notification nor a response",
		);
	return {
		kind: "response",
		bytes,
		id: id && bytes[id.start] !== LOWER_N ? idOf(bytes, id) : null,
		member: result ? "result" : "error",
		body,
	};
}

type Envelope = {
	version: Range | null;
	id: Range | null;
	method: Range | null;
	params: Range | null;
	result: Range | null;
	error: Range | null;
	/** Where the object ends. */
	end: number;
};

function envelopeOf(bytes: Bytes, start: number): Envelope {
	const found: Envelope = {
		version: null,
		id: null,
		method: null,
		params: null,
		result: null,
		error: null,
		end: start,
	};
	const members = membersOf(bytes, start);
	let last = start + 1;
	for (const member of members) {
		last = member.end;
		if (member.key === "jsonrpc") found.version = member;
		else if (member.key === "id") found.id = member;
		else if (member.key === "method") found.method = member;
		else if (member.key === "params") found.params = member;
		else if (member.key === "result") found.result = member;
		else if (member.key === "error") found.error = member;
	}
	// After its last member nothing stands but space and the bracket.
	found.end = skipSpace(bytes, last) + 1;
	return found;
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
 * The members of the object that begins at `start`, in order.
 * @throws MalformedMessage when there is no object, it is not closed, or a key stands twice
 */
export function membersOf(bytes: Bytes, start: number): readonly Member[] {
	if (bytes[start] !== OPEN_OBJECT)
		throw new MalformedMessage(
			start < bytes.length ? -32600 : -32700,
			"the message is not a JSON object",
		);
	const members: Member[] = [];
	let at = skipSpace(bytes, start + 1);
	if (bytes[at] === CLOSE_OBJECT) return members;
	for (;;) {
		if (bytes[at] !== QUOTE) throw broken();
		const keyStart = at;
		const keyEnd = stringEnd(bytes, at);
		at = skipSpace(bytes, keyEnd);
		if (bytes[at] !== COLON) throw broken();
		const valueStart = skipSpace(bytes, at + 1);
		const end = endOf(bytes, valueStart);
		const key = keyOf(bytes, keyStart, keyEnd);
		for (const member of members)
			if (member.key === key)
				throw new MalformedMessage(
					-32600,
					"a member stands twice in the message",
				);
		members.push({ key, keyStart, start: valueStart, end });
		at = skipSpace(bytes, end);
		if (bytes[at] === CLOSE_OBJECT) return members;
		if (bytes[at] !== COMMA) throw broken();
		at = skipSpace(bytes, at + 1);
	}
}

/** A key, decoded. */
function keyOf(bytes: Bytes, start: number, end: number): string {
	const known = KEYS[end - start - 2];
	if (known)
		for (const key of known) if (standsAt(bytes, start + 1, key)) return key;
	return (
		plainString(bytes, start, end) ?? String(parseJson(bytes, { start, end }))
	);
}

function standsAt(bytes: Bytes, start: number, text: string): boolean {
	for (let at = 0; at < text.length; at++)
		if (bytes[start + at] !== text.charCodeAt(at)) return false;
	return true;
}

/** The text of a JSON string, when it is short and nothing in it is escaped: it is then its own text. */
function plainString(bytes: Bytes, start: number, end: number): string | null {
	if (bytes[start] !== QUOTE || end - start > SHORT) return null;
	for (let at = start + 1; at < end - 1; at++)
		if (bytes[at] === BACKSLASH) return null;
	return asciiOf(bytes, start + 1, end - 1);
}

/** A JSON string, decoded; null when the value is none. */
export function stringIn(bytes: Bytes, range: Range): string | null {
	const plain = plainString(bytes, range.start, range.end);
	if (plain !== null) return plain;
	const value = parseJson(bytes, range);
	return typeof value === "string" ? value : null;
}

/** Null when a byte is not printable ASCII. */
function asciiOf(bytes: Bytes, start: number, end: number): string | null {
	for (let at = start; at < end; at++) {
		const byte = bytes[at] as number;
		if (byte < 0x20 || byte > 0x7e) return null;
	}
	return latin1Slice.call(bytes, start, end);
}

/** Makes a text of a stretch of bytes without a view of it first. */
const { latin1Slice } = Buffer.prototype as unknown as {
	readonly latin1Slice: (this: Bytes, start: number, end: number) => string;
};

/** The elements of the array that begins at `start`, in order. @throws MalformedMessage */
export function elementsOf(bytes: Bytes, start: number): readonly Range[] {
	if (bytes[start] !== OPEN_ARRAY) throw broken();
	const elements: Range[] = [];
	let at = skipSpace(bytes, start + 1);
	if (bytes[at] === CLOSE_ARRAY) return elements;
	for (;;) {
		const end = endOf(bytes, at);
		elements.push({ start: at, end });
		at = skipSpace(bytes, end);
		if (bytes[at] === CLOSE_ARRAY) return elements;
		if (bytes[at] !== COMMA) throw broken();
		at = skipSpace(bytes, at + 1);
	}
}

/** The member of that key in the object that begins at `start`, or undefined. */
export function memberOf(
	bytes: Bytes,
	start: number,
	key: string,
): Member | undefined {
	return membersOf(bytes, start).find((member) => member.key === key);
}

/** One replacement of a range by other bytes. */
export type Edit = Range & { readonly text: Bytes | string };

/** The bytes with every edit made. Edits must be in order and must not overlap. */
export function splice(bytes: Bytes, edits: readonly Edit[]): Bytes {
	if (edits.length === 0) return bytes;
	const parts: Bytes[] = [];
	let at = 0;
	for (const edit of edits) {
		parts.push(
			bytes.subarray(at, edit.start),
			typeof edit.text === "string" ? toBytes(edit.text) : edit.text,
		);
		at = edit.end;
	}
	parts.push(bytes.subarray(at));
	return join(parts);
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
	return bufferOf(bytes).includes(needle);
}

/** The bytes as a `Buffer`, which most of them are already: a second view is not free. */
export function bufferOf(bytes: Bytes): Buffer {
	return bytes instanceof Buffer
		? bytes
		: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The same message on one line. Raw line breaks are only ever white space between tokens: strings escape them. */
export function oneLine(message: Bytes): Bytes {
	if (!message.includes(LF) && !message.includes(CR)) return message;
	return message.map((byte) => (byte === LF || byte === CR ? 0x20 : byte));
}

/** A parsed value as an object, or an empty one when it is something else. */
export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
	return value !== null && typeof value === "object" && !Array.isArray(value)
		? (value as Readonly<Record<string, unknown>>)
		: {};
}

/** All parts in one. */
export function join(
	parts: readonly (Bytes | string)[],
): Uint8Array<ArrayBuffer> {
	return Buffer.concat(
		parts.map((part) => (typeof part === "string" ? toBytes(part) : part)),
	);
}

/** The end of the value that begins at `start`: one past its last byte. Strings are jumped over, not read. */
function endOf(bytes: Bytes, start: number): number {
	const first = bytes[start];
	if (first === QUOTE) return stringEnd(bytes, start);
	if (first !== OPEN_OBJECT && first !== OPEN_ARRAY)
		return scalarEnd(bytes, start);
	const closers: number[] = [];
	let at = start;
	while (at < bytes.length) {
		switch (bytes[at]) {
			case QUOTE:
				at = stringEnd(bytes, at);
				continue;
			case OPEN_OBJECT:
				closers.push(CLOSE_OBJECT);
				break;
			case OPEN_ARRAY:
				closers.push(CLOSE_ARRAY);
				break;
			case CLOSE_OBJECT:
			case CLOSE_ARRAY:
				if (closers.pop() !== bytes[at]) throw broken();
				if (closers.length === 0) return at + 1;
				break;
		}
		if (closers.length > DEPTH_MAX)
			throw new MalformedMessage(-32600, "the message is nested too deeply");
		at++;
	}
	throw broken();
}

function stringEnd(bytes: Bytes, start: number): number {
	let at = start + 1;
	for (;;) {
		at = bytes.indexOf(QUOTE, at);
		if (at < 0) throw broken();
		let slashes = 0;
		while (bytes[at - 1 - slashes] === BACKSLASH) slashes++;
		if (slashes % 2 === 0) return at + 1;
		at++;
	}
}

/** A number, `true`, `false` or `null`. */
function scalarEnd(bytes: Bytes, start: number): number {
	let at = start;
	while (at < bytes.length) {
		const byte = bytes[at] as number;
		const inside =
			(byte >= 0x30 && byte <= 0x39) || // digits
			(byte >= 0x61 && byte <= 0x7a) || // letters of true, false, null and the exponent
			byte === 0x2b ||
			byte === 0x2d ||
			byte === 0x2e ||
			byte === 0x45;
		if (!inside) break;
		at++;
	}
	if (at === start) throw broken();
	return at;
}

export function skipSpace(bytes: Bytes, start: number): number {
	let at = start;
	while (
		bytes[at] === 0x20 ||
		bytes[at] === 0x0a ||
		bytes[at] === 0x0d ||
		bytes[at] === 0x09
	)
		at++;
	return at;
}

function idOf(bytes: Bytes, range: Range): string {
	const raw = textOf(bytes, range);
	if (WHOLE_NUMBER.test(raw)) return raw;
	const id = parseJson(bytes, range);
	if (typeof id !== "string" && typeof id !== "number")
		throw new MalformedMessage(-32600, "the id must be a string or a number");
	return raw;
}

const WHOLE_NUMBER = /^(?:0|[1-9]\d*)$/;

function broken(): MalformedMessage {
	return new MalformedMessage(-32700, "the message is not JSON");
}
