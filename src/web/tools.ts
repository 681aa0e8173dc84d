/**
 * `/tools`: every server with what its tools cost and what waits; `/tools/<slug>`: one switch for each tool, the rules
 * of the server, and the button that starts it anew;
 * `/tools/<slug>/edit`: a name, a title and a description of our own; `/tools/<slug>/changes`: what the server changed,
 * line by line, and the button that accepts it. All of it is for administrators.
 */
import { SallyportError, sentence } from "../errors.ts";
import type { Parameters } from "../oauth/parameters.ts";
import { probeServer } from "../ops/probe.ts";
import { changeRules, restartServer } from "../ops/servers.ts";
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
import type { Route } from "../route.ts";
import { countHeldChanges } from "../store/held-changes.ts";
import { PINNINGS, type Server } from "../store/servers.ts";
import { type Ask, adminPage, notForYou } from "./admin-pages.ts";
import { changesPage } from "./dashboard/tool-changes.tsx";
import { editPage } from "./dashboard/tool-edit.tsx";
import {
	type ServerTools,
	serverToolsPage,
	toolsPage,
} from "./dashboard/tools.tsx";
import { admitVisitor, briefly } from "./guard.ts";
import { seeOther } from "./layout.tsx";
import { missingPage, problemOf } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import type { Problem } from "./problem.tsx";

const PATH = "/tools";

export function toolRoutes(site: Site): readonly Route[] {
	return [
		{
			method: "GET",
			path: PATH,
			handler: (request) => {
				return showAll(site, request);
			},
		},
		...serverPage(site, `${PATH}/:slug`, showServer, decide),
		...serverPage(site, `${PATH}/:slug/edit`, showEdit, edit),
		...serverPage(site, `${PATH}/:slug/changes`, showChanges, accept),
	];
}

/** One request for a page about a server. */
type ServerAsk = Pick<Ask, "site" | "request" | "visitor" | "path"> & {
	readonly server: Server;
};

function serverPage(
	site: Site,
	path: string,
	show: (ask: ServerAsk) => Promise<Response>,
	act: (ask: ServerAsk, form: Parameters) => Promise<Response>,
): readonly Route[] {
	const about = ({ params, ...ask }: Ask): ServerAsk | null => {
		const server = site.directory.server(params["slug"] ?? "");
		return server && { ...ask, server };
	};
	return adminPage(
		site,
		path,
		(ask) => {
			const one = about(ask);
			return one ? show(one) : notForYou();
		},
		(ask, form) => {
			const one = about(ask);
			return one ? act(one, form) : notForYou();
		},
	);
}

async function showAll(site: Site, request: Request): Promise<Response> {
	const visitor = admitVisitor(site, request, { path: PATH, dangerous: false });
	if (visitor instanceof Response) return visitor;
	if (!may(visitor.login.role, "run the gateway")) return seeOther("/seen");
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

async function showServer(
	ask: ServerAsk,
	problem?: Problem,
): Promise<Response> {
	const { site, request, visitor, server, path } = ask;
	const { tools, trouble } = await toolsOf(ask);
	const { searchParams } = new URL(request.url);
	return serverToolsPage({
		server,
		tools,
		trouble,
		held: countHeldChanges(site.db).get(server.id) ?? 0,
		csrf: site.forms.issue(visitor.binding, path),
		done: searchParams.has("restarted")
			? "restarted"
			: searchParams.has("saved")
				? "saved"
				: null,
		...(problem && { problem }),
	});
}

/** `pinning` and `limit`. What lets a server say anything is for a fresh proof. */
async function keepRules(ask: ServerAsk, form: Parameters): Promise<Response> {
	const { site, request, server, path } = ask;
	const visitor = admitVisitor(site, request, { path, dangerous: true });
	if (visitor instanceof Response) return visitor;
	const pinning = PINNINGS.find((mode) => mode === form.get("pinning"));
	const limit = form.get("limit");
	try {
		await changeRules(
			site,
			server,
			{
				pinning: pinning ?? server.pinning,
				resultBytesMax: limit === null ? null : Number(limit),
			},
			visitor.login.userId,
		);
		return seeOther(`${path}?saved`);
	} catch (error) {
		return showServer(ask, problemOf(error));
	}
}

async function restart(ask: ServerAsk): Promise<Response> {
	const { site, visitor, server, path } = ask;
	try {
		await restartServer(site, server, visitor.login.userId);
		return seeOther(`${path}?restarted`);
	} catch (error) {
		return showServer(ask, problemOf(error));
	}
}

/** A switch: `on=<tool>` or `off=<tool>`, or `reset=<tool>`; or `save`, or `restart`. */
async function decide(ask: ServerAsk, form: Parameters): Promise<Response> {
	const { site, visitor, server, path } = ask;
	if (form.has("save")) return keepRules(ask, form);
	if (form.has("restart")) return restart(ask);
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

async function showEdit(ask: ServerAsk, problem?: Problem): Promise<Response> {
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
async function edit(ask: ServerAsk, form: Parameters): Promise<Response> {
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
async function showChanges(
	ask: ServerAsk,
	problem?: Problem,
): Promise<Response> {
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
async function accept(ask: ServerAsk, form: Parameters): Promise<Response> {
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
async function toolsOf(ask: Omit<ServerAsk, "path">): Promise<{
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
}: Omit<ServerAsk, "path">): ReturnType<typeof shapeNow> {
	const { userId } = visitor.login;
	return shapeNow(site, server.slug, "tools", userId, briefly(request));
}

/** Any expected failure, said on the page. */
function troubleOf(error: unknown): Problem {
	if (!(error instanceof SallyportError) || error.code === "internal")
		throw error;
	return { status: 409, text: sentence(error.message) };
}
