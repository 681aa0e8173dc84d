/**
 * `/api/mcp/servers/:slug/tool-settings`, `/tools/:tool` and `/changes`: what administrators decide about single
 * tools, and what a server changed that waits for them.
 */
import * as z from "zod";
import { TOKEN_RULE } from "../mcp/cost.ts";
import { probeServer } from "../ops/probe.ts";
import { acceptChanges, viewChanges } from "../ops/tool-changes.ts";
import { changeTool, resetTool, shapeNow, viewTools } from "../ops/tools.ts";
import { requireServer } from "../store/servers.ts";
import { readBody } from "./body.ts";
import { type Answer, type Ask, actorName, type Route } from "./route.ts";
import { slugOf } from "./servers.ts";
import { subjectOf } from "./subject.ts";

const TEXT_LENGTH_MAX = 16_384;
const ACCEPTED_MAX = 2000;

const words = (lengthMax: number): z.ZodType<string | null | undefined> =>
	z
		.string()
		.min(1, { error: "must not be empty; null takes it back" })
		.max(lengthMax, { error: "must be shorter" })
		.nullable()
		.optional();

const ToolChanges = z.strictObject({
	enabled: z.boolean().nullable().optional(),
	name: words(64),
	title: words(200),
	description: words(TEXT_LENGTH_MAX),
});

const Acceptance = z.strictObject({
	changes: z
		.array(
			z.strictObject({
				kind: z.enum(["tool", "prompt", "instructions"]),
				name: z.string(),
				digest: z.string(),
				off: z.boolean().optional(),
			}),
		)
		.max(ACCEPTED_MAX, { error: `must be at most ${ACCEPTED_MAX} changes` }),
});

/** Routes of what is decided about tools. */
export const toolSettingRoutes: readonly Route[] = [
	{
		method: "GET",
		path: "/api/mcp/servers/:slug/tool-settings",
		who: "admins",
		run: list,
	},
	{
		method: "PUT",
		path: "/api/mcp/servers/:slug/tools/:tool",
		who: "admins",
		run: change,
	},
	{
		method: "DELETE",
		path: "/api/mcp/servers/:slug/tools/:tool",
		who: "admins",
		run: reset,
	},
	{
		method: "GET",
		path: "/api/mcp/servers/:slug/changes",
		who: "admins",
		run: changes,
	},
	{
		method: "POST",
		path: "/api/mcp/servers/:slug/changes/accept",
		who: "admins",
		run: accept,
	},
];

/** Every tool, shown or not, with what was decided of it and why it is hidden. */
async function list(ask: Ask): Promise<Answer> {
	const { deps } = ask;
	const server = requireServer(deps.db, slugOf(ask));
	const tools = viewTools(server, await shapeOf(ask));
	const shown = tools.filter((tool) => tool.shown);
	return {
		body: {
			tools,
			tokens: shown.reduce((sum, tool) => sum + tool.tokens, 0),
			tokenRule: TOKEN_RULE,
		},
	};
}

async function change(ask: Ask): Promise<Answer> {
	const { deps, request, params } = ask;
	const given = (await readBody(request, ToolChanges)).value;
	const changes = Object.fromEntries(
		Object.entries(given).filter(([, value]) => value !== undefined),
	);
	const server = requireServer(deps.db, slugOf(ask));
	const tool = params["tool"] as string;
	changeTool(
		deps,
		server,
		await shapeOf(ask),
		tool,
		changes,
		actorName(ask.actor),
	);
	return viewOne(ask, tool);
}

async function reset(ask: Ask): Promise<Answer> {
	const server = requireServer(ask.deps.db, slugOf(ask));
	const tool = ask.params["tool"] as string;
	resetTool(ask.deps, server, tool, actorName(ask.actor));
	return { body: { reset: tool } };
}

async function viewOne(ask: Ask, name: string): Promise<Answer> {
	const server = requireServer(ask.deps.db, slugOf(ask));
	const tools = viewTools(server, await shapeOf(ask));
	return { body: { tool: tools.find((tool) => tool.name === name) } };
}

/** What waits. The server is asked first, if it can be: what it says now is what would be accepted. */
async function changes(ask: Ask): Promise<Answer> {
	const server = requireServer(ask.deps.db, slugOf(ask));
	const { userId } = subjectOf(ask.deps.db, ask.actor, undefined);
	const { warnings } = await probeServer(
		ask.deps,
		server,
		userId,
		ask.request.signal,
	);
	return { body: { changes: viewChanges(ask.deps.db, server), warnings } };
}

async function accept(ask: Ask): Promise<Answer> {
	const { deps, request, actor } = ask;
	const { changes: accepted } = (await readBody(request, Acceptance)).value;
	const server = requireServer(deps.db, slugOf(ask));
	acceptChanges(deps, server, accepted, actorName(actor));
	return {
		body: { accepted: accepted.length, changes: viewChanges(deps.db, server) },
	};
}

function shapeOf(ask: Ask): ReturnType<typeof shapeNow> {
	const { userId } = subjectOf(ask.deps.db, ask.actor, undefined);
	return shapeNow(ask.deps, slugOf(ask), "tools", userId, ask.request.signal);
}
