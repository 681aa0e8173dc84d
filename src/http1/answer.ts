/**
 * One answer while it arrives on a connection: interim heads, the head, the body to its end.
 *
 * @see RFC 9112 6, RFC 9110 15.2
 */
import type { Bytes } from "../message.ts";
import type { Pieces } from "../pieces.ts";
import { createDechunker, type Dechunker } from "./chunked.ts";
import { decoded } from "./coding.ts";
import { brokenOff, malformed } from "./failure.ts";
import { type Head, parseHead } from "./head.ts";
import { createInflow, type Inflow } from "./inflow.ts";

export type Answer = {
	readonly status: number;
	/** A header by its lower-case name; null when there is none. */
	readonly header: (name: string) => string | null;
	/** The whole body, when it was there together with the head; null while it arrives. */
	readonly whole: Bytes | null;
	readonly body: Pieces;
};

export type Receiver = {
	/** Takes bytes of the connection. @returns whether the answer is complete */
	readonly push: (bytes: Bytes) => boolean;
	/** The connection ended in order. */
	readonly end: () => void;
	readonly fail: (error: Error) => void;
	/** Anything of the answer has arrived. */
	readonly heard: () => boolean;
	/** After the end: whether the connection can carry another request. */
	readonly persistent: () => boolean;
};

export const HEAD_BYTES_MAX = 64 * 1024;
const INTERIM_MAX = 16;
const END_OF_HEAD = "\r\n\r\n";

export function createReceiver(hooks: {
	readonly onAnswer: (answer: Answer) => void;
	/** There is no answer. */
	readonly onFailure: (error: Error) => void;
	readonly brake: (on: boolean) => void;
	/** Nobody reads the rest. */
	readonly letGo: () => void;
}): Receiver {
	let held: Buffer | null = null;
	let interim = 0;
	let heard = false;
	let head: Head | null = null;
	let inflow: Inflow | null = null;
	let dechunker: Dechunker | null = null;
	let left = 0;
	let surplus = false;

	const fail = (error: Error): void => {
		if (inflow) inflow.fail(error);
		else hooks.onFailure(error);
	};
	const answer = (found: Head, whole: Bytes | null): void => {
		const body = whole ? pieceOf(whole) : (inflow as Inflow);
		const coding = found.headers.get("content-encoding") ?? "identity";
		const plain = coding === "identity";
		hooks.onAnswer({
			status: found.status,
			header: (name) => found.headers.get(name) ?? null,
			whole: plain ? whole : null,
			body: plain ? body : decoded(coding, body),
		});
	};

	/** Begins with the body, of which this much is there already. */
	const begin = (found: Head, bytes: Buffer): boolean => {
		head = found;
		const { framing } = found;
		if (typeof framing === "number" && bytes.length >= framing) {
			surplus = bytes.length > framing;
			answer(found, bytes.subarray(0, framing));
			return true;
		}
		inflow = createInflow(hooks);
		if (framing === "chunked") dechunker = createDechunker();
		else left = framing === "close" ? Number.POSITIVE_INFINITY : framing;
		answer(found, null);
		return body(bytes);
	};
	const body = (bytes: Bytes): boolean => {
		const flow = inflow as Inflow;
		if (bytes.length === 0) return false;
		if (dechunker) {
			const end = dechunker.push(bytes, 0, flow.push);
			if (end < 0) return false;
			surplus = end < bytes.length;
			flow.end();
			return true;
		}
		surplus = bytes.length > left;
		flow.push(surplus ? bytes.subarray(0, left) : bytes);
		left -= Math.min(left, bytes.length);
		if (left > 0) return false;
		flow.end();
		return true;
	};

	return {
		push: (bytes) => {
			heard = true;
			if (head) return body(bytes);
			let rest: Buffer = held ? Buffer.concat([held, bytes]) : asBuffer(bytes);
			for (;;) {
				const end = rest.indexOf(END_OF_HEAD);
				if (end > HEAD_BYTES_MAX || (end < 0 && rest.length > HEAD_BYTES_MAX))
					throw malformed("its head is too large");
				if (end < 0) {
					held = rest;
					return false;
				}
				const found = parseHead(rest.toString("latin1", 0, end));
				rest = rest.subarray(end + END_OF_HEAD.length);
				held = null;
				if (found.status >= 200) return begin(found, rest);
				if (found.status === 101)
					throw malformed("it changes the protocol unasked");
				if (++interim > INTERIM_MAX)
					throw malformed("it has too many interim heads");
			}
		},
		end: () => {
			if (head?.framing === "close") inflow?.end();
			else fail(brokenOff());
		},
		fail,
		heard: () => heard,
		persistent: () => head?.persistent === true && !surplus,
	};
}

function asBuffer(bytes: Bytes): Buffer {
	return bytes instanceof Buffer
		? bytes
		: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A body that is there already. */
function pieceOf(bytes: Bytes): Pieces {
	let left: Bytes | null = bytes.length === 0 ? null : bytes;
	return {
		next: () => {
			const piece = left;
			left = null;
			return Promise.resolve(piece);
		},
		cancel: () => {
			left = null;
		},
	};
}
