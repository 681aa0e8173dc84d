/**
 * One connection of a client: requests come one after another, each is handed on, and the next one waits until it was
 * answered. What is malformed or could be read in two ways is refused, and nothing after it is read.
 *
 * @see RFC 9112 6.3, 9.3 and 9.6, RFC 9110 10.1.1
 */

import { cut, put, sizeOf } from "../assembly.ts";
import { CR, LF } from "../bytes.ts";
import { type Bytes, latin1In } from "../message.ts";
import type { Pieces } from "../pieces.ts";
import { createDechunker, type Dechunker } from "./chunked.ts";
import { Malformed } from "./failure.ts";
import { HeadReader } from "./head-reader.ts";
import type { HeadWriter, OutgoingHead } from "./head-writer.ts";
import type { HeaderLines } from "./header-lines.ts";
import { arrivedInPart, IncomingRequest } from "./incoming.ts";
import { createInflow, type Inflow } from "./inflow.ts";
import type { Limits } from "./limits.ts";
import { Outflow } from "./outflow.ts";
import {
	isBodiless,
	isParts,
	type Later,
	type Parts,
	PlainResponse,
	plainOf,
	textResponse,
} from "./outgoing.ts";
import type { RequestHead } from "./request-head.ts";

/** What a handler may know of the connection a request came on. */
export type Connection = {
	/** The peer's address; empty on a Unix socket. */
	readonly address: string;
};

/** What a handler may answer with. */
export type Answered = Response | PlainResponse;

/** What all connections of a server share. */
export type Shared = {
	readonly handler: (
		request: IncomingRequest,
		connection: Connection,
	) => Answered | Later<Answered>;
	readonly parseHead: (bytes: Bytes) => RequestHead;
	readonly limits: Limits;
	readonly heads: HeadWriter;
	/** Nothing new is begun any more. */
	isClosing: boolean;
	readonly onGone: (connection: ServerConnection) => void;
};

const EMPTY_LINES_MAX = 4;
/** Requests that came too early wait in so many bytes; the client is braked beyond. */
const HELD_BYTES_MAX = 64 * 1024;
const NO_BYTES = new Uint8Array(0);
const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");

/** How far a connection is: what is waited for, and how long, follows from it. */
type Phase = "fresh" | "idle" | "head" | "body" | "answer" | "linger" | "gone";

/**
 * A connection that a server admitted: it is told what happens on its socket, and that seconds pass. A class, because
 * there may be ten thousand, which share all that is not their own.
 */
export class ServerConnection implements Connection {
	/** Asked for at once: of a connection that was reset the kernel knows nothing any more. */
	readonly address: string;
	readonly #shared: Shared;
	readonly #socket: Bun.Socket<ServerConnection>;
	#phase: Phase = "fresh";
	/** Seconds that nothing has moved in this phase. */
	#quiet = 0;
	/** What arrived and is not read yet. */
	#held: Buffer | null = null;
	#isPaused = false;
	#isReading = false;
	readonly #heads: HeadReader<RequestHead>;
	#request: IncomingRequest | null = null;
	/** Where the rest of the body goes; null when it is there. */
	#flow: Inflow | null = null;
	#dechunker: Dechunker | null = null;
	#left = 0;
	/** Bytes of the body since its patience began. */
	#recent = 0;
	/** Bytes that nobody has asked for. */
	#unread = 0;
	/** The answer on its way is the last one. */
	#isLast = false;
	/** The head of the answer is written. */
	#hasBegun = false;
	/** The client has ended its side. */
	#hasEnded = false;
	readonly #outflow: Outflow;
	#outgoing: Pieces | null = null;
	readonly #onAnswer = (answered: Answered): void => this.#answer(answered);
	readonly #onFailure = (): void => this.#fail();
	readonly #onFinished = (): void => this.#finish();

	constructor(shared: Shared, socket: Bun.Socket<ServerConnection>) {
		this.#shared = shared;
		this.#socket = socket;
		this.address = socket.remoteAddress ?? "";
		this.#outflow = new Outflow(
			(bytes) => socket.write(bytes),
			() => this.destroy(),
		);
		this.#heads = new HeadReader(shared.parseHead, shared.limits.headBytes);
	}

	/** Whether a request is being answered. */
	get isBusy(): boolean {
		return this.#request !== null || this.#outflow.isWaiting;
	}

	/** Bytes of the client. */
	receive(bytes: Buffer): void {
		switch (this.#phase) {
			case "body":
				this.#receiveBody(bytes);
				return;
			case "linger":
				this.#unread += bytes.length;
				// Braked and not cut off: a reset would overtake the answer that it has yet to read.
				if (this.#unread > this.#shared.limits.unreadBytes) this.#pause(true);
				return;
			case "answer":
				if (this.#hold(bytes) > HELD_BYTES_MAX) this.#pause(true);
				return;
			case "gone":
				return;
			default:
				this.#hold(bytes);
				this.#read();
		}
	}

	/** The socket takes more. */
	drain(): void {
		this.#outflow.drain();
	}

	/**
	 * The client says nothing more. Most that do so are gone, and all are treated so; one that only ended its side still
	 * gets the answer that it waits for.
	 */
	ended(): void {
		if (this.#phase !== "answer" || this.#outgoing) {
			this.destroy();
			return;
		}
		this.#hasEnded = true;
		this.#isLast = true;
		this.#held = null;
		this.#request?.leave();
	}

	/** A second has passed. */
	tick(): void {
		if (this.#outflow.hasMoved) this.#quiet = 0;
		this.#outflow.hasMoved = false;
		const limit = this.#patience();
		if (limit === 0 || ++this.#quiet < limit) return;
		if (this.#phase === "body" && !this.#outflow.isWaiting) {
			const isEnough = this.#recent >= this.#shared.limits.bodyBytesMin;
			this.#enter("body");
			if (isEnough) return;
		}
		if (this.#phase === "head") this.#refuse(408, "the request is too slow");
		else this.destroy();
	}

	/** The server ends: what is under way is answered, and nothing else. */
	retire(): void {
		if (!this.isBusy) this.destroy();
	}

	destroy(): void {
		if (this.#phase === "gone") return;
		this.gone();
		this.#socket.terminate();
	}

	/** The connection is over, by whomever. */
	gone(): void {
		if (this.#phase === "gone") return;
		this.#phase = "gone";
		this.#held = null;
		this.#request?.leave();
		this.#request = null;
		this.#flow?.fail(arrivedInPart());
		this.#outgoing?.cancel();
		this.#outflow.end();
		this.#shared.onGone(this);
	}

	/** Seconds that may pass quietly; 0 for as many as it takes. */
	#patience(): number {
		const { limits } = this.#shared;
		if (this.#outflow.isWaiting) return limits.takeSeconds;
		switch (this.#phase) {
			case "fresh":
			case "head":
				return limits.headSeconds;
			case "idle":
				return limits.idleSeconds;
			case "body":
				return this.#isPaused ? 0 : limits.bodySeconds;
			case "linger":
				return limits.lingerSeconds;
			default:
				return 0;
		}
	}

	#enter(phase: Phase): void {
		this.#phase = phase;
		this.#quiet = 0;
		this.#recent = 0;
	}

	/** @returns how much is held */
	#hold(bytes: Buffer): number {
		this.#held = this.#held ? Buffer.concat([this.#held, bytes]) : bytes;
		return this.#held.length;
	}

	#pause(on: boolean): void {
		if (this.#isPaused === on || this.#phase === "gone") return;
		this.#isPaused = on;
		if (on) this.#socket.pause();
		else this.#socket.resume();
	}

	/** Begins with whatever is held, one request after another, as long as each is answered at once. */
	#read(): void {
		if (this.#isReading) return;
		this.#isReading = true;
		try {
			while (this.#held && this.#begin(this.#held));
		} catch (error) {
			if (!(error instanceof Malformed)) throw error;
			this.#refuseMalformed(error);
		} finally {
			this.#isReading = false;
		}
	}

	/**
	 * Begins with a request, if its head is there.
	 * @returns whether another one may be begun
	 * @throws Malformed
	 */
	#begin(bytes: Buffer): boolean {
		const start = blankEnd(bytes);
		const end = this.#heads.read(bytes, start);
		if (end < 0) {
			if (this.#phase !== "head" && bytes.length > start) this.#enter("head");
			return false;
		}
		const head = this.#heads.head as RequestHead;
		const { framing } = head;
		this.#isLast = !head.persistent;
		this.#hasBegun = false;
		this.#unread = 0;
		if (typeof framing === "number") {
			const bodyEnd = end + framing;
			if (framing > this.#shared.limits.bodyBytes)
				throw new Malformed("its body is too large", 413);
			if (bodyEnd <= bytes.length) {
				this.#held = bodyEnd < bytes.length ? bytes.subarray(bodyEnd) : null;
				this.#enter("answer");
				const body = framing === 0 ? NO_BYTES : cut(bytes, end, bodyEnd);
				return this.#handOn(new IncomingRequest(head, body));
			}
			this.#left = framing;
		} else this.#dechunker = createDechunker(this.#shared.limits.bodyBytes);
		const flow = this.#openFlow();
		this.#held = null;
		this.#flow = flow;
		this.#enter("body");
		const body = head.awaitsContinue ? this.#invited(flow) : flow;
		const request = new IncomingRequest(head, body);
		this.#request = request;
		if (end < bytes.length) this.#receiveBody(bytes.subarray(end));
		return this.#request === request && this.#handOn(request);
	}

	/** What takes a body that is not there yet, and brakes its client. */
	#openFlow(): Inflow {
		const flow = createInflow(
			(on) => {
				if (this.#flow === flow) this.#pause(on);
			},
			() => {
				if (this.#flow === flow) this.#pause(false);
			},
		);
		return flow;
	}

	/** @returns whether another request may be begun */
	#handOn(request: IncomingRequest): boolean {
		this.#request = request;
		try {
			const answered = this.#shared.handler(request, this);
			if (isThere(answered)) this.#answer(answered);
			else answered.then(this.#onAnswer, this.#onFailure);
		} catch {
			this.#fail();
		}
		return this.#phase === "idle";
	}

	/** The body of a client that waits to be asked for it, which it is when somebody reads. */
	#invited(flow: Inflow): Pieces {
		let isAsked = false;
		return {
			next: () => {
				if (!isAsked && !this.#hasBegun && this.#phase === "body")
					this.#outflow.write(CONTINUE);
				isAsked = true;
				return flow.next();
			},
			cancel: () => flow.cancel(),
		};
	}

	#receiveBody(bytes: Buffer): void {
		const flow = this.#flow as Inflow;
		let end: number;
		try {
			end = this.#dechunker
				? this.#dechunker.push(bytes, 0, (piece) => this.#takeBody(flow, piece))
				: this.#receiveCounted(flow, bytes);
		} catch (error) {
			if (!(error instanceof Malformed)) throw error;
			flow.fail(arrivedInPart());
			this.#refuseMalformed(error);
			return;
		}
		// It may have been given up on the way.
		if (end < 0 || this.#phase !== "body") return;
		this.#flow = null;
		this.#dechunker = null;
		flow.end();
		this.#pause(false);
		if (end < bytes.length) this.#hold(bytes.subarray(end));
		if (this.#request) this.#enter("answer");
		else this.#next();
	}

	/** @returns where the body ends in these bytes; -1 while it goes on */
	#receiveCounted(flow: Inflow, bytes: Buffer): number {
		const end = Math.min(this.#left, bytes.length);
		this.#left -= end;
		this.#takeBody(flow, end < bytes.length ? bytes.subarray(0, end) : bytes);
		return this.#left === 0 ? end : -1;
	}

	#takeBody(flow: Inflow, piece: Bytes): void {
		const { bodyBytes, unreadBytes } = this.#shared.limits;
		this.#unread += piece.length;
		this.#recent += piece.length;
		if (this.#unread > bodyBytes)
			throw new Malformed("its body is too large", 413);
		if (this.#request) flow.push(piece);
		// Its answer went out before it was read.
		else if (this.#unread > unreadBytes && this.#phase === "body") this.#end();
	}

	/** Handlers answer for their own errors; this is for what they could not. */
	#fail(): void {
		if (this.#outgoing) this.destroy();
		else this.#answer(textResponse(500, "internal error"));
	}

	#refuseMalformed({ status, fault }: Malformed): void {
		this.#refuse(status, `this is no request: ${fault}`);
	}

	/** Answers in our own words, and reads nothing more. */
	#refuse(status: number, text: string): void {
		if (this.#phase === "gone") return;
		const isUnderWay = this.#outgoing !== null || this.#outflow.isWaiting;
		this.#request?.leave();
		this.#held = null;
		this.#flow = null;
		if (isUnderWay) {
			this.destroy();
			return;
		}
		this.#isLast = true;
		this.#enter("answer");
		this.#request = null;
		const { headers, body } = textResponse(status, text);
		this.#writeWhole(status, headers, body as Parts, "", true);
		this.#outflow.whenWritten(this.#onFinished);
	}

	#answer(answered: Answered): void {
		const request = this.#request;
		// Whoever is gone, or was refused meanwhile, is answered nothing.
		if (!request) {
			if (!(answered instanceof PlainResponse)) void answered.body?.cancel();
			else if (!isParts(answered.body)) answered.body.cancel();
			return;
		}
		if (this.#flow && !this.#mayReadOn(request)) this.#isLast = true;
		if (!(answered instanceof PlainResponse)) {
			void this.#answerPlatform(request, answered);
			return;
		}
		const { status, headers, body } = answered;
		if (!isParts(body)) {
			if (this.#hasEnded) {
				this.#outgoing = body;
				this.destroy();
				return;
			}
			void this.#stream(request, status, headers, body);
			return;
		}
		this.#writeWhole(
			status,
			headers,
			body,
			request.id,
			request.method !== "HEAD",
		);
		this.#outflow.whenWritten(this.#onFinished);
	}

	/** Whether the rest of a body is worth waiting for, so that another request may follow. */
	#mayReadOn({ headers }: IncomingRequest): boolean {
		return (
			!headers.awaitsContinue &&
			(headers.framing === "chunked" ||
				this.#left <= this.#shared.limits.unreadBytes)
		);
	}

	/** A response of the platform's own kind does not say whether its body is there: it is, when it ends at once. */
	async #answerPlatform(
		request: IncomingRequest,
		response: Response,
	): Promise<void> {
		try {
			const plain = await plainOf(
				response,
				this.#hasEnded || request.method === "HEAD",
				(pieces) => {
					this.#outgoing = pieces;
				},
			);
			if (this.#phase !== "gone") this.#outgoing = null;
			if (this.#request === request) this.#answer(plain);
			else if (!isParts(plain.body)) plain.body.cancel();
		} catch {
			this.#outgoing = null;
			if (this.#request === request) this.#fail();
		}
	}

	/** Head and body in one write. */
	#writeWhole(
		status: number,
		headers: HeaderLines,
		parts: Parts,
		id: string,
		hasBody: boolean,
	): void {
		let length = 0;
		for (const part of parts) length += sizeOf(part);
		const framing = isBodiless(status) ? null : length;
		const size = hasBody && framing !== null ? length : 0;
		const bytes = this.#headOf(status, headers, id, framing, size);
		if (size > 0) {
			let at = bytes.length - size;
			for (const part of parts) at += put(bytes, at, part);
		}
		this.#outflow.write(bytes);
	}

	/** The head of the answer, with room for `size` bytes of its body. */
	#headOf(
		status: number,
		headers: HeaderLines,
		id: string,
		framing: OutgoingHead["framing"],
		size: number,
	): Bytes {
		this.#hasBegun = true;
		this.#isLast ||= this.#shared.isClosing;
		const isKept = this.#isLast
			? false
			: this.#heads.head?.isModern
				? null
				: true;
		return this.#shared.heads.write(
			{ status, headers, id, framing, isKept },
			size,
		);
	}

	/** An answer that comes in pieces; one that breaks ends the connection, so that nobody takes it for whole. */
	async #stream(
		request: IncomingRequest,
		status: number,
		headers: HeaderLines,
		pieces: Pieces,
	): Promise<void> {
		const isModern = this.#heads.head?.isModern === true;
		const framing = pieces.length ?? (isModern ? "chunked" : null);
		if (framing === null) this.#isLast = true;
		this.#outgoing = pieces;
		const head = this.#headOf(status, headers, request.id, framing, 0);
		this.#outflow.hold(latin1In(head, 0, head.length));
		if (request.method === "HEAD" || isBodiless(status)) {
			this.#outflow.flush();
			pieces.cancel();
		} else {
			try {
				const first = pieces.next();
				// Clients of a stream wait for its head.
				if (Bun.peek.status(first) === "pending") this.#outflow.flush();
				let sent = 0;
				for (let piece = await first; piece; piece = await pieces.next()) {
					if (this.#request !== request) return;
					sent += piece.length;
					if (sent > (pieces.length ?? sent)) throw misstated();
					if (framing === "chunked") this.#outflow.writeChunk(piece);
					else this.#outflow.writePiece(piece);
					if (this.#outflow.isWaiting) await this.#written();
				}
				if (sent < (pieces.length ?? sent)) throw misstated();
			} catch {
				if (this.#request === request) this.destroy();
				return;
			}
			if (this.#request !== request) return;
			if (framing === "chunked") this.#outflow.writeLastChunk();
			else this.#outflow.flush();
		}
		this.#outgoing = null;
		this.#outflow.whenWritten(this.#onFinished);
	}

	#written(): Promise<void> {
		return new Promise((resolve) => this.#outflow.whenWritten(resolve));
	}

	/** The answer is written. */
	#finish(): void {
		if (this.#phase === "gone") return;
		this.#request = null;
		if (this.#isLast || this.#shared.isClosing) {
			this.#end();
			return;
		}
		const flow = this.#flow;
		if (!flow) {
			this.#next();
			return;
		}
		// The rest of its body is read by nobody.
		this.#unread = 0;
		flow.cancel();
		this.#pause(false);
		this.#enter("body");
	}

	/** Goes on to the next request. */
	#next(): void {
		this.#enter("idle");
		this.#pause(false);
		if (this.#held) this.#read();
	}

	/** Ends it so that the client can still read: what is closed with bytes unread is reset. */
	#end(): void {
		this.#enter("linger");
		this.#unread = 0;
		this.#held = null;
		this.#flow = null;
		this.#dechunker = null;
		this.#pause(false);
		this.#socket.end();
	}
}

/** A body that is not as long as it said ends its connection. */
function misstated(): Error {
	return new Error("a body is not as long as it was said to be");
}

/** Clients that end a body with a line of their own leave it before the next request. */
function blankEnd(bytes: Buffer): number {
	let at = 0;
	while (at < EMPTY_LINES_MAX * 2 && bytes[at] === CR && bytes[at + 1] === LF)
		at += 2;
	return at;
}

function isThere(answered: Answered | Later<Answered>): answered is Answered {
	return answered instanceof PlainResponse || answered instanceof Response;
}
