/**
 * Bytes that arrive one after another: whoever reads asks for the next piece, so a slow reader slows the sender down.
 * A web stream says the same with four promises a piece; these are made into one at the very end only.
 */
import { SallyportError } from "./errors.ts";
import type { Bytes } from "./message.ts";

export type Pieces = {
	/** The next piece; null at the end. Rejects when it turns out that there is no end. One reader, one at a time. */
	next(): Promise<Bytes | null>;
	/** Lets go of the rest. */
	cancel(): void;
	/** How many bytes come in all, where that is known. */
	readonly length?: number;
	/** More than so many do not come, where that much is known. */
	readonly atMost?: number;
};

/** The pieces with something in front and something behind. */
export function around(head: Bytes, pieces: Pieces, tail: Bytes): Pieces {
	let state: "head" | "body" | "end" = "head";
	return {
		next: async () => {
			if (state === "head") {
				state = "body";
				return head;
			}
			if (state === "end") return null;
			const piece = await pieces.next();
			if (piece) return piece;
			state = "end";
			return tail;
		},
		cancel: () => pieces.cancel(),
	};
}

/** The pieces as the body of a web request or response. */
export function readableOf(pieces: Pieces): ReadableStream<Bytes> {
	return new ReadableStream<Bytes>(
		{
			pull: async (controller) => {
				const piece = await pieces.next();
				if (piece) controller.enqueue(piece);
				else controller.close();
			},
			cancel: () => pieces.cancel(),
		},
		{ highWaterMark: 0 },
	);
}

/** The pieces of a web stream. */
export function piecesOf(stream: ReadableStream<Bytes>): Pieces {
	const reader = stream.getReader();
	return {
		next: async () => (await reader.read()).value ?? null,
		cancel: () => void reader.cancel().catch(() => {}), // it is of no interest how it ends
	};
}

/** All of them, in one. @throws SallyportError `upstream` when they are more than `bytesMax`; the rest is not read */
export async function wholeOf(
	pieces: Pieces,
	bytesMax: number,
): Promise<Bytes> {
	const parts: Bytes[] = [];
	let held = 0;
	for (let part = await pieces.next(); part; part = await pieces.next()) {
		held += part.length;
		if (held > bytesMax) {
			pieces.cancel();
			throw new SallyportError("upstream", "the server's answer is too large");
		}
		parts.push(part);
	}
	return Buffer.concat(parts);
}

/** Bytes that are there already, as pieces. */
export function wholePieces(bytes: Bytes): Pieces {
	return new Whole(bytes);
}

class Whole implements Pieces {
	#left: Bytes | null;

	constructor(bytes: Bytes) {
		this.#left = bytes.length === 0 ? null : bytes;
	}

	next(): Promise<Bytes | null> {
		const piece = this.#left;
		this.#left = null;
		return Promise.resolve(piece);
	}

	cancel(): void {
		this.#left = null;
	}
}
