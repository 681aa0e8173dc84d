/**
 * `/toolsets`: named selections of servers and tools, each with an address of its own; `/toolsets/<slug>`: its servers;
 * `/toolsets/<slug>/<server>`: one switch for each tool. All of it is for administrators.
 */
import { SallyportError, sentence } from "../errors.ts";
import type { Parameters } from "../oauth/parameters.ts";
import { effectiveTools } from "../ops/effective.ts";
import { shapeNow, viewTools } from "../ops/tools.ts";
import { addToolset, changeToolset, removeToolset } from "../ops/toolsets.ts";
import type { Route } from "../route.ts";
import { requireServer, type Server } from "../store/servers.ts";
import {
	findToolset,
	listToolsets,
	type Selection,
	type Toolset,
} from "../store/toolsets.ts";
import { type Ask, adminPage, notForYou } from "./admin-pages.ts";
import {
	toolsetPage,
	toolsetServerPage,
	toolsetsPage,
} from "./dashboard/toolsets.tsx";
import { briefly } from "./guard.ts";
import { seeOther } from "./layout.tsx";
import { problemOf } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import type { Problem } from "./problem.tsx";

const PATH = "/toolsets";
const SLUG = /^[a-z][a-z0-9-]{0,31}$/;

export function toolsetRoutes(site: Site): readonly Route[] {
	return [
		...adminPage(site, PATH, showAll, add),
		...adminPage(site, `${PATH}/:slug`, showOne, change),
		...adminPage(site, `${PATH}/:slug/:server`, showServer, choose),
	];
}

async function showAll(ask: Ask, problem?: Problem): Promise<Response> {
	const { site, visitor, path } = ask;
	const toolsets = await Promise.all(
		listToolsets(site.db).map(async (toolset) => ({
			...toolset,
			...(await costOf(ask, toolset)),
		})),
	);
	return toolsetsPage({
		issuer: site.issuer,
		toolsets,
		csrf: site.forms.issue(visitor.binding, path),
		...(problem && { problem }),
	});
}

function add(ask: Ask, form: Parameters): Response | Promise<Response> {
	const slug = form.get("slug") ?? "";
	if (!SLUG.test(slug))
		return showAll(ask, {
			status: 400,
			text: "A name is 1 to 32 of a-z, 0-9 and -, and begins with a letter.",
		});
	try {
		addToolset(
			ask.site,
			slug,
			{
				title: titleIn(form),
				access: "everyone",
				servers: [],
				resultBytesMax: null,
			},
			ask.visitor.login.userId,
		);
		return seeOther(`${PATH}/${slug}`);
	} catch (error) {
		return showAll(ask, problemOf(error));
	}
}

async function showOne(ask: Ask): Promise<Response> {
	const { site, visitor, path } = ask;
	const toolset = toolsetOf(ask);
	if (!toolset) return notForYou();
	return toolsetPage({
		issuer: site.issuer,
		toolset,
		servers: site.directory.servers().map(({ id, slug, enabled }) => ({
			slug,
			enabled,
			selection:
				toolset.servers.find(({ serverId }) => serverId === id) ?? null,
		})),
		...(await costOf(ask, toolset)),
		csrf: site.forms.issue(visitor.binding, path),
	});
}

/** One button: `all=<server>`, `leave=<server>`, `remove`, or `save` with `title` and `access`. */
function change(ask: Ask, form: Parameters): Response {
	const { site, visitor, path } = ask;
	const toolset = toolsetOf(ask);
	if (!toolset) return notForYou();
	const actor = visitor.login.userId;
	if (form.has("remove")) {
		removeToolset(site, toolset.slug, actor);
		return seeOther(PATH);
	}
	const slug = form.get("all") ?? form.get("leave");
	if (slug === null) {
		const access = form.get("access");
		changeToolset(
			site,
			toolset.slug,
			{
				title: titleIn(form),
				...(access === "everyone" || access === "admins" ? { access } : {}),
			},
			actor,
		);
		return seeOther(path);
	}
	const { id } = requireServer(site.db, slug);
	const others = toolset.servers.filter(({ serverId }) => serverId !== id);
	const servers = form.has("all")
		? [...others, { serverId: id, tools: null }]
		: others;
	changeToolset(site, toolset.slug, { servers }, actor);
	return seeOther(path);
}

async function showServer(ask: Ask, problem?: Problem): Promise<Response> {
	const { site, visitor, path } = ask;
	const toolset = toolsetOf(ask);
	const server = serverOf(ask);
	if (!toolset || !server) return notForYou();
	const chosen = selectionOf(toolset, server);
	let trouble: string | null = null;
	const tools = await toolsOf(ask, server).catch((error: unknown) => {
		if (!(error instanceof SallyportError)) throw error;
		trouble = sentence(error.message);
		return [];
	});
	return toolsetServerPage({
		slug: toolset.slug,
		server: server.slug,
		tools: tools.map((tool) => ({
			tool,
			chosen: chosen !== null && (chosen.tools?.includes(tool.name) ?? true),
		})),
		trouble,
		csrf: site.forms.issue(visitor.binding, path),
		...(problem && { problem }),
	});
}

/** A switch: `in=<tool>` or `out=<tool>`, by the server's own name. */
async function choose(ask: Ask, form: Parameters): Promise<Response> {
	const { site, visitor, path } = ask;
	const toolset = toolsetOf(ask);
	const server = serverOf(ask);
	if (!toolset || !server) return notForYou();
	const tool = form.get("in") ?? form.get("out");
	if (tool === null) return seeOther(path);
	const selection = selectionOf(toolset, server);
	// Whoever leaves one out of all means the others that there are now.
	const before =
		selection === null
			? []
			: (selection.tools ??
				(await toolsOf(ask, server)).map(({ name }) => name));
	const tools = form.has("in")
		? [...new Set([...before, tool])]
		: before.filter((name) => name !== tool);
	const others = toolset.servers.filter(
		({ serverId }) => serverId !== server.id,
	);
	changeToolset(
		site,
		toolset.slug,
		{ servers: [...others, { serverId: server.id, tools }] },
		visitor.login.userId,
	);
	return seeOther(path);
}

async function costOf(
	{ site, request, visitor }: Ask,
	{ slug }: Toolset,
): Promise<{ readonly toolCount: number; readonly tokens: number }> {
	const { tools, tokens } = await effectiveTools(
		site,
		{
			userId: visitor.login.userId,
			role: visitor.login.role,
			clientId: "",
			grantId: null,
			scopes: ["mcp"],
		},
		slug,
		briefly(request),
	);
	return { toolCount: tools.filter(({ shown }) => shown).length, tokens };
}

async function toolsOf(
	{ site, request, visitor }: Ask,
	server: Server,
): Promise<ReturnType<typeof viewTools>> {
	const { userId } = visitor.login;
	return viewTools(
		server,
		await shapeNow(site, server.slug, "tools", userId, briefly(request)),
	);
}

function toolsetOf({ site, params }: Ask): Toolset | null {
	return findToolset(site.db, params["slug"] ?? "");
}

function serverOf({ site, params }: Ask): Server | null {
	return site.directory.server(params["server"] ?? "");
}

function selectionOf({ servers }: Toolset, { id }: Server): Selection | null {
	return servers.find(({ serverId }) => serverId === id) ?? null;
}

const TITLE_LENGTH_MAX = 100;

function titleIn(form: Parameters): string {
	return (form.get("title") ?? "").slice(0, TITLE_LENGTH_MAX);
}
