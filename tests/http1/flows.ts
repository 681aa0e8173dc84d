/** Streams that a test writes or counts, and the time when nothing flows any more. */
import { until } from "../support/until.ts";

/** More than the kernel holds for both ends together, with room for ours. */
export const BRAKED_BYTES_MAX = 24 * 1024 * 1024;
export const PIECE = Buffer.alloc(64 * 1024, "x");

/** Waits for a number that grows to stand still. */
export async function settled(read: () => number): Promise<number> {
	let last = -1;
	let same = 0;
	await until("it stands still", () => {
		same = read() === last ? same + 1 : 0;
		last = read();
		return same >= 10;
	});
	return last;
}

/** A stream that a test writes. */
export function scripted(): {
	readonly stream: ReadableStream<Uint8Array>;
	readonly write: (text: string) => void;
	readonly close: () => void;
	readonly fail: () => void;
	readonly cancelled: Promise<void>;
} {
	const { promise: cancelled, resolve } = Promise.withResolvers<void>();
	let sink: ReadableStreamDefaultController<Uint8Array>;
	const stream = new ReadableStream<Uint8Array>({
		start: (given) => {
			sink = given;
		},
		cancel: () => resolve(),
	});
	return {
		stream,
		write: (text) => sink.enqueue(Buffer.from(text)),
		close: () => sink.close(),
		fail: () => sink.error(new Error("sesame")),
		cancelled,
	};
}

/** A stream that gives pieces as long as anybody asks. */
export function endless(): {
	readonly stream: ReadableStream<Uint8Array>;
	readonly given: () => number;
	readonly cancelled: () => boolean;
} {
	let given = 0;
	let cancelled = false;
	const stream = new ReadableStream<Uint8Array>({
		pull: async (sink) => {
			await Promise.resolve();
			given += PIECE.length;
			sink.enqueue(PIECE);
		},
		cancel: () => {
			cancelled = true;
		},
	});
	return { stream, given: () => given, cancelled: () => cancelled };
}
