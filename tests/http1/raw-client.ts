/** A client that sends exactly the bytes a test wants, in the packets it wants, and sees every byte that comes back. */
import { connect, type Socket } from "node:net";
import {
	type ConnectionOptions,
	connect as connectTls,
	TLSSocket,
} from "node:tls";
import { type RawAnswer, readAnswer } from "./raw-answer.ts";

/** How a connection ended: in order, or not. */
export type Ending = "end" | "reset";

export type RawClient = {
	/** The port of our end. */
	readonly port: number;
	/** Of the certificate that was shown; empty in clear. */
	readonly fingerprint: () => string;
	/** Hands it to the kernel, or queues it while the other side takes nothing. */
	readonly send: (bytes: string | Uint8Array) => void;
	/** Each of these as a packet of its own, as far as one can tell. */
	readonly drip: (pieces: Iterable<string | Uint8Array>) => Promise<void>;
	/** Bytes that the kernel has not taken yet. */
	readonly unsent: () => number;
	/** Says that nothing more is sent; what comes is still read. */
	readonly finish: () => void;
	/** Closes in order, as a program that exits does. */
	readonly close: () => void;
	readonly reset: () => void;
	/** Stops reading, until `resume`. */
	readonly pause: () => void;
	readonly resume: () => void;
	/** The next whole answer. @throws Error for what is none, or when it is cut off or late */
	readonly answer: (method?: string) => Promise<RawAnswer>;
	/** Waits for this to have arrived; takes everything up to and with it. */
	readonly take: (text: string) => Promise<string>;
	/** What has arrived and was not taken. */
	readonly unread: () => string;
	/** Bytes that have arrived, all in all. */
	readonly received: () => number;
	/** How the other side ends the connection. */
	readonly ended: () => Promise<Ending>;
	/** Everything that still comes, until the other side ends the connection. */
	readonly rest: () => Promise<string>;
};

/** On a machine that is busy with other tests. */
const PATIENCE_MS = 12_000;
const READING_TURNS = 3;
const open = new Set<Socket>();

/** Drops every connection that a test has left open. */
export function dropAll(): void {
	for (const socket of open) socket.destroy();
	open.clear();
}

/** Connects to a Unix socket. */
export function dialSocket(path: string): Promise<RawClient> {
	return connected(connect({ path, allowHalfOpen: true }), "connect");
}

/** Connects; resolves when the server has accepted, with TLS when it has shown its certificate. */
export function dial(
	port: number,
	{ host = "127.0.0.1", tls }: { host?: string; tls?: ConnectionOptions } = {},
): Promise<RawClient> {
	const socket = tls
		? connectTls({ host, port, rejectUnauthorized: false, ...tls })
		: connect({ host, port, allowHalfOpen: true, noDelay: true });
	return connected(socket, tls ? "secureConnect" : "connect");
}

function connected(
	socket: Socket,
	event: "connect" | "secureConnect",
): Promise<RawClient> {
	open.add(socket);
	return new Promise((resolve, reject) => {
		socket.once("error", reject);
		socket.once(event, () => {
			socket.off("error", reject);
			resolve(conversing(socket));
		});
	});
}

function conversing(socket: Socket): RawClient {
	const pieces: string[] = [];
	let received = 0;
	let ending: Ending | null = null;
	let wake = Promise.withResolvers<void>();
	const news = (): void => {
		wake.resolve();
		wake = Promise.withResolvers();
	};
	const over = (how: Ending): void => {
		ending ??= how;
		news();
	};
	socket.on("data", (bytes: Buffer) => {
		received += bytes.length;
		pieces.push(bytes.toString("latin1"));
		news();
	});
	socket.on("end", () => over("end"));
	socket.on("error", () => over("reset"));
	socket.on("close", () => over("reset"));

	const unread = (): string => {
		const text = pieces.join("");
		pieces.splice(0, pieces.length, text);
		return text;
	};
	const take = (end: number): string => {
		const text = unread();
		pieces.splice(0, pieces.length, text.slice(end));
		return text.slice(0, end);
	};
	/** Asks again with each piece that arrives, until something is found. */
	const find = async <T>(what: string, look: () => T | null): Promise<T> => {
		const deadline = performance.now() + PATIENCE_MS;
		for (;;) {
			const waiting = wake.promise;
			const found = look();
			if (found !== null) return found;
			const state = `${what} did not come: ${JSON.stringify(unread().slice(0, 300))}`;
			if (ending) throw new Error(`${state}, and then the ${ending}`);
			await within(waiting, deadline - performance.now(), state);
		}
	};
	const ended = (): Promise<Ending> => find("the end", () => ending);
	return {
		port: socket.localPort ?? 0,
		fingerprint: () =>
			socket instanceof TLSSocket
				? socket.getPeerCertificate().fingerprint256
				: "",
		send: (bytes) => void socket.write(bytes, "latin1"),
		drip: async (all) => {
			for (const piece of all) {
				await new Promise<void>((resolve) => {
					socket.write(piece, "latin1", () => resolve());
				});
				// The other side is in this process, and reads between two of its turns.
				for (let turn = 0; turn < READING_TURNS; turn++)
					await new Promise((resolve) => setImmediate(resolve));
			}
		},
		unsent: () => socket.writableLength,
		finish: () => void socket.end(),
		close: () => {
			socket.removeAllListeners("error");
			socket.on("error", () => {});
			socket.destroy();
		},
		reset: () => void socket.resetAndDestroy(),
		pause: () => void socket.pause(),
		resume: () => void socket.resume(),
		answer: async (method = "GET") => {
			const { answer, end } = await find("an answer", () =>
				readAnswer(unread(), method, ending !== null),
			);
			take(end);
			return answer;
		},
		take: async (text) =>
			take(
				await find(JSON.stringify(text), () => {
					const at = unread().indexOf(text);
					return at < 0 ? null : at + text.length;
				}),
			),
		unread,
		received: () => received,
		ended,
		rest: async () => {
			await ended();
			return take(unread().length);
		},
	};
}

/** @throws Error saying `state` when it does not happen in time */
async function within(
	happening: Promise<void>,
	ms: number,
	state: string,
): Promise<void> {
	const { promise, reject } = Promise.withResolvers<never>();
	const timer = setTimeout(() => reject(new Error(state)), Math.max(0, ms));
	try {
		await Promise.race([happening, promise]);
	} finally {
		clearTimeout(timer);
	}
}
