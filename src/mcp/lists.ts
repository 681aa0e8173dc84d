/**
 * The lists of many servers as one: fetched side by side, merged in a stable order, kept as prepared bytes.
 *
 * A merged list is prepared once for each caller and endpoint and stays good while every server's own list is the
 * same array (an upstream keeps its list until it changes), so that a warm answer costs a comparison per server.
 * A server that is dead or slow costs its own entries and never the others'.
 */
import { SallyportError } from "../errors.ts";
import type { Log } from "../log.ts";
import { type Bytes, join } from "../message.ts";
import type { Server } from "../store/servers.ts";
import { runsTasks, withoutTasks } from "../upstream/tasks.ts";
import type {
	Item,
	ListKind,
	ServerFacts,
	Upstream,
} from "../upstream/upstream.ts";
import { exposeItem } from "./exposure.ts";
import type { View } from "./view.ts";

/** How long a list waits for its slowest server; a later one arrives by `list_changed`. */
const LIST_DEADLINE_MS = 10_000;
/** Prepared lists kept; the oldest goes first. */
const PREPARED_MAX = 2000;

export type Lists = {
	/** The JSON array of a list as this view shows it. */
	readonly merged: (view: View, kind: ListKind) => Promise<Bytes>;
	/** One server's own list, or an empty one when it cannot be had now. */
	readonly of: (
		view: View,
		server: Server,
		kind: ListKind,
	) => Promise<readonly Item[]>;
};

type Prepared = {
	readonly sources: readonly (readonly Item[])[];
	readonly bytes: Bytes;
};

const NONE: readonly Item[] = [];

export function createLists(deps: {
	readonly upstreamOf: (view: View, server: Server) => Upstream;
	readonly log: Log;
}): Lists {
	const prepared = new Map<string, Prepared>();

	const of = async (
		view: View,
		server: Server,
		kind: ListKind,
	): Promise<readonly Item[]> => {
		try {
			const upstream = deps.upstreamOf(view, server);
			return upstream.knownList(kind) ?? (await inTime(upstream.list(kind)));
		} catch (error) {
			if (!(error instanceof SallyportError)) throw error;
			deps.log.warn("list skipped", {
				slug: server.slug,
				method: kind,
				reason: error.message,
			});
			return NONE;
		}
	};

	const merged = async (view: View, kind: ListKind): Promise<Bytes> => {
		const sources = await Promise.all(
			view.servers.map((server) => of(view, server, kind)),
		);
		const key = [
			view.caller.userId,
			view.only?.slug,
			view.caller.scopes,
			view.capabilities,
			view.tasks,
			kind,
		].join(" ");
		const known = prepared.get(key);
		if (known && same(known.sources, sources)) return known.bytes;
		const bytes = prepare(view, kind, sources, (server) =>
			carriesTasks(view, deps.upstreamOf(view, server).knownFacts()),
		);
		prepared.delete(key);
		prepared.set(key, { sources, bytes });
		if (prepared.size > PREPARED_MAX)
			prepared.delete(prepared.keys().next().value as string);
		return bytes;
	};

	return { merged, of };
}

/** Whether the client and the server have the same kind of tasks. */
export function carriesTasks(view: View, facts: ServerFacts | null): boolean {
	return facts !== null && view.tasks === facts.era && runsTasks(facts);
}

function prepare(
	view: View,
	kind: ListKind,
	sources: readonly (readonly Item[])[],
	hasTasks: (server: Server) => boolean,
): Bytes {
	const entries = sources.flatMap((items, index) => {
		const server = view.servers[index] as Server;
		const allowed = kind === "tools" ? server.tools : null;
		const whole =
			kind !== "tools" || items.length === 0 || hasTasks(server)
				? items
				: items.flatMap((item) => withoutTasks(item) ?? []);
		return whole
			.filter(({ key }) => allowed === null || allowed.includes(key))
			.map((item) =>
				view.only ? item.bytes : exposeItem(server.slug, kind, item),
			);
	});
	return join([
		"[",
		...entries.flatMap((entry, index) =>
			index === 0 ? [entry] : [",", entry],
		),
		"]",
	]);
}

function same(a: readonly unknown[], b: readonly unknown[]): boolean {
	return a.length === b.length && a.every((item, index) => item === b[index]);
}

/** Gives up waiting, not the work: the list may still arrive in the upstream's cache. */
async function inTime<T>(work: Promise<T>): Promise<T> {
	const late = Promise.withResolvers<never>();
	const timer = setTimeout(
		() =>
			late.reject(
				new SallyportError("upstream", "the server took too long to list"),
			),
		LIST_DEADLINE_MS,
	);
	try {
		return await Promise.race([work, late.promise]);
	} finally {
		clearTimeout(timer);
	}
}
