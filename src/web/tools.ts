/**
 * `/tools`: every server with what its tools cost and what waits; `/tools/<slug>`: one switch for each tool;
 * `/tools/<slug>/edit`: a name, a title and a description of our own; `/tools/<slug>/changes`: what the server changed,
 * line by line, and the button that accepts it. All of it is for administrators.
 */
import { SallyportError, sentence } from "../errors.ts";
import type { Parameters } from "../oauth/parameters.ts";
import { probeServer } from "../ops/probe.ts";
import {
	type Accepted,
	acceptChanges,
	viewChanges,
} from "../ops/tool-changes.ts";
import {
	changeTool,
	resetTool,
	shapeNow,
	type ToolView,
	viewTools,
} from "../ops/tools.ts";
import { may } from "../rights.ts";
import type { Params, Route } from "../route.ts";
import { countHeldChanges } from "../store/held-changes.ts";
import type { Server } from "../store/servers.ts";
import { changesPage } from "./dashboard/tool-changes.tsx";
import { editPage } from "./dashboard/tool-edit.tsx";
import {
	type ServerTools,
	serverToolsPage,
	toolsPage,
} from "./dashboard/tools.tsx";
import { admitForm, admitVisitor, briefly } from "./guard.ts";
import { seeOther } from "./layout.tsx";
import { missingPage, problemOf } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import type { Problem } from "./problem.ts";
import type { Visitor } from "./visitor.ts";

const PATH = "/tools";

export function toolRoutes(site: Site): readonly Route[] {
	const get = (path: string, show: Show): Route => ({
		method: "GET",
		path,
		handler: (request, params, { patient }) => {
			patient(); // a server that sleeps is woken for its list
			return shown(site, request, params, show);
		},
	});
	const post = (path: string, act: Act): Route => ({
		method: "POST",
		path,
		handler: (request, params, { patient }) => {
			patient();
			return acted(site, request, params, act);
		},
	});
	return [
		{
			method: "GET",
			path: PATH,
			handler: (request, _params, { patient }) => {
				patient();
				return showAll(site, request);
			},
		},
		get(`${PATH}/:slug`, showServer),
		post(`${PATH}/:slug`, decide),
		get(`${PATH}/:slug/edit`, showEdit),
		post(`${PATH}/:slug/edit`, edit),
		get(`${PATH}/:slug/changes`, showChanges),
		post(`${PATH}/:slug/changes`, accept),
	];
}

/** One request for a page about a server, by someone who may see it. */
type Ask = {
	readonly site: Site;
	readonly request: Request;
	readonly visitor: Visitor;
	readonly server: Server;
	/** The page's own path, which is also what its form's token is for. */
	readonly path: string;
};

type Show = (ask: Ask, problem?: Problem) => Promise<Response>;
type Act = (ask: Ask, form: Parameters) => Promise<Response>;

async function shown(
	site: Site,
	request: Request,
	params: Params,
	show: Show,
): Promise<Response> {
	const { pathname, search } = new URL(request.url);
	const visitor = admitVisitor(site, request, {
		path: pathname + search,
		dangerous: false,
	});
	if (visitor instanceof Response) return visitor;
	const server = site.directory.server(params["slug"] ?? "");
	return server && mayLook(visitor)
		? show({ site, request, visitor, server, path: pathname })
		: notForYou();
}

async function acted(
	site: Site,
	request: Request,
	params: Params,
	act: Act,
): Promise<Response> {
	const { pathname: path } = new URL(request.url);
	const sent = await admitForm(site, request, path, { path, dangerous: false });
	if (sent instanceof Response) return sent;
	const { visitor, form } = sent;
	const server = site.directory.server(params["slug"] ?? "");
	return server && mayLook(visitor)
		? act({ site, request, visitor, server, path }, form)
		: notForYou();
}

async function showAll(site: Site, request: Request): Promise<Response> {
	const visitor = admitVisitor(site, request, { path: PATH, dangerous: false });
	if (visitor instanceof Response) return visitor;
	if (!mayLook(visitor)) return seeOther("/seen");
	const held = countHeldChanges(site.db);
	const servers = await Promise.all(
		site.directory.servers().map(async (server): Promise<ServerTools> => {
			const { tools, trouble } = await toolsOf({
				site,
				request,
				visitor,
				server,
			});
			return {
				slug: server.slug,
				enabled: server.enabled,
				tools,
				trouble,
				held: held.get(server.id) ?? 0,
			};
		}),
	);
	return toolsPage({ servers });
}

async function showServer(ask: Ask, problem?: Problem): Promise<Response> {
	const { site, visitor, server, path } = ask;
	const { tools, trouble } = await toolsOf(ask);
	return serverToolsPage({
		slug: server.slug,
		tools,
		trouble,
		held: countHeldChanges(site.db).get(server.id) ?? 0,
		csrf: site.forms.issue(visitor.binding, path),
		...(problem && { problem }),
	});
}

/** A switch: `on=<tool>` or `off=<tool>`; or `reset=<tool>`. */
async function decide(ask: Ask, form: Parameters): Promise<Response> {
	const { site, visitor, server, path } = ask;
	const tool = form.get("on") ?? form.get("off") ?? form.get("reset") ?? "";
	try {
		if (form.has("reset")) resetTool(site, server, tool, visitor.login.userId);
		else
			changeTool(
				site,
				server,
				await shapeOf(ask),
				tool,
				{ enabled: form.has("on") },
				visitor.login.userId,
			);
		return seeOther(path);
	} catch (error) {
		return showServer(ask, troubleOf(error));
	}
}

async function showEdit(ask: Ask, problem?: Problem): Promise<Response> {
	const { site, request, visitor, server, path } = ask;
	const name = new URL(request.url).searchParams.get("tool");
	const { tools } = await toolsOf(ask);
	const tool = tools.find((each) => each.name === name);
	return tool
		? editPage({
				slug: server.slug,
				tool,
				csrf: site.forms.issue(visitor.binding, path),
				...(problem && { problem }),
			})
		: missingPage(`${server.slug} does not list a tool of that name.`);
}

/** An empty field takes back what was decided. */
async function edit(ask: Ask, form: Parameters): Promise<Response> {
	const { site, request, visitor, server } = ask;
	const tool = new URL(request.url).searchParams.get("tool") ?? "";
	try {
		changeTool(
			site,
			server,
			await shapeOf(ask),
			tool,
			{
				name: form.get("name"),
				title: form.get("title"),
				description: form.get("description"),
			},
			visitor.login.userId,
		);
		return seeOther(`${PATH}/${server.slug}`);
	} catch (error) {
		return showEdit(ask, problemOf(error));
	}
}

/** What waits. The server is asked first, if it can be: what it says now is what would be accepted. */
async function showChanges(ask: Ask, problem?: Problem): Promise<Response> {
	const { site, request, visitor, server, path } = ask;
	await probeServer(site, server, visitor.login.userId, briefly(request));
	return changesPage({
		slug: server.slug,
		changes: viewChanges(site.db, server),
		csrf: site.forms.issue(visitor.binding, path),
		...(problem && { problem }),
	});
}

/** `accept=<kind> <digest> <name>` or `off=<the same>`, as the page showed it. */
async function accept(ask: Ask, form: Parameters): Promise<Response> {
	const { site, visitor, server, path } = ask;
	const accepted = parseAccepted(form.get("accept") ?? "");
	try {
		if (accepted) acceptChanges(site, server, [accepted], visitor.login.userId);
		return seeOther(path);
	} catch (error) {
		return showChanges(ask, troubleOf(error));
	}
}

function parseAccepted(text: string): Accepted | null {
	const [, kind, digest, name] =
		/^(tool|prompt|instructions) ([\w-]+) (.*)$/s.exec(text) ?? [];
	return kind === undefined || digest === undefined || name === undefined
		? null
		: { kind: kind as Accepted["kind"], digest, name };
}

/** A server's tools, or what keeps it from saying them. */
async function toolsOf(ask: Omit<Ask, "path">): Promise<{
	readonly tools: readonly ToolView[];
	readonly trouble: string | null;
}> {
	if (!ask.server.enabled)
		return { tools: [], trouble: "The server is disabled." };
	try {
		return {
			tools: viewTools(ask.server, await shapeOf(ask)),
			trouble: null,
		};
	} catch (error) {
		return { tools: [], trouble: troubleOf(error).text };
	}
}

function shapeOf({
	site,
	server,
	visitor,
	request,
}: Omit<Ask, "path">): ReturnType<typeof shapeNow> {
	const { userId } = visitor.login;
	return shapeNow(site, server.slug, "tools", userId, briefly(request));
}

/** Any expected failure, said on the page. */
function troubleOf(error: unknown): Problem {
	if (!(error instanceof SallyportError) || error.code === "internal")
		throw error;
	return { status: 409, text: sentence(error.message) };
}

function mayLook({ login }: Visitor): boolean {
	return may(login.role, "run the gateway");
}

/** The same for whoever may not look as for what is not there. */
function notForYou(): Response {
	return missingPage("This page is for administrators, about a server here.");
}
