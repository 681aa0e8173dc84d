/**
 * One answer while it arrives on a connection: interim heads, the head, the body to its end.
 *
 * @see RFC 9112 6, RFC 9110 15.2
 */
import { bufferOf, cut } from "../assembly.ts";
import type { Bytes } from "../message.ts";
import { type Pieces, wholePieces } from "../pieces.ts";
import { AnswerHead } from "./answer-head.ts";
import { createDechunker, type Dechunker } from "./chunked.ts";
import { decoded } from "./coding.ts";
import { brokenOff, Malformed } from "./failure.ts";
import { HeadReader } from "./head-reader.ts";
import { createInflow, type Inflow } from "./inflow.ts";

/** An answer, as soon as its head is there. A class, because every call makes one. */
export class Answer {
	readonly status: number;
	/** The whole body, when it was there together with the head; null while it arrives. */
	readonly whole: Bytes | null;
	/** How long the body is, where the server says so of the body itself and not of a coding of it. */
	readonly length: number | null;
	readonly #head: AnswerHead;
	#body: Pieces | null;

	/** @param body all of it, or what it will arrive in */
	constructor(head: AnswerHead, body: Bytes | Pieces) {
		const coding = head.get("content-encoding") ?? "identity";
		const isPlain = coding === "identity";
		this.status = head.status;
		this.#head = head;
		const { framing } = head;
		this.length = isPlain && typeof framing === "number" ? framing : null;
		this.whole = isPlain && body instanceof Uint8Array ? body : null;
		if (this.whole) this.#body = null;
		else
			this.#body = isPlain ? piecesOf(body) : decoded(coding, piecesOf(body));
	}

	get body(): Pieces {
		this.#body ??= piecesOf(this.whole as Bytes);
		return this.#body;
	}

	/** The media type of the body, in small letters; empty when it does not say. */
	get mediaType(): string {
		return this.#head.mediaType;
	}

	/** A header by its lower-case name; null when there is none. */
	header(name: string): string | null {
		return this.#head.get(name);
	}
}

function piecesOf(body: Bytes | Pieces): Pieces {
	return body instanceof Uint8Array ? wholePieces(body) : body;
}

/** Receives the answers on one connection, one after another. */
export type Receiver = {
	/** Another answer is expected. */
	readonly begin: () => void;
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

const HEAD_BYTES_MAX = 64 * 1024;
const INTERIM_MAX = 16;

export function createReceiver(hooks: {
	readonly onAnswer: (answer: Answer) => void;
	/** There is no answer, unless there was one and its body broke. */
	readonly onFailure: (error: Error) => void;
	readonly brake: (on: boolean) => void;
	/** Nobody reads the rest. */
	readonly letGo: () => void;
}): Receiver {
	const heads = new HeadReader(parseHead, HEAD_BYTES_MAX);
	let held: Buffer | null = null;
	let interim = 0;
	let heard = false;
	let head: AnswerHead | null = null;
	let inflow: Inflow | null = null;
	let dechunker: Dechunker | null = null;
	let left = 0;
	let surplus = false;
	const begin = (): void => {
		held = null;
		interim = 0;
		heard = false;
		head = null;
		inflow = null;
		dechunker = null;
		surplus = false;
	};

	const fail = (error: Error): void => {
		inflow?.fail(error);
		hooks.onFailure(error);
	};
	/** Begins with the body, of which this much is there already. */
	const beginBody = (
		found: AnswerHead,
		bytes: Buffer,
		start: number,
	): boolean => {
		head = found;
		const { framing } = found;
		if (typeof framing === "number" && bytes.length - start >= framing) {
			surplus = bytes.length - start > framing;
			const whole = cut(bytes, start, start + framing);
			hooks.onAnswer(new Answer(found, whole));
			return true;
		}
		return beginFlow(found, bytes.subarray(start));
	};
	/** Hands the body on while it arrives. */
	const beginFlow = (found: AnswerHead, bytes: Bytes): boolean => {
		const { framing } = found;
		const flow = createInflow(
			(on) => {
				if (inflow === flow) hooks.brake(on);
			},
			() => {
				if (inflow === flow) hooks.letGo();
			},
		);
		inflow = flow;
		if (framing === "chunked") dechunker = createDechunker();
		else left = framing === "close" ? Number.POSITIVE_INFINITY : framing;
		hooks.onAnswer(new Answer(found, flow));
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
		begin,
		push: (bytes) => {
			heard = true;
			if (head) return body(bytes);
			const all = held ? Buffer.concat([held, bytes]) : bufferOf(bytes);
			held = null;
			for (let start = 0; ; ) {
				const end = heads.read(all, start);
				if (end < 0) {
					held = all.subarray(start);
					return false;
				}
				const found = heads.head as AnswerHead;
				start = end;
				if (found.status >= 200) return beginBody(found, all, start);
				if (found.status === 101)
					throw new Malformed("it changes the protocol unasked");
				if (++interim > INTERIM_MAX)
					throw new Malformed("it has too many interim heads");
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

function parseHead(bytes: Bytes): AnswerHead {
	return new AnswerHead(bytes);
}
