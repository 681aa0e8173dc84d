/**
 * Bytes put together out of others: each is copied once, into the place that it is sent from.
 */
import { CR, LF, SPACE, ZERO } from "./bytes.ts";
import type { Bytes, Range } from "./message.ts";

/** One replacement of a range by other bytes. */
export type Edit = Range & { readonly text: Bytes | string };

/** The bytes with every edit made. Edits must be in order and must not overlap. */
export function splice(bytes: Bytes, edits: readonly Edit[]): Bytes {
	if (edits.length === 0) return bytes;
	const whole = allocate(splicedSize(bytes, edits));
	spliceInto(whole, 0, bytes, edits);
	return whole;
}

/** How many bytes there are with every edit made. */
export function splicedSize(bytes: Bytes, edits: readonly Edit[]): number {
	let { length } = bytes;
	for (const { start, end, text } of edits)
		length += sizeOf(text) - (end - start);
	return length;
}

/** Writes the bytes with every edit made. @returns where they end */
export function spliceInto(
	whole: Bytes,
	start: number,
	bytes: Bytes,
	edits: readonly Edit[],
): number {
	let from = 0;
	let at = start;
	for (const edit of edits) {
		at += copy.call(bytes, whole, at, from, edit.start);
		at += put(whole, at, edit.text);
		from = edit.end;
	}
	return at + copy.call(bytes, whole, at, from, bytes.length);
}

/**
 * A stretch of bytes by itself. A short one is a copy: a view costs more to make, and more again to collect, because
 * what it looks into must then be kept outside the heap.
 */
export function cut(bytes: Bytes, start: number, end: number): Bytes {
	if (end - start > COPIED_BYTES_MAX) return bytes.subarray(start, end);
	const piece = allocate(end - start);
	copy.call(bytes, piece, 0, start, end);
	return piece;
}

/** What the engine keeps inside its heap. */
const COPIED_BYTES_MAX = 1000;

/** Bytes to be written: few are cheaper as the engine's own, many when they need not be cleared first. */
export function allocate(length: number): Uint8Array<ArrayBuffer> {
	return length > COPIED_BYTES_MAX
		? Buffer.allocUnsafe(length)
		: new Uint8Array(length);
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
	return message.map((byte) => (byte === LF || byte === CR ? SPACE : byte));
}

/** The same, and the end of the line. */
export function lineOf(message: Bytes | Writable): Bytes {
	const { length } = message;
	const whole = allocate(length + 1);
	write(whole, 0, message);
	whole[length] = SPACE;
	const line = oneLine(whole);
	line[length] = LF;
	return line;
}

/** Bytes that are not put together yet: whoever sends them writes them behind what goes before. */
export type Writable = {
	readonly length: number;
	writeTo(whole: Bytes, start: number): void;
};

/** Writes them where they belong. */
export function write(
	whole: Bytes,
	start: number,
	bytes: Bytes | Writable,
): void {
	if (bytes instanceof Uint8Array) whole.set(bytes, start);
	else bytes.writeTo(whole, start);
}

/** All parts in one. */
export function join(parts: readonly (Bytes | string)[]): Buffer<ArrayBuffer> {
	let length = 0;
	for (const part of parts) length += sizeOf(part);
	const whole = Buffer.allocUnsafe(length);
	let at = 0;
	for (const part of parts) at += put(whole, at, part);
	return whole;
}

/** Texts up to this length are looked through: nearly all are ASCII, and no longer than they say. */
const SHORT = 64;

/** How many bytes a part is. */
export function sizeOf(part: Bytes | string): number {
	if (typeof part !== "string") return part.length;
	if (part.length > SHORT) return Buffer.byteLength(part);
	for (let at = 0; at < part.length; at++)
		if (part.charCodeAt(at) > 0x7f) return Buffer.byteLength(part);
	return part.length;
}

/** Writes a part where it belongs. @returns its size */
export function put(whole: Bytes, at: number, part: Bytes | string): number {
	if (typeof part === "string") return writeText.call(whole, part, at);
	whole.set(part, at);
	return part.length;
}

/** Writes a whole number in digits. @returns how many */
export function putNumber(whole: Bytes, at: number, number: number): number {
	const digits = digitsIn(number);
	let left = number;
	for (let place = at + digits - 1; place >= at; place--) {
		whole[place] = ZERO + (left % 10);
		left = Math.floor(left / 10);
	}
	return digits;
}

/** How many digits a whole number has. */
export function digitsIn(number: number): number {
	let digits = 1;
	for (let left = number; left >= 10; left /= 10) digits++;
	return digits;
}

/** Methods of `Buffer` that do for any bytes, which need no view then. */
const { copy, write: writeText } = Buffer.prototype as unknown as {
	readonly copy: (
		this: Bytes,
		target: Bytes,
		at: number,
		start: number,
		end: number,
	) => number;
	readonly write: (this: Bytes, text: string, at: number) => number;
};
