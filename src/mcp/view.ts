/**
 * What one caller sees at one endpoint: the servers they may use, in a stable order.
 *
 * The scope is the filter: what is outside it is unknown, not forbidden. The directory is the one cache of server
 * rows; whoever changes them says so with `refresh`.
 */
import type { Caller } from "../caller.ts";
import type { Era } from "../protocol.ts";
import type { Database } from "../store/database.ts";
import { listServers, mayUse, type Server } from "../store/servers.ts";
import { listToolsets, type Toolset } from "../store/toolsets.ts";
import { NO_CAPABILITIES } from "./capabilities.ts";

export type View = {
	readonly caller: Caller;
	/** The one server of `/mcp/<slug>`, whose names have no prefix; null where there are several. */
	readonly only: Server | null;
	/** The toolset of `/mcp/<slug>`; null anywhere else. */
	readonly toolset: Selected | null;
	/** What the calling client can be asked, in canonical JSON. */
	readonly capabilities: string;
	/** The era of the tasks that the client can be handed; null: none. */
	readonly tasks: Era | null;
	/** Enabled servers, by slug. */
	readonly servers: readonly Server[];
};

/** A toolset, ready to be asked. */
export type Selected = Toolset & {
	/** The tools of each server, by the server's own names; null: all. */
	readonly tools: ReadonlyMap<string, ReadonlySet<string> | null>;
};

export type Directory = {
	/** Every server by slug, enabled or not. */
	readonly servers: () => readonly Server[];
	readonly server: (slug: string) => Server | null;
	readonly toolset: (slug: string) => Selected | null;
	/** Views by caller and slug, which are good until the rows change: with many servers one is work to make. */
	readonly views: () => WeakMap<Caller, Map<string, View>>;
	/** Forgets what was read: the rows changed. */
	readonly refresh: () => void;
};

export function createDirectory(db: Database): Directory {
	let known: readonly Server[] | null = null;
	let selected: readonly Selected[] | null = null;
	let views: WeakMap<Caller, Map<string, View>> = new WeakMap();
	const servers = (): readonly Server[] => {
		known ??= [...listServers(db)].sort((a, b) => (a.slug < b.slug ? -1 : 1));
		return known;
	};
	const toolsets = (): readonly Selected[] => {
		selected ??= listToolsets(db).map((toolset) => ({
			...toolset,
			tools: new Map(
				toolset.servers.map(({ serverId, tools }) => [
					serverId,
					tools && new Set(tools),
				]),
			),
		}));
		return selected;
	};
	return {
		servers,
		server: (slug) => servers().find((server) => server.slug === slug) ?? null,
		toolset: (slug) =>
			toolsets().find((toolset) => toolset.slug === slug) ?? null,
		views: () => views,
		refresh: () => {
			views = new WeakMap();
			known = null;
			selected = null;
		},
	};
}

/** The view of a caller at `/mcp` (slug null) or `/mcp/<slug>`; null when there is nothing there for them. */
export function viewOf(
	directory: Directory,
	caller: Caller,
	slug: string | null,
): View | null {
	const views = directory.views();
	const own = views.get(caller);
	const known = own?.get(slug ?? "");
	if (known) return known;
	const made = makeView(directory, caller, slug);
	// Slugs that nobody has are not worth keeping, and there is no end of them.
	if (made && own) own.set(slug ?? "", made);
	else if (made) views.set(caller, new Map([[slug ?? "", made]]));
	return made;
}

function makeView(
	directory: Directory,
	caller: Caller,
	slug: string | null,
): View | null {
	const usable = (server: Server): boolean =>
		server.enabled && mayUse(server, caller);
	const shared = {
		caller,
		only: null,
		toolset: null,
		capabilities: NO_CAPABILITIES,
		tasks: null,
	};
	if (slug === null)
		return {
			...shared,
			servers: directory
				.servers()
				.filter(({ slug }) => inScope(slug, caller))
				.filter(usable),
		};
	if (!inScope(slug, caller)) return null;
	const server = directory.server(slug);
	if (server)
		return usable(server)
			? { ...shared, only: server, servers: [server] }
			: null;
	const toolset = directory.toolset(slug);
	// A toolset opens no server that its caller may not use anyway.
	return toolset && mayUse(toolset, caller)
		? {
				...shared,
				toolset,
				servers: directory
					.servers()
					.filter(({ id }) => toolset.tools.has(id))
					.filter(usable),
			}
		: null;
}

/** The views of clients, by the endpoint's own view and by what is added to it. */
const ofClients = new WeakMap<View, Map<string, View>[]>();
/** Clients are of a few kinds; one that is of a kind of its own costs a view at each call. */
const KINDS_MAX = 32;

/** A view with what the calling client can be asked and handed, made once for clients alike. */
export function viewOfClient(
	view: View,
	capabilities: string,
	tasks: Era | null,
): View {
	const known = ofClients.get(view) ?? noKinds(view);
	const kinds = known[KINDS_OF_TASKS.indexOf(tasks)] as Map<string, View>;
	const found = kinds.get(capabilities);
	if (found) return found;
	const own = { ...view, capabilities, tasks };
	if (kinds.size < KINDS_MAX) kinds.set(capabilities, own);
	return own;
}

const KINDS_OF_TASKS: readonly (Era | null)[] = [null, "legacy", "modern"];

function noKinds(view: View): Map<string, View>[] {
	const kinds = KINDS_OF_TASKS.map(() => new Map<string, View>());
	ofClients.set(view, kinds);
	return kinds;
}

/** The servers of a view by their slugs, found out once for as long as the view holds. */
const bySlug = new WeakMap<readonly Server[], ReadonlyMap<string, Server>>();

/** A server of the view; undefined for one that is not in it. */
export function serverIn(
	{ servers }: View,
	slug: string | undefined,
): Server | undefined {
	const known =
		bySlug.get(servers) ??
		new Map(servers.map((server) => [server.slug, server]));
	bySlug.set(servers, known);
	return slug === undefined ? undefined : known.get(slug);
}

/** The slug of a view's endpoint; null at `/mcp`. */
export function slugOf({ only, toolset }: View): string | null {
	return only?.slug ?? toolset?.slug ?? null;
}

function inScope(slug: string, { scopes }: Caller): boolean {
	return scopes.includes("mcp") || scopes.includes(`mcp:${slug}`);
}
