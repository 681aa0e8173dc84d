/**
 * Finds the heads on a connection. Whoever speaks on it says nearly the same each time: a head that stands there byte
 * for byte as the last one did is the last one, and is not read again.
 */
import { cut } from "../assembly.ts";
import type { Bytes } from "../message.ts";
import { Malformed } from "./failure.ts";

const END_OF_HEAD = Buffer.from("\r\n\r\n");

export class HeadReader<Head> {
	/** The last head that was found. */
	head: Head | null = null;
	/** As it stood there, with its empty line. */
	#bytes: Buffer | null = null;
	readonly #parse: (bytes: Bytes) => Head;
	readonly #bytesMax: number;

	/** @param parse reads a head without its empty line; what it gives is used for every head that is the same */
	constructor(parse: (bytes: Bytes) => Head, bytesMax: number) {
		this.#parse = parse;
		this.#bytesMax = bytesMax;
	}

	/**
	 * Reads the head that begins there.
	 * @returns where it ends, with its empty line; -1 while it does not
	 * @throws Malformed
	 */
	read(bytes: Buffer, start: number): number {
		const last = this.#bytes;
		if (last && bytes.length - start >= last.length) {
			const end = start + last.length;
			if (bytes.compare(last, 0, last.length, start, end) === 0) return end;
		}
		const found = bytes.indexOf(END_OF_HEAD, start);
		if ((found < 0 ? bytes.length : found) - start > this.#bytesMax)
			throw new Malformed("its head is too large", 431);
		if (found < 0) return -1;
		const end = found + END_OF_HEAD.length;
		// A copy, because what arrived with it is not to be kept for as long.
		const own = Buffer.from(bytes.subarray(start, end));
		this.head = this.#parse(cut(own, 0, found - start));
		this.#bytes = own;
		return end;
	}
}
