/**
 * A body in chunks, each with its length in front, of a request or of an answer.
 *
 * @see RFC 9112 7.1
 */
import { CR, LF } from "../bytes.ts";
import type { Bytes } from "../message.ts";
import { Malformed } from "./failure.ts";
import { NAME_CHARACTERS, VALUE_CHARACTERS } from "./fields.ts";

export type Dechunker = {
	/**
	 * Takes what arrived from `at` on, and gives each piece of the body.
	 * @returns where the body ended in these bytes; -1 while it goes on
	 * @throws Malformed when the chunks are malformed
	 */
	readonly push: (
		bytes: Bytes,
		at: number,
		onPiece: (piece: Bytes) => void,
	) => number;
};

/** A chunk's length with its extensions, or one trailer. */
const LINE_BYTES_MAX = 4096;
const TRAILERS_MAX = 50;
const SIZE = new RegExp(
	`^([0-9A-Fa-f]{1,12})[\\t ]*(?:;[\\t ]*[${NAME_CHARACTERS}][${VALUE_CHARACTERS}]*)?$`,
);
const TRAILER = new RegExp(`^[${NAME_CHARACTERS}]+:[${VALUE_CHARACTERS}]*$`);

/**
 * For one body.
 * @param bytesMax what is said to be more is refused before it comes
 */
export function createDechunker(
	bytesMax = Number.POSITIVE_INFINITY,
): Dechunker {
	let state: "size" | "data" | "data-end" | "trailer" = "size";
	let line = "";
	let left = 0;
	let trailers = 0;
	let announced = 0;

	/** What a complete line says; true when it was the last of the body. */
	const endLine = (): boolean => {
		const text = line;
		line = "";
		if (state === "data-end") {
			if (text !== "") throw new Malformed("a chunk is longer than it says");
			state = "size";
			return false;
		}
		if (state === "trailer") {
			if (text === "") return true;
			if (!TRAILER.test(text)) throw new Malformed("a trailer is no header");
			if (++trailers > TRAILERS_MAX)
				throw new Malformed("it has too many trailers");
			return false;
		}
		const size = SIZE.exec(text)?.[1];
		if (size === undefined)
			throw new Malformed("a chunk does not say its length");
		left = Number.parseInt(size, 16);
		announced += left;
		if (announced > bytesMax) throw new Malformed("its body is too large", 413);
		state = left === 0 ? "trailer" : "data";
		return false;
	};

	/** Reads on in a line. Gives where it goes on; the line has ended when its line feed is before that. */
	const readLine = (bytes: Bytes, at: number): number => {
		const lf = bytes.indexOf(LF, at);
		const end = lf < 0 ? bytes.length : lf;
		if (line.length + end - at > LINE_BYTES_MAX)
			throw new Malformed("a line between its chunks is too long");
		line += Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at).toString(
			"latin1",
		);
		if (lf < 0) return bytes.length;
		// A bare line feed ends a line for some readers and not for others (RFC 9112 2.2).
		if (line.charCodeAt(line.length - 1) !== CR)
			throw new Malformed("a line between its chunks has no proper end");
		line = line.slice(0, -1);
		return lf + 1;
	};

	return {
		push: (bytes, start, onPiece) => {
			let at = start;
			while (at < bytes.length) {
				if (state === "data") {
					const piece = bytes.subarray(at, at + left);
					at += piece.length;
					left -= piece.length;
					onPiece(piece);
					if (left === 0) state = "data-end";
					continue;
				}
				const next = readLine(bytes, at);
				const ended = bytes[next - 1] === LF;
				at = next;
				if (ended && endLine()) return at;
			}
			return -1;
		},
	};
}
