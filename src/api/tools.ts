/**
 * `/api/mcp/tools` and `/api/mcp/tool/call`: the tools of the servers behind, for scripts that do not speak MCP.
 * Descriptions, arguments and results are passed on as the bytes they came as. Calls are recorded, by name only.
 */
import * as z from "zod";
import { join } from "../assembly.ts";
import { SallyportError } from "../errors.ts";
import { skipSpace } from "../json.ts";
import { isShortened } from "../mcp/names.ts";
import { heldReason, type Shape } from "../mcp/shape.ts";
import { type Bytes, memberOf, parseJson, textOf } from "../message.ts";
import type { CallRecord } from "../store/calls.ts";
import {
	mayUse,
	refuseDisabled,
	type Server,
	unknownServer,
} from "../store/servers.ts";
import { wholeBody } from "../upstream/reply.ts";
import { withoutTasks } from "../upstream/tasks.ts";
import type { Reply } from "../upstream/upstream.ts";
import { readBody } from "./body.ts";
import { envelopeAround, jsonResponse } from "./envelope.ts";
import type { Answer, Ask, Route } from "./route.ts";
import { emailField } from "./server-body.ts";
import { requireVisible } from "./servers.ts";
import { requireSubject, subjectOf } from "./subject.ts";

const LIST_TIMEOUT_MS = 30_000;
const CALL_TIMEOUT_MS = 10 * 60_000;
const LISTED_AT_ONCE_MAX = 8;
const TOOL_NAME_LENGTH_MAX = 256;
const REASON_LENGTH_MAX = 500;
const JUDGED_BYTES_MAX = 64 * 1024;

const ToolCall = z.strictObject({
	serverName: z.string(),
	methodName: z
		.string()
		.min(1, { error: "must not be empty" })
		.max(TOOL_NAME_LENGTH_MAX, { error: "must be shorter" }),
	args: z.record(z.string(), z.unknown()).optional(),
	username: emailField.optional(),
});

/** Routes of tools. */
export const toolRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/mcp/tools", who: "anyone", run: listAll },
	{
		method: "GET",
		path: "/api/mcp/servers/:slug/tools",
		who: "anyone",
		run: listOne,
	},
	{ method: "POST", path: "/api/mcp/tool/call", who: "anyone", run: call },
];

/** The tools of every server that the person may use. One that cannot be asked is named in `failures`. */
async function listAll(ask: Ask): Promise<Answer> {
	const subject = subjectOf(
		ask.deps.db,
		ask.actor,
		ask.query.get("username") ?? undefined,
	);
	const servers = ask.deps.directory
		.servers()
		.filter((server) => server.enabled && mayUse(server, subject));
	const found: (Shape | undefined)[] = [];
	const failures: Record<string, unknown>[] = [];
	await inTurns(servers, async (server, index) => {
		try {
			found[index] = await toolsOf(ask, server, subject.userId);
		} catch (error) {
			if (!(error instanceof SallyportError) || error.code === "internal")
				throw error;
			failures.push({
				serverName: server.slug,
				error: error.message,
				code: error.code,
				hint: error.hint,
			});
		}
	});
	const entries = servers.flatMap((server, index) => {
		const shape = found[index];
		return shape
			? [join([`{${JSON.stringify(server.slug)}:`, toolArray(shape), "}"])]
			: [];
	});
	const shortNames = Object.fromEntries(
		servers.flatMap((server, index) => shortened(server, found[index])),
	);
	return envelopeAround(
		200,
		'{"success":true,"tools":',
		list(entries),
		`,"failures":${JSON.stringify(failures)},"shortNames":${JSON.stringify(shortNames)}}`,
	);
}

/** The tools that the shared endpoint shows under a shorter name than slug and name together, and that name. */
function shortened(
	{ slug }: Server,
	shape: Shape | undefined,
): readonly (readonly [string, string])[] {
	return (shape?.shown ?? []).flatMap(({ name, exposed }) =>
		isShortened(slug, name, exposed)
			? [[`${slug}_${name}`, exposed] as const]
			: [],
	);
}

async function listOne(ask: Ask): Promise<Answer> {
	const subject = subjectOf(
		ask.deps.db,
		ask.actor,
		ask.query.get("username") ?? undefined,
	);
	const server = requireVisible(ask, ask.params["slug"] as string, subject);
	refuseDisabled(server);
	const tools = toolArray(await toolsOf(ask, server, subject.userId));
	return envelopeAround(200, '{"success":true,"tools":', tools, "}");
}

async function call(ask: Ask): Promise<Answer> {
	const { bytes, value } = await readBody(ask.request, ToolCall);
	const subject = requireSubject(ask.deps.db, ask.actor, value.username);
	const server = requireVisible(ask, value.serverName, subject);
	if (!mayUse(server, subject))
		throw new SallyportError(
			"forbidden",
			`that user may not use ${server.slug}`,
			{
				hint: "change who may use it, or call as someone else",
			},
		);
	refuseDisabled(server);
	const tool = requireTool(
		server,
		await toolsOf(ask, server, subject.userId),
		value.methodName,
	);
	const reply = await recorded(ask, server, subject.userId, tool, () =>
		ask.deps.upstreams.forUser(server, subject.userId).request({
			method: "tools/call",
			params: callParams(bytes, tool),
			signal: AbortSignal.any([
				ask.request.signal,
				AbortSignal.timeout(CALL_TIMEOUT_MS),
			]),
		}),
	);
	return reply.member === "result"
		? envelopeAround(200, '{"success":true,"data":', reply.body, "}")
		: refusalOf(ask, server, await wholeBody(reply.body));
}

/**
 * The server's own name of a tool, found by what it is called here: as its own endpoint has it, or what follows its
 * slug at the shared one. @throws SallyportError `not_found`, `forbidden` while it waits to be accepted
 */
function requireTool({ slug }: Server, shape: Shape, name: string): string {
	const entry = shape.named.get(name) ?? shape.exposed.get(`${slug}_${name}`);
	if (entry?.hidden === null) return entry.key;
	const held = entry && heldReason(entry);
	if (entry && held)
		throw new SallyportError("forbidden", `${slug}: ${entry.name} ${held}`, {
			hint: `look at it and accept it: sallyport servers accept ${slug}`,
		});
	throw new SallyportError("not_found", `${slug} has no tool of that name`, {
		hint: `see them with: sallyport servers tools ${slug}`,
	});
}

/** `{"name": …, "arguments": …}` with the arguments as the body wrote them. */
function callParams(body: Bytes, tool: string): Bytes {
	const args = memberOf(body, skipSpace(body, 0), "args");
	const name = JSON.stringify(tool);
	return args
		? join([
				`{"name":${name},"arguments":`,
				body.subarray(args.start, args.end),
				"}",
			])
		: join([`{"name":${name},"arguments":{}}`]);
}

/** The server's JSON-RPC error, whole under `detail`, its message in our sentence. */
function refusalOf(ask: Ask, server: Server, error: Bytes): Response {
	const message = memberOf(error, 0, "message");
	const said = message ? printable(String(parseJson(error, message))) : "";
	const envelope = {
		success: false,
		error: `${server.slug} refused the call${said === "" ? "" : `: ${said}`}`,
		code: "upstream",
		hint: `look at the tool's arguments: sallyport servers tools ${server.slug} --json`,
		requestId: ask.requestId,
	};
	return jsonResponse(
		502,
		`${JSON.stringify(envelope).slice(0, -1)},"detail":${textOf(error)}}`,
	);
}

async function recorded(
	{ deps, actor, request }: Ask,
	server: Server,
	userId: string,
	tool: string,
	work: () => Promise<Reply>,
): Promise<Reply> {
	const startedMs = deps.clock.nowMs();
	let outcome: CallRecord["outcome"] = "error";
	try {
		const reply = await work();
		if (reply.member === "result")
			outcome = isToolError(reply) ? "tool_error" : "ok";
		return reply;
	} catch (error) {
		if (request.signal.aborted) outcome = "cancelled";
		throw error;
	} finally {
		deps.calls.record({
			userId,
			clientId: `api:${actor.via}`,
			serverId: server.id,
			method: "tools/call",
			name: tool,
			outcome,
			durationMs: deps.clock.nowMs() - startedMs,
		});
	}
}

/** `isError` of a result that is whole and small; a large one is not read for the record's sake. */
function isToolError({ body }: Reply): boolean {
	if (!(body instanceof Uint8Array) || body.length > JUDGED_BYTES_MAX)
		return false;
	const isError = memberOf(body, skipSpace(body, 0), "isError");
	return isError !== undefined && textOf(body, isError) === "true";
}

async function toolsOf(
	{ deps, request }: Ask,
	{ slug }: Server,
	userId: string | null,
): Promise<Shape> {
	const server = deps.directory.server(slug);
	if (!server) throw unknownServer(slug);
	const signal = AbortSignal.any([
		request.signal,
		AbortSignal.timeout(LIST_TIMEOUT_MS),
	]);
	const upstream = deps.upstreams.forUser(server, userId ?? "");
	return deps.shapes.of(server, "tools", await upstream.list("tools", signal));
}

/** A script waits for its result here, so it can start no tasks. */
function toolArray({ shown }: Shape): Bytes {
	return list(shown.flatMap((tool) => withoutTasks(tool)?.bytes ?? []));
}

function list(entries: readonly Bytes[]): Bytes {
	return join([
		"[",
		...entries.flatMap((entry, index) =>
			index === 0 ? [entry] : [",", entry],
		),
		"]",
	]);
}

/** Does the work for every item, a few at a time. */
async function inTurns<T>(
	items: readonly T[],
	work: (item: T, index: number) => Promise<void>,
): Promise<void> {
	const queue = items.entries();
	const turns = Array.from({ length: LISTED_AT_ONCE_MAX }, async () => {
		for (const [index, item] of queue) await work(item, index);
	});
	await Promise.all(turns);
}

/** Text of a server's, on one line and not endless. */
function printable(text: string): string {
	return text
		.replaceAll(/\p{C}+/gu, " ")
		.slice(0, REASON_LENGTH_MAX)
		.trim();
}
