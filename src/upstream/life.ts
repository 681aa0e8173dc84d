/**
 * The life of one upstream: asleep until somebody asks, connected once for all who ask at the same time, put to sleep
 * when nobody asks any more, and after a failure left alone for a while. Its lists outlive its connections, so that a
 * sleeping server still says what it can do.
 */
import { type Clock, delay } from "../clock.ts";
import { describeError, SallyportError } from "../errors.ts";
import type { Log } from "../log.ts";
import { memberOf, parseJson } from "../message.ts";
import type { Server } from "../store/servers.ts";
import type { Connection } from "./connection.ts";
import type { Dial } from "./dial.ts";
import { isSafe, LinkError, unless } from "./link.ts";
import { EMPTY, fetchList, type Listing, sameItems } from "./lists.ts";
import { NO_PARAM_HEADERS, type ParamHeaders } from "./mirror.ts";
import { type ReplyTo, replied } from "./reply-to.ts";
import type { Lines } from "./stderr.ts";
import { topicOf } from "./topic.ts";
import type {
	Call,
	ListKind,
	Reply,
	ServerFacts,
	Upstream,
	UpstreamEvent,
} from "./upstream.ts";
import { createWatches } from "./watches.ts";

/** An upstream, and what the pool that keeps it must know. */
export type LivingUpstream = Upstream & {
	readonly isProcess: boolean;
	/** When it was last asked, or null while somebody waits for it or watches something. */
	readonly restingSinceMs: () => number | null;
	/** The same, of a process that could sleep; null when there is none. */
	readonly idleSinceMs: () => number | null;
	/** Stops the process until it is asked again. */
	readonly sleep: () => Promise<void>;
};

/** Pauses after one failure, after two, …; the last one repeats. A first failure may be tried again at once. */
const BACK_OFF_MS = [0, 1000, 2000, 5000, 15_000, 30_000, 60_000] as const;
/** A connection that lasted this long starts the count anew. */
const STABLE_MS = 60_000;
/** Without progress or an answer for this long, a call has failed. */
const CALL_TIMEOUT_MS = 15 * 60_000;
/** `tasks/result` waits for the whole task. */
const TASK_TIMEOUT_MS = 24 * 3600_000;
const CALLS_MAX = 512;
/** How long a list holds that says nothing of it: changes are announced, this is for servers that forget to. */
const LIST_TTL_MS = 10 * 60_000;

/** Tools of one list that are named in the log for being left out. */
const FAULTY_MAX = 20;

type Cached = {
	readonly listing: Listing;
	readonly freshUntilMs: number;
};

export function createUpstream(deps: {
	readonly server: Server;
	readonly identity: string;
	readonly capabilities: string;
	readonly dial: Dial;
	readonly lines: Lines;
	readonly clock: Clock;
	readonly log: Log;
	/** Makes room for one more process. @throws SallyportError `unavailable` when there is none */
	readonly admit: () => Promise<void>;
	/** What its lists say, or for how long they hold, may be otherwise now. */
	readonly onChange: () => void;
}): LivingUpstream {
	const { server, identity, capabilities, clock, log } = deps;
	const isProcess = server.transport.kind !== "http";
	const closing = new AbortController();
	const listeners = new Set<(event: UpstreamEvent) => void>();
	const lists = new Map<ListKind, Cached>();
	const fetching = new Map<ListKind, Promise<Listing>>();
	/** Lists that somebody was given without what is in them. */
	const missed = new Set<ListKind>();
	let connecting: Promise<Connection> | null = null;
	let connection: Connection | null = null;
	let facts: ServerFacts | null = null;
	let lastError: string | null = null;
	let failures = 0;
	let retryAtMs = 0;
	let open = 0;
	let usedMs = clock.nowMs();
	let keptUntilMs = 0;
	let changes = 0;
	let reviving = false;
	/** The end of the connection that was put to sleep last. */
	let asleep: Promise<void> = Promise.resolve();

	const use = (next: Connection | null): void => {
		connection = next;
		deps.onChange();
	};
	const keep = (kind: ListKind, cached: Cached): void => {
		lists.set(kind, cached);
		deps.onChange();
	};

	const emit = (event: UpstreamEvent): void => {
		if (event.type === "list_changed") {
			changes++;
			const cached = lists.get(event.list);
			if (cached) keep(event.list, { ...cached, freshUntilMs: 0 });
		}
		for (const listener of listeners) listener(event);
	};

	const fail = (reason: string, livedMs: number): void => {
		failures = livedMs > STABLE_MS ? 1 : failures + 1;
		const pause = BACK_OFF_MS[Math.min(failures, BACK_OFF_MS.length) - 1] ?? 0;
		retryAtMs = clock.nowMs() + pause;
		lastError = reason;
		log.warn("upstream failed", {
			slug: server.slug,
			reason,
			attempt: failures,
			delay_ms: pause,
		});
	};

	const dial = async (): Promise<Connection> => {
		if (isProcess) await deps.admit();
		let fresh: Connection;
		try {
			fresh = await deps.dial(emit, closing.signal);
		} catch (error) {
			if (closing.signal.aborted) throw closed();
			fail(describeError(error), 0);
			throw named(server, error);
		}
		if (closing.signal.aborted) {
			await fresh.close();
			throw closed();
		}
		return fresh;
	};

	const settle = (fresh: Connection): void => {
		const sinceMs = clock.nowMs();
		use(fresh);
		facts = fresh.facts;
		lastError = null;
		void fresh.closed.then((reason) => {
			if (connection !== fresh) return; // we closed it ourselves
			use(null);
			fail(reason, clock.nowMs() - sinceMs);
			void revive();
		});
		fresh.listen();
		watches.renew(fresh);
		// What was listed before may be otherwise now; whoever listens hears of it only if it is.
		for (const [kind, cached] of lists) {
			keep(kind, { ...cached, freshUntilMs: 0 });
			refresh(kind).catch((error: unknown) => {
				if (!(error instanceof SallyportError)) throw error;
				log.warn("list failed", {
					slug: server.slug,
					reason: error.message,
				});
			});
		}
	};

	const connect = (): Promise<Connection> => {
		if (connection) return Promise.resolve(connection);
		if (connecting) return connecting;
		if (closing.signal.aborted) return Promise.reject(closed());
		const waitMs = retryAtMs - clock.nowMs();
		if (waitMs > 0)
			return Promise.reject(backingOff(server, lastError ?? "", waitMs));
		connecting = dial()
			.then((fresh) => {
				settle(fresh);
				return fresh;
			})
			.finally(() => {
				connecting = null;
			});
		return connecting;
	};

	const watches = createWatches({
		connect,
		onDoubt: (topic) => {
			const uri = topicOf("resource", topic);
			if (uri !== null) emit({ type: "resource_updated", uri });
		},
		onLost: ({ message }) =>
			log.warn("watch failed", { slug: server.slug, reason: message }),
	});

	/** Who watches asks nothing, and hears nothing from a server that is gone: it is dialled until it is back. */
	const revive = async (): Promise<void> => {
		if (reviving) return;
		reviving = true;
		while (watches.any() && !connection && !closing.signal.aborted) {
			await delay(Math.max(1, retryAtMs - clock.nowMs()), closing.signal);
			await connect().catch((error: unknown) => {
				if (!(error instanceof SallyportError)) throw error; // it was logged, and is tried again
			});
		}
		reviving = false;
	};

	/** Does work that keeps the upstream awake. */
	const awake = async <T>(work: () => Promise<T>): Promise<T> => {
		enter();
		try {
			return await work();
		} finally {
			leave();
		}
	};
	/** Begins such work. @throws SallyportError `too_many` */
	const enter = (): void => {
		if (open >= CALLS_MAX)
			throw new SallyportError(
				"too_many",
				`${server.slug} has too many open calls`,
				{ hint: "try again in a moment" },
			);
		open++;
	};
	/** Ends it. */
	const leave = (): void => {
		open--;
		usedMs = clock.nowMs();
	};

	/** Tools that are left out are said once, and again when they are others (2026-07-28, streamable HTTP: SHOULD). */
	const warnOfFaulty = ({ faulty }: Listing, before: Listing): void => {
		if (Bun.deepEquals(faulty, before.faulty)) return;
		for (const tool of faulty.slice(0, FAULTY_MAX))
			log.warn("tool left out", {
				slug: server.slug,
				tool,
				reason: "an x-mcp-header mark in its schema is not valid",
				count: faulty.length,
			});
	};

	const refresh = (kind: ListKind): Promise<Listing> => {
		const running = fetching.get(kind);
		if (running) return running;
		const started = awake(async () => {
			const live = await connect();
			const before = changes;
			const mirrors = !isProcess && live.facts.era === "modern";
			const listing = await fetchList(live, kind, mirrors, closing.signal);
			const previous = lists.get(kind)?.listing;
			warnOfFaulty(listing, previous ?? EMPTY);
			keep(kind, {
				listing,
				freshUntilMs:
					changes === before
						? clock.nowMs() + (listing.ttlMs ?? LIST_TTL_MS)
						: 0,
			});
			const isNews = previous
				? !sameItems(previous, listing)
				: listing.items.length > 0;
			// A first list is news only to those who were given none.
			if (isNews && (previous || missed.has(kind)))
				for (const listener of listeners)
					listener({ type: "list_changed", list: kind });
			missed.delete(kind);
			return listing;
		}).finally(() => fetching.delete(kind));
		fetching.set(kind, started);
		return started;
	};

	/** What a list said last, while that holds; a sleeping server's list holds until it wakes. */
	const fresh = (kind: ListKind): Listing | null => {
		const cached = lists.get(kind);
		if (!cached) return null;
		return !connection || clock.nowMs() < cached.freshUntilMs
			? cached.listing
			: null;
	};

	/** What of a tool's arguments travels as headers; found out by listing the tools, once. */
	const paramHeaders = (
		{ facts }: Connection,
		call: Call,
	): ParamHeaders | Promise<ParamHeaders> => {
		if (isProcess || facts.era === "legacy" || call.method !== "tools/call")
			return NO_PARAM_HEADERS;
		const known = lists.get("tools")?.listing;
		return known ? markedIn(known, call) : findMarked(call);
	};
	const findMarked = async (call: Call): Promise<ParamHeaders> =>
		markedIn(
			await unless(call.signal, refresh("tools")).catch(() => EMPTY),
			call,
		);

	/** Sends a call on the connection there is. @throws when it cannot be put into words */
	const send = (call: Call, to: ReplyTo): void => {
		const headers = connection && paramHeaders(connection, call);
		if (!connection || !headers || headers instanceof Promise)
			void sendLater(call, to);
		else connection.send(call, timeoutOf(call), headers, to);
	};
	const sendLater = async (call: Call, to: ReplyTo): Promise<void> => {
		try {
			const live = connection ?? (await unless(call.signal, connect()));
			const headers = await paramHeaders(live, call);
			live.send(call, timeoutOf(call), headers, to);
		} catch (error) {
			to.onFailure(error);
		}
	};

	const asked: AskedOf = {
		server,
		send,
		onEnd: (error) => {
			leave();
			if (error === null) lastError = null;
			else if (error instanceof SallyportError && error.code === "upstream")
				lastError = error.message;
		},
	};
	const ask = (call: Call, to: ReplyTo): void => {
		try {
			enter();
		} catch (error) {
			to.onFailure(error);
			return;
		}
		new Asking(asked, call, to).begin();
	};

	const restingSinceMs = (): number | null =>
		open === 0 && !watches.any() && clock.nowMs() >= keptUntilMs
			? usedMs
			: null;

	return {
		server,
		identity,
		capabilities,
		isProcess,
		facts: (signal) =>
			connection
				? Promise.resolve(connection.facts)
				: awake(() => unless(signal, connect())).then((live) => live.facts),
		liveFacts: () => connection?.facts ?? null,
		knownFacts: () => facts,
		list: async (kind, signal) =>
			(fresh(kind) ?? (await unless(signal, refresh(kind)))).items,
		knownList: (kind) => fresh(kind)?.items ?? null,
		miss: (kind) => void missed.add(kind),
		isMissed: (kind) => missed.has(kind),
		holdsForMs: (kind) => {
			const cached = lists.get(kind);
			if (!cached) return 0;
			return connection
				? Math.max(0, cached.freshUntilMs - clock.nowMs())
				: (cached.listing.ttlMs ?? LIST_TTL_MS);
		},
		lastList: (kind) => lists.get(kind)?.listing.items ?? null,
		send: ask,
		request: (call) => replied((to) => ask(call, to)),
		notify: (method, params) =>
			awake(async () => (await connect()).notify(method, params)),
		subscribe: (listener) => {
			listeners.add(listener);
			return () => void listeners.delete(listener);
		},
		watch: (topic, signal) =>
			awake(() =>
				watches.add(topic, signal).catch((error: unknown) => {
					throw named(server, error);
				}),
			),
		keepAwake: (ms) => {
			keptUntilMs = Math.max(keptUntilMs, clock.nowMs() + ms);
		},
		state: () => {
			if (connection) return "ready";
			if (connecting) return "starting";
			return lastError === null ? "asleep" : "failed";
		},
		lastError: () => lastError,
		logs: deps.lines.list,
		restingSinceMs,
		idleSinceMs: () => (isProcess && connection ? restingSinceMs() : null),
		sleep: async () => {
			const live = connection;
			use(null);
			if (live) asleep = live.close();
			await asleep;
		},
		close: async () => {
			closing.abort();
			listeners.clear();
			const live = connection;
			use(null);
			await Promise.all([live?.close(), asleep]);
			await connecting?.catch(() => {}); // it was told to end, and says so
		},
	};
}

/** Who is asked, as a call that is under way must know it. */
type AskedOf = {
	readonly server: Server;
	readonly send: (call: Call, to: ReplyTo) => void;
	/** A call is over. @param error why it failed, or null */
	readonly onEnd: (error: unknown) => void;
};

/** One call, until it has its reply. A class, because every call makes one. */
class Asking implements ReplyTo {
	readonly #of: AskedOf;
	readonly #call: Call;
	readonly #to: ReplyTo;
	#isAgain = false;

	constructor(of: AskedOf, call: Call, to: ReplyTo) {
		this.#of = of;
		this.#call = call;
		this.#to = to;
	}

	begin(): void {
		try {
			this.#of.send(this.#call, this);
		} catch (error) {
			this.onFailure(error);
		}
	}

	onReply(reply: Reply): void {
		this.#of.onEnd(null);
		this.#to.onReply(reply);
	}

	onFailure(error: unknown): void {
		if (!this.#isAgain && mayRepeat(error, this.#call)) {
			this.#isAgain = true;
			// That a connection has ended is known a moment later than what failed by it.
			queueMicrotask(() => this.begin());
			return;
		}
		this.#of.onEnd(error);
		this.#to.onFailure(named(this.#of.server, error));
	}
}

function timeoutOf({ method }: Call): number {
	return method === "tasks/result" ? TASK_TIMEOUT_MS : CALL_TIMEOUT_MS;
}

function markedIn({ paramHeaders }: Listing, { params }: Call): ParamHeaders {
	if (paramHeaders.size === 0 || !params) return NO_PARAM_HEADERS;
	const name = memberOf(params, 0, "name");
	return (
		paramHeaders.get(String(name && parseJson(params, name))) ??
		NO_PARAM_HEADERS
	);
}

/** Whether a failed call may be sent once more. */
function mayRepeat(error: unknown, { method, signal }: Call): boolean {
	if (!(error instanceof LinkError) || signal.aborted) return false;
	if (error.code !== "upstream") return false;
	return (
		error.reach === "unsent" || (error.reach === "broken" && isSafe(method))
	);
}

/** Says which server it was. */
function named(server: Server, error: unknown): unknown {
	if (!(error instanceof SallyportError)) return error;
	const said = [`${server.slug} `, `${server.slug}: `];
	if (said.some((name) => error.message.startsWith(name))) return error;
	return new SallyportError(error.code, `${server.slug}: ${error.message}`, {
		...(error.hint !== undefined && {
			hint: error.hint.replaceAll("SLUG", server.slug),
		}),
		cause: error,
	});
}

function backingOff(
	server: Server,
	reason: string,
	waitMs: number,
): SallyportError {
	return new SallyportError(
		"unavailable",
		`${server.slug} is not available: ${reason}`,
		{
			hint: `it is tried again in ${Math.ceil(waitMs / 1000)} s; see sallyport servers show ${server.slug}`,
		},
	);
}

function closed(): LinkError {
	return new LinkError("final", "the server was changed or removed", {
		code: "unavailable",
		hint: "try again",
	});
}
