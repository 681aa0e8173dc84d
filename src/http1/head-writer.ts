/**
 * The heads of answers, as bytes. What stands in one is nearly always what stood in the last, but for the request's id
 * and the length of the body: only these are written anew.
 *
 * @see RFC 9112 4 and 6, RFC 9110 6.6.1
 */
import { allocate, digitsIn, put, putNumber } from "../assembly.ts";
import { httpDate, systemClock } from "../clock.ts";
import { type Bytes, toBytes } from "../message.ts";
import type { HeaderLines } from "./header-lines.ts";
import { statusLine } from "./outgoing.ts";

/** What a head says. */
export type OutgoingHead = {
	readonly status: number;
	readonly headers: HeaderLines;
	/** Of the request that is answered; empty when it has none. */
	readonly id: string;
	/** The length of the body, or what else frames it; null for what has none or ends with its connection. */
	readonly framing: number | "chunked" | null;
	/** Whether the connection goes on; null where that goes without saying. */
	readonly isKept: boolean | null;
};

/** Writes the heads of one server. */
export class HeadWriter {
	#dateLine = dateLine();
	#status = 0;
	#headers: HeaderLines | null = null;
	#isKept: boolean | null = null;
	/** The last head, up to where the request's id goes. */
	#beginning: Bytes = NOTHING;

	/** Has heads say what time it is now. */
	renewDate(): void {
		this.#dateLine = dateLine();
		this.#headers = null;
	}

	/** @returns the head, and room for so many bytes behind it */
	write(head: OutgoingHead, room: number): Bytes {
		const { id, framing } = head;
		const beginning = this.#beginningOf(head);
		const counted = typeof framing === "number";
		const before = id === "" ? NOTHING : ID;
		const middle = framing === null ? NOTHING : counted ? LENGTH : CHUNKED;
		const length =
			beginning.length +
			before.length +
			id.length +
			middle.length +
			(counted ? digitsIn(framing) : 0) +
			END.length;
		const bytes = allocate(length + room);
		let at = put(bytes, 0, beginning);
		at += put(bytes, at, before);
		at += put(bytes, at, id);
		at += put(bytes, at, middle);
		if (counted) at += putNumber(bytes, at, framing);
		put(bytes, at, END);
		return bytes;
	}

	#beginningOf({ status, headers, isKept }: OutgoingHead): Bytes {
		if (
			this.#headers === headers &&
			this.#status === status &&
			this.#isKept === isKept
		)
			return this.#beginning;
		const kept =
			isKept === null
				? ""
				: `connection: ${isKept ? "keep-alive" : "close"}\r\n`;
		const lines = `${statusLine(status)}${headers}${this.#dateLine}${kept}`;
		this.#status = status;
		this.#headers = headers;
		this.#isKept = isKept;
		// Every line begins with the end of the one before, so that what follows may be left out.
		this.#beginning = Buffer.from(lines.slice(0, -2), "latin1");
		return this.#beginning;
	}
}

const NOTHING = new Uint8Array();
const ID = toBytes("\r\nx-request-id: ");
const LENGTH = toBytes("\r\ncontent-length: ");
const CHUNKED = toBytes("\r\ntransfer-encoding: chunked");
const END = toBytes("\r\n\r\n");

function dateLine(): string {
	return `date: ${httpDate(systemClock.now())}\r\n`;
}
