/**
 * Splits a byte stream into lines without ever joining more than one line. It knows nothing of what a line says.
 */

import { cut, join } from "../assembly.ts";
import { CR, LF } from "../bytes.ts";
import type { Bytes } from "../message.ts";

export type LineSplitter = {
	/** Gives every line that this chunk completes, without its end. */
	readonly push: (chunk: Bytes) => void;
	/** Gives the last line, if the stream ended without ending it. */
	readonly end: () => void;
};

/**
 * A splitter at LF, CRLF and, when `bareCr`, at CR alone (as event streams may).
 * @param options.onTooLong called once for a line of more than `bytesMax`, which is then skipped to its end
 */
export function createLineSplitter(options: {
	readonly bytesMax: number;
	readonly bareCr?: boolean;
	readonly onLine: (line: Bytes) => void;
	readonly onTooLong: () => void;
}): LineSplitter {
	const { bytesMax, bareCr = false, onLine, onTooLong } = options;
	let parts: Bytes[] = [];
	let held = 0;
	let skipping = false;
	let afterCr = false;

	const keep = (part: Bytes): void => {
		if (skipping || part.length === 0) return;
		held += part.length;
		if (held > bytesMax) {
			skipping = true;
			parts = [];
			onTooLong();
		} else parts.push(part);
	};
	const give = (line: Bytes): void =>
		onLine(line[line.length - 1] === CR ? line.subarray(0, -1) : line);
	/** Gives the line that this is the last part of; nearly always it is all of it. */
	const finish = (last: Bytes): void => {
		if (held === 0 && last.length <= bytesMax) {
			give(last);
			return;
		}
		keep(last);
		const line = skipping ? null : join(parts);
		parts = [];
		held = 0;
		skipping = false;
		if (line) give(line);
	};

	return {
		push: (chunk) => {
			let at = 0;
			if (afterCr && chunk.length > 0) {
				afterCr = false;
				if (chunk[0] === LF) at = 1;
			}
			let cr = bareCr ? chunk.indexOf(CR, at) : -1;
			for (;;) {
				const lf = chunk.indexOf(LF, at);
				if (cr >= 0 && cr < at) cr = chunk.indexOf(CR, at);
				const isCr = cr >= 0 && (lf < 0 || cr < lf);
				const end = isCr ? cr : lf;
				if (end < 0) break;
				finish(cut(chunk, at, end));
				at = end + 1;
				if (!isCr) continue;
				if (at === chunk.length) afterCr = true;
				else if (chunk[at] === LF) at++;
			}
			if (at < chunk.length) keep(cut(chunk, at, chunk.length));
		},
		end: () => {
			if (held > 0) finish(NOTHING);
		},
	};
}

const NOTHING = new Uint8Array();
