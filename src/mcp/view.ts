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
import { NO_CAPABILITIES } from "./capabilities.ts";

export type View = {
	readonly caller: Caller;
	/** The one server of `/mcp/<slug>`, whose names are untouched; null at `/mcp`, where every name has a prefix. */
	readonly only: Server | null;
	/** What the calling client can be asked, in canonical JSON. */
	readonly capabilities: string;
	/** The era of the tasks that the client can be handed; null: none. */
	readonly tasks: Era | null;
	/** Enabled servers, by slug. */
	readonly servers: readonly Server[];
};

export type Directory = {
	/** Every server by slug, enabled or not. */
	readonly servers: () => readonly Server[];
	readonly server: (slug: string) => Server | null;
	/** Forgets what was read: the rows changed. */
	readonly refresh: () => void;
};

export function createDirectory(db: Database): Directory {
	let known: readonly Server[] | null = null;
	const servers = (): readonly Server[] => {
		known ??= [...listServers(db)].sort((a, b) => (a.slug < b.slug ? -1 : 1));
		return known;
	};
	return {
		servers,
		server: (slug) => servers().find((server) => server.slug === slug) ?? null,
		refresh: () => {
			known = null;
		},
	};
}

/** The view of a caller at `/mcp` (slug null) or `/mcp/<slug>`; null when there is nothing there for them. */
export function viewOf(
	directory: Directory,
	caller: Caller,
	slug: string | null,
	capabilities: string = NO_CAPABILITIES,
): View | null {
	const usable = (server: Server): boolean =>
		server.enabled && inScope(server, caller) && mayUse(server, caller);
	if (slug === null)
		return {
			caller,
			only: null,
			capabilities,
			tasks: null,
			servers: directory.servers().filter(usable),
		};
	const server = directory.server(slug);
	return server && usable(server)
		? { caller, only: server, capabilities, tasks: null, servers: [server] }
		: null;
}

function inScope(server: Server, { scopes }: Caller): boolean {
	return scopes.includes("mcp") || scopes.includes(`mcp:${server.slug}`);
}
