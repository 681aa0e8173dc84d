/**
 * What is written to a client: at once, or when it takes it. Bodies whose length is not known go out in chunks.
 *
 * @see RFC 9112 7.1
 */
import type { Bytes } from "../message.ts";

/** A piece up to this size is copied behind its length, so that it is one write. */
const COPIED_BYTES_MAX = 32 * 1024;
const LAST_CHUNK = "0\r\n\r\n";

export class Outflow {
	/** The client has taken something since this was last set. */
	hasMoved = false;
	readonly #write: (bytes: Bytes) => number;
	readonly #onBroken: () => void;
	#isOver = false;
	#unwritten: Bytes | null = null;
	#onWritten: (() => void) | null = null;
	/** What stands before the next piece. */
	#due = "";

	/**
	 * @param write gives bytes to the socket; it returns how many were taken, or a negative number when it is closed
	 * @param onBroken called when it turns out to be closed
	 */
	constructor(write: (bytes: Bytes) => number, onBroken: () => void) {
		this.#write = write;
		this.#onBroken = onBroken;
	}

	/** Whether the client has yet to take something. */
	get isWaiting(): boolean {
		return this.#unwritten !== null;
	}

	write(bytes: Bytes): void {
		if (this.#isOver) return;
		if (this.#unwritten) {
			this.#unwritten = Buffer.concat([this.#unwritten, bytes]);
			return;
		}
		const taken = this.#write(bytes);
		if (taken < 0) {
			this.#onBroken();
			return;
		}
		if (taken > 0) this.hasMoved = true;
		if (taken < bytes.length) this.#unwritten = bytes.subarray(taken);
	}

	/** The socket takes more. */
	drain(): void {
		const bytes = this.#unwritten;
		if (!bytes) return;
		this.#unwritten = null;
		this.write(bytes);
		if (!this.#unwritten) this.#tellWritten();
	}

	/** Calls back when all is taken, or never will be; at once if it is. One at a time. */
	whenWritten(then: () => void): void {
		if (this.#unwritten) this.#onWritten = then;
		else then();
	}

	/** Nothing is written any more. */
	end(): void {
		this.#isOver = true;
		this.#unwritten = null;
		this.#tellWritten();
	}

	#tellWritten(): void {
		const then = this.#onWritten;
		this.#onWritten = null;
		then?.();
	}

	/** Writes a piece as it is, behind the text that is held. */
	writePiece(piece: Bytes): void {
		if (this.#due !== "" && piece.length <= COPIED_BYTES_MAX) {
			this.#writeFramed(piece, "");
			return;
		}
		this.flush();
		this.write(piece);
	}

	/** Has a text go out with the next piece. */
	hold(text: string): void {
		this.#due = text;
	}

	/** Writes the text that is held. */
	flush(): void {
		this.#writeBehindDue("");
	}

	writeChunk(piece: Bytes): void {
		if (piece.length === 0) return;
		const size = `${piece.length.toString(16)}\r\n`;
		if (piece.length > COPIED_BYTES_MAX) {
			this.#writeBehindDue(size);
			this.write(piece);
			// What ends a long chunk goes out with the next one's length: whoever reads has its bytes already.
			this.#due = "\r\n";
			return;
		}
		this.#due += size;
		this.#writeFramed(piece, "\r\n");
	}

	writeLastChunk(): void {
		this.#writeBehindDue(LAST_CHUNK);
	}

	/** What is held, a piece, and what ends it, in one write. */
	#writeFramed(piece: Bytes, end: string): void {
		const before = this.#due;
		this.#due = "";
		const bytes = Buffer.allocUnsafe(before.length + piece.length + end.length);
		const start = bytes.write(before, 0, "latin1");
		bytes.set(piece, start);
		bytes.write(end, start + piece.length, "latin1");
		this.write(bytes);
	}

	#writeBehindDue(text: string): void {
		const all = this.#due + text;
		this.#due = "";
		if (all !== "") this.write(Buffer.from(all, "latin1"));
	}
}
