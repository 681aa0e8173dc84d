/**
 * The lists of many servers as one: fetched side by side, merged in a stable order, kept as prepared bytes.
 *
 * A merged list is prepared once for each caller and endpoint and stays good while every server's own list is the
 * same array (an upstream keeps its list until it changes). That is looked at again only when anything may have changed
 * or the first of them has grown old, so that a warm answer costs the same however many servers there are.
 * A server that is dead or slow costs its own entries and never the others'.
 */
import type { Abortable } from "../abort.ts";
import { join } from "../assembly.ts";
import type { Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import type { Log } from "../log.ts";
import { type Bytes, withoutMember } from "../message.ts";
import type { Server } from "../store/servers.ts";
import { withoutBadMarks } from "../upstream/mirror.ts";
import { NeedsPerson } from "../upstream/needs-person.ts";
import { runsTasks, withoutTasks } from "../upstream/tasks.ts";
import {
	type Item,
	LISTS,
	type ListKind,
	type ServerFacts,
	type Upstream,
} from "../upstream/upstream.ts";
import { exposeItem } from "./exposure.ts";
import { splitName } from "./names.ts";
import { READ_MORE_NAMES, readMoreTool, resultLimit } from "./results.ts";
import { EMPTY_SHAPE, type Entry, type Shape, type Shapes } from "./shape.ts";
import { withObjectOutput } from "./structured.ts";
import { serverIn, slugOf, type View } from "./view.ts";

/** How long a list waits for its slowest server; a later one arrives by `list_changed`. */
const LIST_DEADLINE_MS = 10_000;
/** The same for one that was waited for in vain: until it comes it costs nobody the whole wait again. */
const MISSED_DEADLINE_MS = 500;
/** How long a client may keep a list at most; it may hear of a change sooner. */
export const LIST_TTL_MS = 30_000;
/** How often calls may have a list asked for that has grown old. */
const RENEW_MS = 30_000;
/** Prepared lists kept; the oldest goes first. */
const PREPARED_MAX = 2000;

export type Lists = {
	/** A list as this view shows it; at once where no server must be asked. */
	readonly merged: (view: View, kind: ListKind) => Merged | Promise<Merged>;
	/** What the view's tool that reads on is called; null when it has none. */
	readonly readMoreName: (view: View) => Promise<string | null>;
	/** One server's list, or an empty one when it cannot be had now. */
	readonly of: (view: View, server: Server, kind: ListKind) => Promise<Shape>;
	/**
	 * One server's list for a call that needs it, as it was last known: a call waits for it only the first time.
	 * @throws SallyportError when it cannot be had
	 */
	readonly forCall: (
		view: View,
		server: Server,
		kind: ListKind,
		signal: Abortable,
	) => Shape | Promise<Shape>;
};

export type Merged = {
	/** An object with one member, which is named as the list is. */
	readonly bytes: Bytes;
	/** How long it is good for: as long as the shortest of what it was made of. */
	readonly ttlMs: number;
};

/** One server's part of a list, and until when it holds. */
type Source = { readonly shape: Shape; readonly untilMs: number };

type Prepared = {
	readonly sources: readonly Shape[];
	readonly toolset: View["toolset"];
	readonly bytes: Bytes;
};

/** A prepared list that every server of a view was found to bear out, until anything changes. */
type Standing = {
	readonly list: Prepared;
	/** The changes of all upstreams until then. */
	readonly changes: number;
	readonly untilMs: number;
};

export function createLists(deps: {
	readonly upstreamOf: (view: View, server: Server) => Upstream;
	/** Grows whenever what any upstream says of its lists may have changed, or one could be made that could not. */
	readonly changes: () => number;
	readonly shapes: Shapes;
	readonly clock: Clock;
	readonly log: Log;
}): Lists {
	const { upstreamOf, shapes } = deps;
	const prepared = new Map<string, Prepared>();
	/** The same by views, which hold until the servers' rows change. */
	const standing = new WeakMap<View, Map<ListKind, Standing>>();
	const renewedMs = new WeakMap<Server, Map<string, number>>();

	const skipped = (server: Server, kind: ListKind, error: unknown): Shape => {
		if (!(error instanceof SallyportError)) throw error;
		// Nobody who runs the gateway can do anything about it, and its person is told elsewhere.
		if (error instanceof NeedsPerson) return EMPTY_SHAPE;
		deps.log.warn("list skipped", {
			slug: server.slug,
			method: kind,
			reason: error.message,
		});
		return EMPTY_SHAPE;
	};

	const untilMs = (ms: number): number => deps.clock.nowMs() + ms;

	/** The list as it is known now; null when its server must be asked. */
	const known = (view: View, server: Server, kind: ListKind): Source | null => {
		try {
			const upstream = upstreamOf(view, server);
			const items = upstream.knownList(kind);
			return (
				items && {
					shape: shapes.of(server, kind, items),
					untilMs: untilMs(upstream.holdsForMs(kind)),
				}
			);
		} catch (error) {
			return {
				shape: skipped(server, kind, error),
				untilMs: untilMs(LIST_TTL_MS),
			};
		}
	};

	const of: Lists["of"] = async (view, server, kind) => {
		let upstream: Upstream | null = null;
		try {
			upstream = upstreamOf(view, server);
			const deadlineMs = upstream.isMissed(kind)
				? MISSED_DEADLINE_MS
				: LIST_DEADLINE_MS;
			const items =
				upstream.knownList(kind) ??
				(await inTime(upstream.list(kind), deadlineMs));
			return shapes.of(server, kind, items);
		} catch (error) {
			upstream?.miss(kind);
			return skipped(server, kind, error);
		}
	};

	const forCall: Lists["forCall"] = (view, server, kind, signal) => {
		const upstream = upstreamOf(view, server);
		const last = upstream.lastList(kind);
		if (!last) return firstShape(upstream, server, kind, signal);
		if (!upstream.knownList(kind)) renew(upstream, server, kind);
		return shapes.of(server, kind, last);
	};
	const firstShape = async (
		upstream: Upstream,
		server: Server,
		kind: ListKind,
		signal: Abortable,
	): Promise<Shape> =>
		shapes.of(server, kind, await upstream.list(kind, signal));

	/** Asks for a list anew, beside the call: what has changed is judged when it has come. */
	const renew = (upstream: Upstream, server: Server, kind: ListKind): void => {
		const nowMs = deps.clock.nowMs();
		const key = `${kind} ${upstream.identity} ${upstream.capabilities}`;
		const times = renewedMs.get(server) ?? new Map<string, number>();
		renewedMs.set(server, times);
		// A server whose lists hold for no time at all is not asked at each call.
		if (nowMs - (times.get(key) ?? Number.NEGATIVE_INFINITY) < RENEW_MS) return;
		times.set(key, nowMs);
		upstream
			.list(kind)
			.then((items) => shapes.of(server, kind, items))
			.catch((error: unknown) => skipped(server, kind, error));
	};

	const readMoreName: Lists["readMoreName"] = async (view) => {
		if (view.servers.every((server) => resultLimit(view, server) === null))
			return null;
		for (const name of READ_MORE_NAMES)
			if (!(await isTaken(view, name))) return name;
		return null;
	};

	/** Whether a server of the view has a tool of that name: only the one that the name says can. */
	const isTaken = async (view: View, name: string): Promise<boolean> => {
		const slug = splitName(name)?.slug;
		const owner = view.only ?? serverIn(view, slug);
		if (!owner) return false;
		const signal = AbortSignal.timeout(LIST_DEADLINE_MS);
		try {
			const shape = await forCall(view, owner, "tools", signal);
			return (view.only ? shape.named : shape.exposed).has(name);
		} catch (error) {
			skipped(owner, "tools", error);
			return false;
		}
	};

	const sourceOf = async (
		view: View,
		server: Server,
		kind: ListKind,
	): Promise<Source> => {
		const shape = await of(view, server, kind);
		return {
			shape,
			untilMs: untilMs(
				shape === EMPTY_SHAPE
					? LIST_TTL_MS
					: upstreamOf(view, server).holdsForMs(kind),
			),
		};
	};

	/** The list as it was prepared, where every server's part is still the same. */
	const warm = (
		view: View,
		kind: ListKind,
		list: Prepared | undefined,
	): Standing | null => {
		if (!list) return null;
		const changes = deps.changes();
		const sources: Source[] = [];
		for (const server of view.servers) {
			const source = known(view, server, kind);
			if (!source) return null;
			sources.push(source);
		}
		return isMadeOf(list, view, sources)
			? { list, changes, untilMs: endOf(sources) }
			: null;
	};

	const answer = (list: Prepared, until: number): Merged => ({
		bytes: list.bytes,
		ttlMs: Math.max(0, Math.min(LIST_TTL_MS, until - deps.clock.nowMs())),
	});

	const merged: Lists["merged"] = (view, kind) => {
		const last = standing.get(view)?.get(kind);
		return last &&
			last.changes === deps.changes() &&
			deps.clock.nowMs() < last.untilMs
			? answer(last.list, last.untilMs)
			: found(view, kind);
	};

	const found = (view: View, kind: ListKind): Merged | Promise<Merged> => {
		const key = [
			view.caller.userId,
			slugOf(view),
			view.caller.scopes,
			view.capabilities,
			view.tasks,
			kind,
		].join(" ");
		const fresh = warm(view, kind, prepared.get(key));
		if (!fresh) return merge(view, kind, key);
		const lists = standing.get(view) ?? new Map<ListKind, Standing>();
		standing.set(view, lists.set(kind, fresh));
		return answer(fresh.list, fresh.untilMs);
	};

	const merge = async (
		view: View,
		kind: ListKind,
		key: string,
	): Promise<Merged> => {
		const asked = await Promise.all(
			view.servers.map(
				(server) => known(view, server, kind) ?? sourceOf(view, server, kind),
			),
		);
		const last = prepared.get(key);
		// A server that cannot be asked has the whole list asked for again each time, and it is the same each time.
		if (last && isMadeOf(last, view, asked)) return answer(last, endOf(asked));
		const more = kind === "tools" ? await readMoreName(view) : null;
		const list: Prepared = {
			sources: asked.map(({ shape }) => shape),
			toolset: view.toolset,
			bytes: prepare(view, kind, asked, more, (server) =>
				carriesTasks(view, upstreamOf(view, server).knownFacts()),
			),
		};
		prepared.delete(key);
		prepared.set(key, list);
		if (prepared.size > PREPARED_MAX)
			prepared.delete(prepared.keys().next().value as string);
		return answer(list, endOf(asked));
	};

	return { merged, readMoreName, of, forCall };
}

function isMadeOf(
	list: Prepared,
	{ toolset }: View,
	sources: readonly Source[],
): boolean {
	return (
		list.toolset === toolset &&
		list.sources.length === sources.length &&
		sources.every(({ shape }, at) => shape === list.sources[at])
	);
}

/** A list holds as long as the part that holds the shortest. */
function endOf(sources: readonly Source[]): number {
	return Math.min(...sources.map(({ untilMs }) => untilMs));
}

/** Whether the client and the server have the same kind of tasks. */
export function carriesTasks(view: View, facts: ServerFacts | null): boolean {
	return facts !== null && view.tasks === facts.era && runsTasks(facts);
}

function prepare(
	view: View,
	kind: ListKind,
	sources: readonly Source[],
	more: string | null,
	hasTasks: (server: Server) => boolean,
): Bytes {
	const listed = sources.flatMap(({ shape: { shown } }, index) => {
		const server = view.servers[index] as Server;
		const asItIs = kind !== "tools" || shown.length === 0 || hasTasks(server);
		return shown
			.filter((entry) => kind !== "tools" || isSelected(view, server, entry))
			.flatMap((entry) => {
				const item = asItIs ? entry : withoutTasks(entry);
				return item ? { ...entry, bytes: promised(view, kind, item) } : [];
			})
			.map((entry) =>
				kind === "tools"
					? { ...entry, bytes: toolFor(view, entry.bytes) }
					: entry,
			)
			.map((entry) =>
				view.only ? entry.bytes : exposeItem(server.slug, kind, entry),
			);
	});
	const entries = more === null ? listed : [...listed, readMoreTool(more)];
	return join([
		`{"${LISTS[kind].member}":[`,
		...entries.flatMap((entry, index) =>
			index === 0 ? [entry] : [",", entry],
		),
		"]}",
	]);
}

/** A tool as it can be promised: where results may be cut, none has a schema. */
function promised(view: View, kind: ListKind, { bytes }: Item): Bytes {
	return kind === "tools" && view.toolset?.resultBytesMax
		? withoutMember(bytes, "outputSchema")
		: bytes;
}

/** A tool in the words of the client's era. */
function toolFor({ tasks }: View, tool: Bytes): Bytes {
	return tasks === "modern" ? withoutBadMarks(tool) : withObjectOutput(tool);
}

/** Whether the toolset of a view has a tool; where there is none, every tool is. */
export function isSelected(
	{ toolset }: View,
	server: Server,
	{ key }: Pick<Entry, "key">,
): boolean {
	return toolset?.tools.get(server.id)?.has(key) ?? true;
}

/** Gives up waiting, not the work: the list may still arrive in the upstream's cache. */
async function inTime<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
	const late = Promise.withResolvers<never>();
	const timer = setTimeout(
		() =>
			late.reject(
				new SallyportError("upstream", "the server took too long to list"),
			),
		deadlineMs,
	);
	try {
		return await Promise.race([work, late.promise]);
	} finally {
		clearTimeout(timer);
	}
}
