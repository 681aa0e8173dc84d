/**
 * One connection of ours to a server: a socket that carries one exchange at a time, and another after it where both sides
 * can. It knows addresses and bytes; names, judgements and limits are the pool's and the egress's.
 */
import type { Bytes } from "../message.ts";
import { type Answer, createReceiver } from "./answer.ts";
import { type AnswerTo, type Exchange, unsentExchange } from "./exchange.ts";
import {
	abandoned,
	brokenOff,
	type EgressError,
	Malformed,
	malformed,
	unreachable,
} from "./failure.ts";

/** A connection that is open, or was. */
export type ClientConnection = {
	/** Sends a request. One at a time. */
	readonly send: (request: Bytes, to: AnswerTo) => Exchange;
	readonly isOpen: () => boolean;
	readonly destroy: () => void;
};

/** Where to connect: a judged address. */
export type Peer = {
	readonly address: string;
	readonly port: number;
	/** Null for plain HTTP. */
	readonly tls: {
		/** The name that the certificate must be for; the address if absent. */
		readonly serverName?: string;
		/** The only authorities trusted, in PEM; the public ones if absent. */
		readonly ca?: string;
	} | null;
};

const CONNECT_TIMEOUT_MS = 10_000;
/** How long the rest of an answer that nobody reads is waited for, so that the connection can be used again. */
const DRAIN_MS = 1000;

/**
 * Connects, and has TLS done and the certificate verified.
 * @param hooks.onFree called whenever an exchange has ended and another may begin
 * @param hooks.onGone called when none may begin any more
 * @throws EgressError `unsent`
 */
export async function connect(
	{ address, port, tls }: Peer,
	hooks: {
		readonly onFree: (connection: ClientConnection) => void;
		readonly onGone: (connection: ClientConnection) => void;
	},
): Promise<ClientConnection> {
	const ready = Promise.withResolvers<void>();
	let open = true;
	let paused = false;
	/** What of the request the kernel did not take yet. */
	let unwritten: Bytes | null = null;
	let current: Sent | null = null;
	let draining: ReturnType<typeof setTimeout> | undefined;

	const end = (error: Error | null): void => {
		if (!open) return;
		open = false;
		clearTimeout(draining);
		ready.reject(unsent());
		// Whoever hears that it failed may send again at once, and not here.
		hooks.onGone(connection);
		if (!current) return;
		if (error) receiver.fail(error);
		else receiver.end();
		leave();
	};
	const destroy = (error: Error): void => {
		if (!open) return;
		end(error);
		socket.terminate();
	};
	const write = (bytes: Bytes): void => {
		const written = socket.write(bytes);
		if (written < 0) destroy(unsent());
		else unwritten = written < bytes.length ? bytes.subarray(written) : null;
	};
	const receive = (bytes: Bytes): void => {
		// A server that speaks unasked may have been made to: what it says would answer the next request.
		if (!current) {
			destroy(brokenOff());
			return;
		}
		try {
			if (!receiver.push(bytes)) return;
		} catch (error) {
			destroy(
				error instanceof Malformed ? malformed(error.fault) : (error as Error),
			);
			return;
		}
		leave();
		clearTimeout(draining);
		brake(false);
		if (receiver.persistent() && !unwritten) hooks.onFree(connection);
		else destroy(brokenOff());
	};
	const brake = (on: boolean): void => {
		if (paused === on || !open) return;
		paused = on;
		if (on) socket.pause();
		else socket.resume();
	};
	const letGo = (): void => {
		brake(false);
		draining = setTimeout(() => destroy(abandoned()), DRAIN_MS);
	};

	/** The exchange has ended, in whichever way. */
	const leave = (): void => {
		if (current) current.isHeard = receiver.heard();
		current = null;
	};
	const receiver = createReceiver({
		onAnswer: (answer) => current?.onAnswer(answer),
		onFailure: (error) => current?.onFailure(error),
		brake,
		letGo,
	});

	const send: ClientConnection["send"] = (request, to) => {
		if (!open) return unsentExchange(to, unsent());
		const sent = new Sent(wire, to);
		current = sent;
		receiver.begin();
		write(request);
		return sent;
	};
	const stop = (sent: Sent, reason: Error): void => {
		if (current === sent) destroy(reason);
	};

	const wire: Wire = { stop, heard: receiver.heard };
	const connection: ClientConnection = {
		send,
		isOpen: () => open,
		destroy: () => destroy(brokenOff()),
	};
	let socket: Bun.Socket;
	const opening = Bun.connect({
		hostname: address,
		port,
		...(tls && { tls: { ...tls, rejectUnauthorized: true } }),
		socket: {
			binaryType: "buffer",
			open: (opened) => {
				socket = opened;
				if (!tls) ready.resolve();
			},
			handshake: (_socket, trusted, fault) => {
				if (trusted) ready.resolve();
				else ready.reject(untrusted(fault));
			},
			data: (_socket, bytes) => receive(bytes),
			drain: () => {
				if (unwritten) write(unwritten);
			},
			end: () => end(null),
			close: (_socket, error) => end(error ? brokenOff() : null),
			error: () => end(brokenOff()),
			connectError: (_socket, error) => ready.reject(refused(error)),
		},
	});
	const timer = setTimeout(
		() => ready.reject(unreachable("it does not answer")),
		CONNECT_TIMEOUT_MS,
	);
	try {
		await ready.promise;
		return connection;
	} catch (error) {
		open = false;
		// It may still come about, and nobody wants it any more.
		opening.then(
			(opened) => opened.terminate(),
			() => {},
		);
		throw error;
	} finally {
		clearTimeout(timer);
	}
}

/** What was sent and is not complete. A class, because every call makes one. */
class Sent implements Exchange, AnswerTo {
	/** What is known of it after its end. */
	isHeard: boolean | null = null;
	readonly #on: Wire;
	/** Null as soon as they know. */
	#to: AnswerTo | null;

	constructor(on: Wire, to: AnswerTo) {
		this.#on = on;
		this.#to = to;
	}

	onAnswer(answer: Answer): void {
		const to = this.#to;
		this.#to = null;
		to?.onAnswer(answer);
	}

	onFailure(error: Error): void {
		const to = this.#to;
		this.#to = null;
		to?.onFailure(error);
	}

	abandon(reason: Error = abandoned()): void {
		this.#on.stop(this, reason);
	}

	heard(): boolean {
		return this.isHeard ?? this.#on.heard();
	}
}

/** What an exchange needs of its connection. */
type Wire = {
	readonly stop: (sent: Sent, reason: Error) => void;
	readonly heard: () => boolean;
};

function unsent(): EgressError {
	return unreachable("the server closed the connection");
}

function refused(error: unknown): EgressError {
	const code = codeOf(error);
	return unreachable(
		code === "ECONNREFUSED"
			? "the connection was refused"
			: `the connection failed (${code || "unknown reason"})`,
	);
}

function untrusted(fault: Error | null): EgressError {
	return unreachable(
		`its certificate is not accepted (${codeOf(fault) || "unknown reason"})`,
	);
}

function codeOf(error: unknown): string {
	const code = (error as { code?: unknown } | null)?.code;
	return typeof code === "string" ? code : "";
}
