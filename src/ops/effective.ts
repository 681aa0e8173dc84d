/**
 * What one caller sees at one endpoint right now, and what they do not see and why: the same views and shapes that
 * answer clients, asked aloud.
 */
import type { Caller } from "../caller.ts";
import { SallyportError } from "../errors.ts";
import { tokensOf } from "../mcp/cost.ts";
import { isSelected } from "../mcp/lists.ts";
import { clientName } from "../mcp/names.ts";
import { type Entry, REASONS } from "../mcp/shape.ts";
import { type Selected, slugOf, type View, viewOf } from "../mcp/view.ts";
import { mayUse, type Server } from "../store/servers.ts";
import { type Shelves, shapeNow } from "./tools.ts";

/** A tool of an endpoint, as its client sees it or would. */
export type EffectiveTool = {
	readonly server: string;
	/** The server's own name. */
	readonly name: string;
	/** The name at this endpoint. */
	readonly shownAs: string;
	/** As the client shows it to its model. */
	readonly clientName: string;
	readonly tokens: number;
	readonly shown: boolean;
	/** What hides it, in words; null when it is shown. */
	readonly why: string | null;
};

export type Effective = {
	/** `/mcp` or `/mcp/<slug>`. */
	readonly endpoint: string;
	/** Whether there is anything there for this caller. */
	readonly open: boolean;
	readonly tools: readonly EffectiveTool[];
	/** Servers of which nothing is shown, and why. */
	readonly hiddenServers: readonly {
		readonly server: string;
		readonly why: string;
	}[];
	/** Estimated tokens of what is shown. */
	readonly tokens: number;
};

/** The effective list of a caller at `/mcp` (slug null) or `/mcp/<slug>`. */
export async function effectiveTools(
	shelves: Shelves,
	caller: Caller,
	slug: string | null,
	signal: AbortSignal,
): Promise<Effective> {
	const { directory } = shelves;
	const view = viewOf(directory, caller, slug);
	const endpoint = slug === null ? "/mcp" : `/mcp/${slug}`;
	const hiddenServers = absentServers(shelves, caller, slug, view);
	if (!view)
		return { endpoint, open: false, tools: [], hiddenServers, tokens: 0 };
	const perServer = await Promise.all(
		view.servers.map(async (server) => {
			try {
				const { all } = await shapeNow(
					shelves,
					server.slug,
					"tools",
					caller.userId,
					signal,
				);
				return all.map((entry) => viewEntry(view, server, entry));
			} catch (error) {
				if (!(error instanceof SallyportError)) throw error;
				hiddenServers.push({ server: server.slug, why: error.message });
				return [];
			}
		}),
	);
	const tools = perServer.flat();
	return {
		endpoint,
		open: true,
		tools,
		hiddenServers,
		tokens: tools.reduce(
			(sum, { shown, tokens }) => sum + (shown ? tokens : 0),
			0,
		),
	};
}

function viewEntry(view: View, server: Server, entry: Entry): EffectiveTool {
	const reason =
		entry.hidden ?? (isSelected(view, server, entry) ? null : "toolset");
	const shownAs = view.only ? entry.name : entry.exposed;
	return {
		server: server.slug,
		name: entry.key,
		shownAs,
		clientName: clientName(slugOf(view), shownAs),
		tokens: tokensOf(entry.bytes),
		shown: reason === null,
		why: reason && REASONS[reason],
	};
}

/** The servers that are not in the view at all. At a server's own endpoint only that one is of interest. */
function absentServers(
	{ directory }: Shelves,
	caller: Caller,
	slug: string | null,
	view: View | null,
): { server: string; why: string }[] {
	const toolset = slug === null ? null : directory.toolset(slug);
	const there = new Set(view?.servers.map(({ id }) => id));
	return directory
		.servers()
		.filter(
			(server) =>
				!there.has(server.id) &&
				(slug === null || toolset !== null || server.slug === slug),
		)
		.map((server) => ({
			server: server.slug,
			why: whyAbsent(server, caller, slug, toolset),
		}));
}

function whyAbsent(
	server: Server,
	caller: Caller,
	slug: string | null,
	toolset: Selected | null,
): string {
	if (!server.enabled) return "the server is disabled";
	if (!mayUse(server, caller)) return "this person may not use the server";
	if (toolset && !mayUse(toolset, caller))
		return "this person may not use the toolset";
	if (toolset && !toolset.tools.has(server.id))
		return "the toolset does not have the server";
	return slug === null
		? "the client was not allowed this server"
		: "the client was not allowed this endpoint";
}
