/**
 * The body of a request or an answer between the connection that receives it and whoever reads it. When more waits than
 * the reader takes, the connection is braked, and by that whoever sends.
 */
import type { Bytes } from "../message.ts";
import type { Pieces } from "../pieces.ts";

export type Inflow = Pieces & {
	readonly push: (piece: Bytes) => void;
	readonly end: () => void;
	/** What was received before can still be read. */
	readonly fail: (error: Error) => void;
};

/** The sender is braked while this much waits. */
const WAITING_BYTES_MAX = 1024 * 1024;
/** What a piece costs besides its bytes: a body in chunks of one byte is a hundred times what it says. */
const PIECE_BYTES = 128;

/**
 * @param brake called with true when too much waits, with false when it was read
 * @param letGo called when the reader wants no more
 */
export function createInflow(
	brake: (on: boolean) => void,
	letGo: () => void,
): Inflow {
	const waiting: Bytes[] = [];
	let held = 0;
	let braked = false;
	let dropped = false;
	let over: Error | "ended" | null = null;
	let reader: PromiseWithResolvers<Bytes | null> | null = null;

	const finish = (how: Error | "ended"): void => {
		if (over) return;
		over = how;
		if (!reader) return;
		if (how === "ended") reader.resolve(null);
		else reader.reject(how);
		reader = null;
	};
	return {
		push: (piece) => {
			if (over || dropped) return;
			if (reader) {
				reader.resolve(piece);
				reader = null;
				return;
			}
			waiting.push(piece);
			held += piece.length + PIECE_BYTES;
			if (held < WAITING_BYTES_MAX || braked) return;
			braked = true;
			brake(true);
		},
		end: () => finish("ended"),
		fail: finish,
		next: () => {
			const piece = waiting.shift();
			if (piece) {
				held -= piece.length + PIECE_BYTES;
				if (braked && held < WAITING_BYTES_MAX) {
					braked = false;
					brake(false);
				}
				return Promise.resolve(piece);
			}
			if (over === "ended" || dropped) return Promise.resolve(null);
			if (over) return Promise.reject(over);
			reader = Promise.withResolvers();
			return reader.promise;
		},
		cancel: () => {
			if (dropped) return;
			dropped = true;
			waiting.length = 0;
			reader?.resolve(null);
			reader = null;
			if (!over) letGo();
		},
	};
}
