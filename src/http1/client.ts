/**
 * A client of one server: connections that are kept between requests, in bounds. Nobody else's requests travel on
 * them, so that a server which confuses its answers confuses only its own.
 *
 * A request goes out a second time only when it changes nothing, the first went on a kept connection, and nothing of
 * an answer has arrived: a server may close a kept connection in the very moment it is used.
 *
 * @see RFC 9112 9.3
 */
import { type Clock, systemClock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import type { ClientConnection } from "./client-connection.ts";
import { type AnswerTo, type Exchange, unsentExchange } from "./exchange.ts";
import { abandoned, EgressError, late } from "./failure.ts";
import { createSerializer, type Request1 } from "./request.ts";

export type HttpClient = {
	send(request: Request1, to: AnswerTo): Exchange;
	/** Ends every exchange and connection. */
	close(): void;
};

/** Connections of one client, streams and calls together. */
const CONNECTIONS_MAX = 256;
/** Requests that wait for one. */
const WAITING_MAX = 1024;
const IDLE_MAX = 64;
/**
 * How long a kept connection is trusted. Servers close theirs after 5 s (Node, uvicorn) without a word to us; behind
 * TLS stand proxies that wait for a minute, and a new connection costs more.
 */
const IDLE_MS = { plain: 4000, tls: 55_000 } as const;

/** Goes on with a connection, or with why there is none. */
type Begin = (connection: ClientConnection | Error) => void;

type Kept = { readonly connection: ClientConnection; readonly sinceMs: number };

type ClientDeps = {
	/** Opens a connection to the server. */
	readonly dial: (hooks: {
		readonly onFree: (connection: ClientConnection) => void;
		readonly onGone: (connection: ClientConnection) => void;
	}) => Promise<ClientConnection>;
	/** As the Host header says it. */
	readonly host: string;
	/** Where requests go that do not say. */
	readonly path: string;
	readonly secure: boolean;
	readonly clock?: Pick<Clock, "nowMs">;
};

export function createHttpClient(deps: ClientDeps): HttpClient {
	return new RestingClient(deps);
}

/** A client that is next to nothing while nobody asks: what connections need is made with the first of them. */
class RestingClient implements HttpClient {
	readonly #deps: ClientDeps;
	#pool: HttpClient | null = null;
	#closed = false;

	constructor(deps: ClientDeps) {
		this.#deps = deps;
	}

	send(request: Request1, to: AnswerTo): Exchange {
		if (this.#closed) return unsentExchange(to);
		this.#pool ??= openPool(this.#deps, () => {
			this.#pool = null;
		});
		return this.#pool.send(request, to);
	}

	close(): void {
		this.#closed = true;
		this.#pool?.close();
	}
}

/**
 * The connections there are.
 * @param onRest called when the last one is gone and nobody waits for another
 */
function openPool(deps: ClientDeps, onRest: () => void): HttpClient {
	const { dial, clock = systemClock } = deps;
	const serialize = createSerializer(deps.host, deps.path);
	const idleMs = deps.secure ? IDLE_MS.tls : IDLE_MS.plain;
	const all = new Set<ClientConnection>();
	/** The one that was used last is at the end, and is used first: the others may grow old. */
	const kept: Kept[] = [];
	const waiting = new Set<Begin>();
	let dialing = 0;
	let closed = false;
	let sweeping: ReturnType<typeof setTimeout> | null = null;

	const sweep = (): void => {
		sweeping = null;
		const nowMs = clock.nowMs();
		while (kept[0] && nowMs - kept[0].sinceMs >= idleMs)
			kept.shift()?.connection.destroy();
		if (kept.length > 0) sweepLater();
		else if (all.size + dialing + waiting.size === 0) onRest();
	};
	/** Looks again when the oldest is due; where none is kept, whether there is anything at all. */
	const sweepLater = (): void => {
		if (sweeping) return;
		const nowMs = clock.nowMs();
		const dueMs = (kept[0]?.sinceMs ?? nowMs) + idleMs - nowMs;
		sweeping = setTimeout(sweep, Math.max(1, dueMs));
		sweeping.unref?.();
	};
	const onFree = (connection: ClientConnection): void => {
		if (waiting.size > 0) {
			const [next] = waiting;
			waiting.delete(next as Begin);
			next?.(connection);
		} else if (closed || kept.length >= IDLE_MAX) connection.destroy();
		else {
			kept.push({ connection, sinceMs: clock.nowMs() });
			sweepLater();
		}
	};
	const onGone = (connection: ClientConnection): void => {
		all.delete(connection);
		const at = kept.findIndex((each) => each.connection === connection);
		if (at >= 0) kept.splice(at, 1);
		if (closed) return;
		if (waiting.size > 0) void dialFor();
		else if (all.size === 0) sweepLater();
	};
	const takeKept = (): ClientConnection | null => {
		const nowMs = clock.nowMs();
		for (let last = kept.pop(); last; last = kept.pop()) {
			if (nowMs - last.sinceMs < idleMs) return last.connection;
			last.connection.destroy();
		}
		return null;
	};

	/** Opens a connection for whoever has waited longest. */
	const dialFor = async (): Promise<void> => {
		if (all.size + dialing >= CONNECTIONS_MAX) return;
		dialing++;
		try {
			const connection = await dial({ onFree, onGone });
			if (connection.isOpen()) all.add(connection);
			onFree(connection);
		} catch (error) {
			const [next] = waiting;
			if (next) waiting.delete(next);
			next?.(error as Error);
			sweepLater();
		} finally {
			dialing--;
		}
	};

	/** Sends on a connection that is not there yet. */
	const sendLater = (request: Request1, to: AnswerTo): Exchange => {
		if (waiting.size >= WAITING_MAX) return unsentExchange(to, tooMany());
		let exchange: Exchange | null = null;
		const begin = (connection: ClientConnection | Error): void => {
			if (connection instanceof Error) to.onFailure(connection);
			else exchange = connection.send(serialize(request), to);
		};
		waiting.add(begin);
		void dialFor();
		return {
			abandon: (reason = abandoned()) => {
				if (waiting.delete(begin)) to.onFailure(reason);
				else exchange?.abandon(reason);
			},
			heard: () => exchange?.heard() ?? false,
		};
	};

	/** Sends on a kept connection, and once more on another if that was an old one. */
	const sendTwice = (
		connection: ClientConnection,
		request: Request1,
		to: AnswerTo,
	): Exchange => {
		let ended = false;
		let second: Exchange | null = null;
		let first: Exchange | null = null;
		first = connection.send(serialize(request), {
			onAnswer: (answer) => to.onAnswer(answer),
			onFailure: (error) => {
				if (ended || closed || !mayRepeat(error, first)) to.onFailure(error);
				else second = sendLater(request, to);
			},
		});
		return {
			abandon: (reason) => {
				ended = true;
				(second ?? first)?.abandon(reason);
			},
			heard: () => (second ?? first)?.heard() ?? false,
		};
	};

	const start = (request: Request1, to: AnswerTo): Exchange => {
		const connection = takeKept();
		if (!connection) return sendLater(request, to);
		return request.repeatable
			? sendTwice(connection, request, to)
			: connection.send(serialize(request), to);
	};

	const startInTime = (
		request: Request1,
		timeoutMs: number,
		to: AnswerTo,
	): Exchange => inTime(timeoutMs, to, (timed) => start(request, timed));

	return {
		send: (request, to) =>
			request.timeoutMs === null
				? start(request, to)
				: startInTime(request, request.timeoutMs, to),
		close: () => {
			closed = true;
			if (sweeping) clearTimeout(sweeping);
			for (const next of waiting) next(abandoned());
			waiting.clear();
			for (const connection of all) connection.destroy();
		},
	};
}

/** Nothing of an answer has arrived. */
function mayRepeat(error: unknown, exchange: Exchange | null): boolean {
	return (
		error instanceof EgressError &&
		(error.reach === "unsent" ||
			(error.reach === "lost" && exchange?.heard() === false))
	);
}

/** Ends the exchange when the head of its answer is late. */
function inTime(
	timeoutMs: number,
	to: AnswerTo,
	send: (to: AnswerTo) => Exchange,
): Exchange {
	const timer = setTimeout(() => exchange.abandon(late(timeoutMs)), timeoutMs);
	const exchange = send({
		onAnswer: (answer) => {
			clearTimeout(timer);
			to.onAnswer(answer);
		},
		onFailure: (error) => {
			clearTimeout(timer);
			to.onFailure(error);
		},
	});
	return exchange;
}

function tooMany(): SallyportError {
	return new SallyportError(
		"unavailable",
		"too many requests wait for a connection to the server",
		{ hint: "try again in a moment" },
	);
}
