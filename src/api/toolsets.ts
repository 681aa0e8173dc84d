/**
 * `/api/mcp/toolsets`: named selections of servers and tools, each with an endpoint of its own; and
 * `/api/mcp/view`, what one person's client sees at an endpoint right now, and why not more.
 */
import * as z from "zod";
import { SallyportError } from "../errors.ts";
import { TOKEN_RULE } from "../mcp/cost.ts";
import { effectiveTools } from "../ops/effective.ts";
import {
	addToolset,
	changeToolset,
	removeToolset,
	selectionsOf,
} from "../ops/toolsets.ts";
import { listGrants } from "../store/grants.ts";
import { listServers, maySee } from "../store/servers.ts";
import {
	listToolsets,
	requireToolset,
	type Toolset,
	type ToolsetSettings,
	unknownToolset,
} from "../store/toolsets.ts";
import { readBody } from "./body.ts";
import {
	type Answer,
	type Ask,
	actorName,
	isAdmin,
	type Route,
} from "./route.ts";
import { accessField, resultLimitField, slugField } from "./server-body.ts";
import { accessOf } from "./server-plan.ts";
import { viewAccess } from "./server-view.ts";
import { slugOf } from "./servers.ts";
import { requireSubject, subjectOf } from "./subject.ts";

const SERVERS_MAX = 200;
const TOOLS_MAX = 1000;
const TITLE_LENGTH_MAX = 100;

const fields = {
	title: z.string().max(TITLE_LENGTH_MAX, { error: "must be shorter" }),
	access: accessField,
	servers: z
		.array(
			z.strictObject({
				server: slugField,
				tools: z.array(z.string()).max(TOOLS_MAX).nullable().default(null),
			}),
		)
		.max(SERVERS_MAX, { error: `must be at most ${SERVERS_MAX} servers` }),
	resultBytesMax: resultLimitField,
};
const ToolsetChanges = z.strictObject(fields).partial();
const NewToolset = ToolsetChanges.extend({
	name: slugField,
	servers: fields.servers,
});

/** A toolset as the API shows it. */
export type ToolsetView = {
	readonly name: string;
	readonly title: string;
	/** The address that a client is given. */
	readonly url: string;
	readonly servers: readonly {
		readonly server: string;
		readonly tools: readonly string[] | null;
	}[];
	/** Shown to administrators only. */
	readonly access?: string | readonly string[];
	readonly resultBytesMax: number | null;
	readonly createdAt: number;
	readonly updatedAt: number;
};

/** Routes of toolsets. */
export const toolsetRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/mcp/toolsets", who: "anyone", run: list },
	{ method: "POST", path: "/api/mcp/toolsets", who: "admins", run: add },
	{ method: "GET", path: "/api/mcp/toolsets/:slug", who: "anyone", run: show },
	{
		method: "PUT",
		path: "/api/mcp/toolsets/:slug",
		who: "admins",
		run: change,
	},
	{
		method: "DELETE",
		path: "/api/mcp/toolsets/:slug",
		who: "admins",
		run: remove,
	},
	{ method: "GET", path: "/api/mcp/view", who: "anyone", run: effective },
];

function list(ask: Ask): Answer {
	const visible = listToolsets(ask.deps.db).filter((toolset) =>
		maySee(toolset, ask.actor),
	);
	return {
		body: { toolsets: visible.map((toolset) => viewToolset(ask, toolset)) },
	};
}

/** One toolset, with its tools as whoever asks would see them and what they cost. */
async function show(ask: Ask): Promise<Answer> {
	const toolset = requireToolset(ask.deps.db, slugOf(ask));
	if (!maySee(toolset, ask.actor)) throw unknownToolset(toolset.slug);
	return { body: await whole(ask, toolset) };
}

async function add(ask: Ask): Promise<Answer> {
	const { name, ...given } = (await readBody(ask.request, NewToolset)).value;
	const settings = await settingsOf(ask, given);
	const toolset = addToolset(
		ask.deps,
		name,
		{
			title: "",
			access: "everyone",
			servers: [],
			resultBytesMax: null,
			...settings,
		},
		actorName(ask.actor),
	);
	return { status: 201, body: await whole(ask, toolset) };
}

async function change(ask: Ask): Promise<Answer> {
	const given = (await readBody(ask.request, ToolsetChanges)).value;
	const slug = slugOf(ask);
	requireToolset(ask.deps.db, slug);
	const settings = await settingsOf(ask, given);
	const toolset = changeToolset(ask.deps, slug, settings, actorName(ask.actor));
	return { body: await whole(ask, toolset) };
}

function remove(ask: Ask): Answer {
	const slug = slugOf(ask);
	removeToolset(ask.deps, slug, actorName(ask.actor));
	return { body: { removed: slug } };
}

async function settingsOf(
	ask: Ask,
	given: z.infer<typeof ToolsetChanges>,
): Promise<Partial<ToolsetSettings>> {
	const { deps, actor, request } = ask;
	const { userId } = subjectOf(deps.db, actor, undefined);
	return {
		...(given.title !== undefined && { title: given.title }),
		...(given.access !== undefined && {
			access: accessOf(deps.db, given.access),
		}),
		...(given.servers !== undefined && {
			servers: await selectionsOf(deps, given.servers, userId, request.signal),
		}),
		...(given.resultBytesMax !== undefined && {
			resultBytesMax: given.resultBytesMax,
		}),
	};
}

async function whole(
	ask: Ask,
	toolset: Toolset,
): Promise<Readonly<Record<string, unknown>>> {
	const { userId, role } = subjectOf(ask.deps.db, ask.actor, undefined);
	const { tools, tokens } = await effectiveTools(
		ask.deps,
		{
			userId: userId ?? "",
			role,
			clientId: "",
			grantId: null,
			scopes: ["mcp"],
		},
		toolset.slug,
		ask.request.signal,
	);
	return {
		toolset: viewToolset(ask, toolset),
		tools: tools.filter(({ shown }) => shown),
		tokens,
		tokenRule: TOKEN_RULE,
	};
}

function viewToolset({ deps, actor }: Ask, toolset: Toolset): ToolsetView {
	const slugs = new Map(listServers(deps.db).map(({ id, slug }) => [id, slug]));
	return {
		name: toolset.slug,
		title: toolset.title,
		url: `${deps.publicUrl}/mcp/${toolset.slug}`,
		servers: toolset.servers.map(({ serverId, tools }) => ({
			server: slugs.get(serverId) ?? serverId,
			tools,
		})),
		...(isAdmin(actor) && { access: viewAccess(deps.db, toolset.access) }),
		resultBytesMax: toolset.resultBytesMax,
		createdAt: toolset.createdAt,
		updatedAt: toolset.updatedAt,
	};
}

/** What a person's client sees at `endpoint`; with `client`, what that client was allowed. */
async function effective(ask: Ask): Promise<Answer> {
	const { deps, actor, query, request } = ask;
	const { userId, role } = requireSubject(
		deps.db,
		actor,
		query.get("username") ?? undefined,
	);
	const slug = endpointSlug(query.get("endpoint") ?? "/mcp");
	const client = query.get("client");
	const seen = await effectiveTools(
		deps,
		{
			userId,
			role,
			clientId: client ?? "",
			grantId: null,
			scopes: client === null ? ["mcp"] : scopesOf(ask, userId, client, slug),
		},
		slug,
		request.signal,
	);
	return { body: { ...seen, tokenRule: TOKEN_RULE } };
}

/** What a client was allowed by a person at an endpoint. @throws SallyportError `not_found` when that is nothing */
function scopesOf(
	{ deps }: Ask,
	userId: string,
	client: string,
	slug: string | null,
): readonly string[] {
	const path = slug === null ? "/mcp" : `/mcp/${slug}`;
	const grants = listGrants(deps.db, userId, deps.clock.now()).filter(
		(grant) =>
			grant.clientId === client && new URL(grant.resource).pathname === path,
	);
	if (grants.length === 0)
		throw new SallyportError(
			"not_found",
			"that person allowed this client nothing at this endpoint",
			{ hint: "see what was allowed with: sallyport grants list" },
		);
	return [...new Set(grants.flatMap(({ scope }) => scope.split(" ")))];
}

function endpointSlug(endpoint: string): string | null {
	const [, slug] = /^\/?mcp(?:\/([^/]+))?\/?$/.exec(endpoint) ?? [];
	if (slug !== undefined || /^\/?mcp\/?$/.test(endpoint)) return slug ?? null;
	throw new SallyportError("invalid", "an endpoint is /mcp or /mcp/SLUG", {
		hint: "for example: /mcp/notes",
	});
}
