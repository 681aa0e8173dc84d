/**
 * The life of one upstream: asleep until somebody asks, connected once for all who ask at the same time, put to sleep
 * when nobody asks any more, and after a failure left alone for a while. Its lists outlive its connections, so that a
 * sleeping server still says what it can do.
 */
import { Abort, type Abortable } from "../abort.ts";
import { type Clock, delay } from "../clock.ts";
import { describeError, SallyportError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Bytes } from "../message.ts";
import type { Server } from "../store/servers.ts";
import { type Asked, Attempts, named } from "./attempts.ts";
import { BackOff, backingOff } from "./back-off.ts";
import type { Connection } from "./connection.ts";
import type { Dial, Dialled, Memory } from "./dial.ts";
import { KeptList } from "./kept-list.ts";
import { LinkError, unless } from "./link.ts";
import { EMPTY, fetchList, type Listing, markedIn } from "./lists.ts";
import { NO_PARAM_HEADERS, type ParamHeaders } from "./mirror.ts";
import { type ReplyTo, replied } from "./reply-to.ts";
import type { SharedProcess } from "./shared-process.ts";
import type { Snapshots } from "./snapshots.ts";
import { type Topic, topicOf } from "./topic.ts";
import type {
	Call,
	Item,
	ListKind,
	Reply,
	ServerFacts,
	Upstream,
	UpstreamEvent,
} from "./upstream.ts";
import { createWatches, type Watches } from "./watches.ts";

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

/** What all upstreams share. */
export type LifeDeps = {
	readonly dial: Dial;
	readonly clock: Clock;
	readonly log: Log;
	readonly snapshots: Pick<Snapshots, "find" | "keep">;
	/** Makes room for one more process. @throws SallyportError `unavailable` when there is none */
	readonly admit: () => Promise<void>;
	/** What the lists of one say, or for how long they hold, may be otherwise now. */
	readonly onChange: () => void;
};

/** Without progress or an answer for this long, a call has failed. */
const CALL_TIMEOUT_MS = 15 * 60_000;
/** `tasks/result` waits for the whole task. */
const TASK_TIMEOUT_MS = 24 * 3600_000;
const CALLS_MAX = 512;
/** How long after it woke a server is asked whether its lists are as they were, if nobody wants one sooner. */
const SERVED_FIRST_MS = 250;
/** Tools of one list that are named in the log for being left out. */
const FAULTY_MAX = 20;

type Listener = Parameters<Upstream["subscribe"]>[0];

/** An upstream that sleeps until it is asked. */
export function createUpstream(
	deps: LifeDeps,
	place: Omit<Dialled, "memory">,
): LivingUpstream {
	return new Life(deps, place);
}

/** A class, because there is one for each server and identity, and most of them rest. */
class Life implements LivingUpstream, Dialled, Asked {
	readonly server: Server;
	readonly identity: string;
	readonly capabilities: string;
	readonly process: SharedProcess;
	readonly memory: Memory = { legacy: false, sse: false };
	readonly #deps: LifeDeps;
	readonly #backOff = new BackOff();
	readonly #closing = new Abort();
	readonly #lists: { [kind in ListKind]?: KeptList } = {};
	#listeners: readonly Listener[] = [];
	/** Made for the first who watches something. */
	#watches: Watches | null = null;
	#connecting: Promise<Connection> | null = null;
	#connection: Connection | null = null;
	#facts: ServerFacts | null = null;
	#lastError: string | null = null;
	/** Calls and other work that keep it awake. */
	#open = 0;
	#usedMs: number;
	#keptUntilMs = 0;
	#reviving = false;
	/** The end of the connection that was put to sleep last. */
	#asleep: Promise<void> | null = null;

	constructor(deps: LifeDeps, place: Omit<Dialled, "memory">) {
		this.#deps = deps;
		this.server = place.server;
		this.identity = place.identity;
		this.capabilities = place.capabilities;
		this.process = place.process;
		this.#usedMs = deps.clock.nowMs();
		this.#recall();
	}

	get isProcess(): boolean {
		return this.server.transport.kind !== "http";
	}

	facts(signal?: Abortable): Promise<ServerFacts> {
		return this.#connection
			? Promise.resolve(this.#connection.facts)
			: this.#awake(() => unless(signal, this.#connect())).then(
					(live) => live.facts,
				);
	}

	liveFacts(): ServerFacts | null {
		return this.#connection?.facts ?? null;
	}

	knownFacts(): ServerFacts | null {
		return this.#facts;
	}

	async list(kind: ListKind, signal?: Abortable): Promise<readonly Item[]> {
		const known = this.knownList(kind);
		return known ?? (await unless(signal, this.#refresh(kind))).items;
	}

	knownList(kind: ListKind): readonly Item[] | null {
		const kept = this.#lists[kind];
		return kept?.fresh(this.#isAwake(), this.#nowMs())?.items ?? null;
	}

	lastList(kind: ListKind): readonly Item[] | null {
		return this.#lists[kind]?.last?.items ?? null;
	}

	miss(kind: ListKind): void {
		this.#kept(kind).isMissed = true;
	}

	isMissed(kind: ListKind): boolean {
		return this.#lists[kind]?.isMissed ?? false;
	}

	holdsForMs(kind: ListKind): number {
		const kept = this.#lists[kind];
		return kept?.holdsForMs(this.#isAwake(), this.#nowMs()) ?? 0;
	}

	send(call: Call, to: ReplyTo): void {
		try {
			this.#enter();
		} catch (error) {
			to.onFailure(error);
			return;
		}
		new Attempts(this, call, to).begin();
	}

	request(call: Call): Promise<Reply> {
		return replied((to) => this.send(call, to));
	}

	notify(method: string, params: Bytes | null): Promise<void> {
		return this.#awake(async () =>
			(await this.#connect()).notify(method, params),
		);
	}

	subscribe(listener: Listener): () => void {
		this.#listeners = [...this.#listeners, listener];
		return () => {
			this.#listeners = this.#listeners.filter((each) => each !== listener);
		};
	}

	watch(topic: Topic, signal?: Abortable): Promise<() => void> {
		this.#watches ??= this.#createWatches();
		const watches = this.#watches;
		return this.#awake(() =>
			watches.add(topic, signal).catch((error: unknown) => {
				throw named(this.server, error);
			}),
		);
	}

	keepAwake(ms: number): void {
		this.#keptUntilMs = Math.max(this.#keptUntilMs, this.#nowMs() + ms);
	}

	state(): "asleep" | "starting" | "ready" | "failed" {
		if (this.#connection) return "ready";
		if (this.#connecting) return "starting";
		return this.#lastError === null ? "asleep" : "failed";
	}

	lastError(): string | null {
		return this.#lastError;
	}

	logs(): readonly string[] {
		return this.process.lines.list();
	}

	restingSinceMs(): number | null {
		const rests =
			this.#open === 0 &&
			!this.#isWatched() &&
			this.#nowMs() >= this.#keptUntilMs;
		return rests ? this.#usedMs : null;
	}

	idleSinceMs(): number | null {
		return this.isProcess && this.#connection ? this.restingSinceMs() : null;
	}

	async sleep(): Promise<void> {
		const live = this.#connection;
		this.#use(null);
		if (live) this.#asleep = live.close();
		await this.#asleep;
	}

	async close(): Promise<void> {
		this.#closing.abort();
		this.#listeners = [];
		const live = this.#connection;
		this.#use(null);
		await Promise.all([live?.close(), this.#asleep]);
		await this.#connecting?.catch(() => {}); // it was told to end, and says so
	}

	/** Sends a call on the connection there is. @throws when it cannot be put into words */
	attempt(call: Call, to: ReplyTo): void {
		const live = this.#connection;
		const headers = live && this.#paramHeaders(live, call);
		if (!live || !headers || headers instanceof Promise)
			void this.#attemptLater(call, to);
		else live.send(call, timeoutOf(call), headers, to);
	}

	onEnd(error: unknown): void {
		this.#leave();
		if (error === null) this.#lastError = null;
		else if (error instanceof SallyportError && error.code === "upstream")
			this.#lastError = error.message;
	}

	async #attemptLater(call: Call, to: ReplyTo): Promise<void> {
		try {
			const live =
				this.#connection ?? (await unless(call.signal, this.#connect()));
			const headers = await this.#paramHeaders(live, call);
			live.send(call, timeoutOf(call), headers, to);
		} catch (error) {
			to.onFailure(error);
		}
	}

	/** What of a tool's arguments travels as headers; found out by listing the tools, once. */
	#paramHeaders(
		{ facts }: Connection,
		call: Call,
	): ParamHeaders | Promise<ParamHeaders> {
		if (
			facts.era === "legacy" ||
			call.method !== "tools/call" ||
			this.isProcess
		)
			return NO_PARAM_HEADERS;
		const known = this.#lists.tools?.last;
		return known ? markedIn(known, call) : this.#findMarked(call);
	}

	async #findMarked(call: Call): Promise<ParamHeaders> {
		const listed = unless(call.signal, this.#refresh("tools"));
		return markedIn(await listed.catch(() => EMPTY), call);
	}

	#connect(): Promise<Connection> {
		if (this.#connection) return Promise.resolve(this.#connection);
		if (this.#connecting) return this.#connecting;
		if (this.#closing.aborted) return Promise.reject(closed());
		const waitMs = this.#backOff.waitMs(this.#nowMs());
		if (waitMs > 0)
			return Promise.reject(
				backingOff(this.server, this.#lastError ?? "", waitMs),
			);
		this.#connecting = this.#dial()
			.then((fresh) => {
				this.#settle(fresh);
				return fresh;
			})
			.finally(() => {
				this.#connecting = null;
			});
		return this.#connecting;
	}

	async #dial(): Promise<Connection> {
		const { admit, dial } = this.#deps;
		if (this.isProcess && !this.process.runs()) await admit();
		let fresh: Connection;
		try {
			fresh = await dial(this, (event) => this.#hear(event), this.#closing);
		} catch (error) {
			if (this.#closing.aborted) throw closed();
			this.#fail(describeError(error), 0);
			throw named(this.server, error);
		}
		if (this.#closing.aborted) {
			await fresh.close();
			throw closed();
		}
		return fresh;
	}

	#settle(fresh: Connection): void {
		const sinceMs = this.#nowMs();
		const before = this.#facts;
		this.#use(fresh);
		this.#facts = fresh.facts;
		if (!Bun.deepEquals(before, fresh.facts)) this.#remember();
		this.#lastError = null;
		void fresh.closed.then((reason) => {
			if (this.#connection !== fresh) return; // we closed it ourselves
			this.#use(null);
			this.#fail(reason, this.#nowMs() - sinceMs);
			void this.#revive();
		});
		fresh.listen();
		this.#watches?.renew(fresh);
		const doubted = Object.entries(this.#lists).map(([kind, kept]) => {
			kept.expire();
			return { kind: kind as ListKind, kept, before: kept.last };
		});
		// Whoever woke it is served first: many servers do one thing after the other.
		void delay(SERVED_FIRST_MS, this.#closing).then(() => {
			if (this.#connection !== fresh) return;
			for (const { kind, kept, before } of doubted)
				if (before && kept.last === before) this.#refreshBeside(kind);
		});
	}

	#use(next: Connection | null): void {
		this.#connection = next;
		this.#deps.onChange();
	}

	#fail(reason: string, livedMs: number): void {
		const pause = this.#backOff.fail(livedMs, this.#nowMs());
		this.#lastError = reason;
		this.#deps.log.warn("upstream failed", {
			slug: this.server.slug,
			reason,
			attempt: this.#backOff.failures,
			delay_ms: pause,
		});
	}

	/** Who watches asks nothing, and hears nothing from a server that is gone: it is dialled until it is back. */
	async #revive(): Promise<void> {
		if (this.#reviving) return;
		this.#reviving = true;
		while (this.#isWatched() && !this.#connection && !this.#closing.aborted) {
			const waitMs = this.#backOff.waitMs(this.#nowMs());
			await delay(Math.max(1, waitMs), this.#closing);
			await this.#connect().catch(expected); // it is tried again
		}
		this.#reviving = false;
	}

	#createWatches(): Watches {
		return createWatches({
			connect: () => this.#connect(),
			onDoubt: (topic) => {
				const uri = topicOf("resource", topic);
				if (uri !== null) this.#tell({ type: "resource_updated", uri });
			},
			onLost: ({ message: reason }) =>
				this.#deps.log.warn("watch failed", { slug: this.server.slug, reason }),
		});
	}

	#isWatched(): boolean {
		return this.#watches?.any() ?? false;
	}

	#hear(event: UpstreamEvent): void {
		if (event.type === "list_changed") {
			this.#lists[event.list]?.change();
			this.#deps.onChange();
		}
		this.#tell(event);
	}

	#tell(event: UpstreamEvent): void {
		for (const listener of this.#listeners) listener(event, this);
	}

	#kept(kind: ListKind): KeptList {
		const kept = this.#lists[kind] ?? new KeptList();
		this.#lists[kind] = kept;
		return kept;
	}

	/** What was listed before may be otherwise now; whoever listens hears of it only if it is. */
	#refreshBeside(kind: ListKind): void {
		this.#refresh(kind).catch((error: unknown) => {
			expected(error);
			this.#deps.log.warn("list failed", {
				slug: this.server.slug,
				reason: error.message,
			});
		});
	}

	#refresh(kind: ListKind): Promise<Listing> {
		const kept = this.#kept(kind);
		kept.asking ??= this.#awake(() => this.#ask(kind, kept)).finally(() => {
			kept.asking = null;
		});
		return kept.asking;
	}

	async #ask(kind: ListKind, kept: KeptList): Promise<Listing> {
		const live = await this.#connect();
		const since = kept.changes;
		const mirrors = !this.isProcess && live.facts.era === "modern";
		const listing = await fetchList(live, kind, mirrors, this.#closing);
		this.#warnOfFaulty(listing, kept.last ?? EMPTY);
		const before = kept.last;
		const isNews = kept.take(listing, since, this.#nowMs());
		if (!before || isNews) this.#remember();
		this.#deps.onChange();
		if (isNews) this.#tell({ type: "list_changed", list: kind });
		return listing;
	}

	/** What it said to an earlier gateway holds until it wakes. */
	#recall(): void {
		const found = this.#deps.snapshots.find(this);
		if (!found) return;
		this.#facts = found.facts;
		for (const [kind, listing] of Object.entries(found.lists))
			this.#kept(kind as ListKind).last = listing;
		// A package stays what it is. Behind a command there may be a newer program, so it is looked at beside.
		if (this.server.transport.kind === "npm")
			this.memory.legacy = found.facts.era === "legacy";
		else setImmediate(() => void this.facts().catch(expected));
	}

	/** Keeps what it says for a later one. */
	#remember(): void {
		const facts = this.#facts;
		if (!facts) return;
		const lists = Object.entries(this.#lists).flatMap(([kind, { last }]) =>
			last ? [[kind, last] as const] : [],
		);
		this.#deps.snapshots.keep(this, {
			facts,
			lists: Object.fromEntries(lists),
		});
	}

	/** Tools that are left out are said once, and again when they are others (2026-07-28, streamable HTTP: SHOULD). */
	#warnOfFaulty({ faulty }: Listing, before: Listing): void {
		if (Bun.deepEquals(faulty, before.faulty)) return;
		for (const tool of faulty.slice(0, FAULTY_MAX))
			this.#deps.log.warn("tool left out", {
				slug: this.server.slug,
				tool,
				reason: "an x-mcp-header mark in its schema is not valid",
				count: faulty.length,
			});
	}

	/** Does work that keeps the upstream awake. */
	async #awake<T>(work: () => Promise<T>): Promise<T> {
		this.#enter();
		try {
			return await work();
		} finally {
			this.#leave();
		}
	}

	/** Begins such work. @throws SallyportError `too_many` */
	#enter(): void {
		if (this.#open >= CALLS_MAX)
			throw new SallyportError(
				"too_many",
				`${this.server.slug} has too many open calls`,
				{ hint: "try again in a moment" },
			);
		this.#open++;
	}

	/** Ends it. Only whoever has nothing to do rests, so the time is read for the last one alone. */
	#leave(): void {
		if (--this.#open === 0) this.#usedMs = this.#nowMs();
	}

	#isAwake(): boolean {
		return this.#connection !== null;
	}

	#nowMs(): number {
		return this.#deps.clock.nowMs();
	}
}

/** A failure of the server, which was logged; anything else is ours. */
function expected(error: unknown): asserts error is SallyportError {
	if (!(error instanceof SallyportError)) throw error;
}

function timeoutOf({ method }: Call): number {
	return method === "tasks/result" ? TASK_TIMEOUT_MS : CALL_TIMEOUT_MS;
}

function closed(): LinkError {
	return new LinkError("final", "the server was changed or removed", {
		code: "unavailable",
		hint: "try again",
	});
}
