/**
 * The pipes of a child process: its standard input and output, as sockets of the event loop.
 *
 * Bun's own, a sink and a stream, take 10 µs more for what is written and read in one turn, which is half of what a
 * call over them costs. Its sockets need a pair that is connected, and only libc makes one. The child's end of it is
 * an ordinary blocking one; no other child inherits ours.
 *
 * @see socketpair(2)
 */
import { FFIType, ptr } from "bun:ffi";
import { closeSync } from "node:fs";
import { join } from "../assembly.ts";
import { openLibc } from "../libc.ts";
import type { Bytes } from "../message.ts";

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0o2000001;
const { i32, ptr: pointer } = FFIType;
const LIBC = {
	socketpair: { args: [i32, i32, i32, pointer], returns: i32 },
} as const;

/** Descriptors of the two ends. */
export type Pipe = { readonly ours: number; readonly theirs: number };

let libc: ReturnType<typeof openLibc<typeof LIBC>> | null = null;

/** Makes a pipe. @throws when the system refuses, as it does at its limit of open files */
export function openPipe(): Pipe {
	libc ??= openLibc(LIBC);
	const ends = new Int32Array(2);
	const failed = libc.symbols.socketpair(
		AF_UNIX,
		SOCK_STREAM_CLOEXEC,
		0,
		ptr(ends),
	);
	if (failed) throw new Error("no pair of sockets could be made");
	const [ours, theirs] = ends as unknown as [number, number];
	return { ours, theirs };
}

/**
 * Our end of a child's standard input. What is written in two turns of the event loop goes out in one go: where many
 * call at the same time that is twice as much, and to one who calls alone an empty turn is nothing.
 */
export class InputPipe {
	readonly #end: number;
	readonly #bytesMax: number;
	/** Undefined until something goes out, null once the child has closed its end. */
	#socket: Bun.Socket<unknown> | null | undefined;
	/** Written in these turns, or while the kernel took no more. */
	#said: Bytes[] = [];
	/** Handed to the kernel, which did not take it yet. */
	#unwritten: Bytes | null = null;
	/** Bytes of both. */
	#waiting = 0;
	#isEnding = false;

	/** @param bytesMax what may wait for a child that does not read */
	constructor(end: number, bytesMax: number) {
		this.#end = end;
		this.#bytesMax = bytesMax;
	}

	/** False when too much waits already. What is written to a child that has ended is lost. */
	write(bytes: Bytes): boolean {
		if (this.#waiting + bytes.length > this.#bytesMax) return false;
		this.#waiting += bytes.length;
		if (this.#said.push(bytes) === 1) setImmediate(this.#flushNext);
		return true;
	}

	/** The child reads the end when it has read what was written. */
	end(): void {
		this.#isEnding = true;
		setImmediate(this.#flushNext);
	}

	/** Nobody reads it any more. */
	close(): void {
		if (this.#socket === undefined) closeSync(this.#end);
		else this.#socket?.terminate();
		this.#socket = null;
	}

	readonly #flushNext = (): void => void setImmediate(this.#flush);

	readonly #flush = (): void => {
		if (this.#socket === undefined) this.#connect();
		if (this.#unwritten) return;
		const said = this.#said;
		if (said.length > 0) {
			this.#said = [];
			this.#give(said.length === 1 ? (said[0] as Bytes) : join(said));
		}
		if (this.#isEnding && !this.#unwritten) this.#socket?.end();
	};

	#connect(): void {
		this.#socket = null;
		connect(this.#end, {
			open: (socket) => {
				this.#socket = socket;
			},
			data: () => {}, // nobody speaks from there
			drain: () => this.#drain(),
			close: () => {
				this.#socket = null;
				this.#drain(); // what waits is lost
			},
			error: () => {}, // it is closed, which is all there is to know
		});
	}

	#drain(): void {
		if (this.#unwritten) this.#give(this.#unwritten);
		this.#flush();
	}

	#give(bytes: Bytes): void {
		const taken = this.#socket?.write(bytes) ?? -1;
		const left = taken < 0 ? 0 : bytes.length - taken;
		this.#unwritten = left > 0 ? bytes.subarray(taken) : null;
		this.#waiting -= bytes.length - left;
	}
}

/** Our end of a child's standard output. What it says before it is read is kept by the kernel. */
export class OutputPipe {
	readonly #end: number;
	#socket: Bun.Socket<unknown> | null = null;
	#isOpen = true;

	constructor(end: number) {
		this.#end = end;
	}

	/**
	 * Reads it, once.
	 * @returns when nothing more comes; rejects with what `onChunk` throws, or the system says
	 */
	read(onChunk: (chunk: Bytes) => void): Promise<void> {
		const ended = Promise.withResolvers<void>();
		const fail = (error: unknown): void => {
			ended.reject(error);
			this.close();
		};
		setImmediate(() => {
			if (!this.#isOpen) return ended.resolve();
			connect(this.#end, {
				open: (socket) => {
					this.#socket = socket;
				},
				data: (_socket, chunk) => {
					try {
						onChunk(chunk);
					} catch (error) {
						fail(error);
					}
				},
				close: () => {
					this.#isOpen = false;
					ended.resolve();
				},
				error: (_socket, error) => fail(error),
			});
		});
		return ended.promise;
	}

	/** Hears no more of it. */
	close(): void {
		if (!this.#isOpen) return;
		this.#isOpen = false;
		if (this.#socket) this.#socket.terminate();
		else closeSync(this.#end);
	}
}

/**
 * Takes a connected end into the event loop; `open` has been called when this returns. So has, perhaps, whatever waited
 * for promises: it is for turns of the event loop in which nothing else is under way.
 */
function connect(fd: number, socket: Bun.SocketHandler): void {
	const options: Bun.FdSocketOptions = {
		fd,
		socket: { ...socket, binaryType: "buffer" },
	};
	// Bun's types know these options, and not that they are taken here.
	void Bun.connect(options as unknown as Bun.UnixSocketOptions);
}
