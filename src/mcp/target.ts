/**
 * Whom a request is for: the server that its name says, and the params with the server's own name cut into them.
 * What is outside a caller's view is unknown, not forbidden.
 */
import {
	type Bytes,
	type Edit,
	memberOf,
	parseJson,
	splice,
	toBytes,
} from "../message.ts";
import { type Era, RPC } from "../protocol.ts";
import type { Server } from "../store/servers.ts";
import { isWebAddress, type Owned, splitName, splitUri } from "./names.ts";
import { RpcError } from "./rpc.ts";
import type { Task } from "./tasks.ts";
import type { View } from "./view.ts";

/** Finds the server that lists a web address, which keeps its spelling at the shared endpoint. */
export type ListerOf = (view: View, uri: string) => Promise<Server | null>;

/** Finds the task that a caller knows under this id. */
export type OpenTask = (exposed: string) => Task | null;

/** What the name in a request names. */
type Kind = "tool" | "prompt" | "resource" | "reference" | "task";

/** Which requests name what they ask for. */
const NAMED: ReadonlyMap<string, Kind> = new Map<string, Kind>([
	["tools/call", "tool"],
	["prompts/get", "prompt"],
	["resources/read", "resource"],
	["completion/complete", "reference"],
	["tasks/get", "task"],
	["tasks/result", "task"],
	["tasks/update", "task"],
	["tasks/cancel", "task"],
]);

/** The member of the params that holds the name. */
const KEYS: Readonly<Record<Exclude<Kind, "reference">, string>> = {
	tool: "name",
	prompt: "name",
	resource: "uri",
	task: "taskId",
};

/** Where a request goes. */
export type Target = {
	readonly server: Server;
	readonly name: string | null;
	/** The params with the server's own name in them. */
	readonly params: Bytes | null;
	/** The task that is spoken of; null where none is. */
	readonly task: Task | null;
};

/**
 * The server that a request is for.
 * @throws RpcError for a method without a name at the shared endpoint, and for a name nobody has
 */
export async function targetOf(
	view: View,
	request: {
		readonly era: Era;
		readonly method: string;
		readonly params: Bytes | null;
	},
	listerOf: ListerOf,
	openTask: OpenTask,
): Promise<Target> {
	const { era, method, params } = request;
	const kind = NAMED.get(method);
	if (kind === "task") return taskTarget(params, openTask);
	if (view.only)
		return {
			server: view.only,
			name: kind ? plainName(kind, params) : null,
			params,
			task: null,
		};
	if (!kind || !params) throw methodNotFound(method);
	const place = nameIn(kind, params);
	const exposed = parseJson(params, place);
	if (typeof exposed !== "string")
		throw invalidParams(`the params of ${method} must name what is asked for`);
	const owned = await ownerOf(view, era, place.isUri, exposed, listerOf);
	const edits: Edit[] = [
		{ start: place.start, end: place.end, text: JSON.stringify(owned.name) },
	];
	return {
		server: owned.server,
		name: owned.name,
		params: splice(params, edits),
		task: null,
	};
}

/** Tasks belong to one caller everywhere, and so they have ids of ours at every endpoint. */
function taskTarget(params: Bytes | null, openTask: OpenTask): Target {
	const place = nameIn("task", params ?? EMPTY_OBJECT);
	const exposed = params && parseJson(params, place);
	const task = typeof exposed === "string" ? openTask(exposed) : null;
	if (!task || !params) throw invalidParams("the task is not known");
	const edits: Edit[] = [
		{ start: place.start, end: place.end, text: JSON.stringify(task.taskId) },
	];
	return {
		server: task.server,
		name: null,
		params: splice(params, edits),
		task,
	};
}

const EMPTY_OBJECT = toBytes("{}");

type Place = {
	readonly start: number;
	readonly end: number;
	readonly isUri: boolean;
};

/** Where the name stands in the params. @throws RpcError when it is missing */
function nameIn(kind: Kind, params: Bytes): Place {
	if (kind !== "reference") {
		const member = memberOf(params, 0, KEYS[kind]);
		if (!member) throw invalidParams(`params.${KEYS[kind]} is missing`);
		return { start: member.start, end: member.end, isUri: kind === "resource" };
	}
	const ref = memberOf(params, 0, "ref");
	if (!ref || params[ref.start] !== 0x7b)
		throw invalidParams("params.ref is missing");
	const uri = memberOf(params, ref.start, "uri");
	const member = uri ?? memberOf(params, ref.start, "name");
	if (!member) throw invalidParams("params.ref must have a name or a uri");
	return { start: member.start, end: member.end, isUri: uri !== undefined };
}

/** The name of what is asked for, for the record; null when the server itself must judge the params. */
function plainName(kind: Kind, params: Bytes | null): string | null {
	if (!params) return null;
	try {
		const value = parseJson(params, nameIn(kind, params));
		return typeof value === "string" ? value : null;
	} catch {
		return null; // at a server's own endpoint its own error is the better answer
	}
}

export async function ownerOf(
	view: View,
	era: Era,
	isUri: boolean,
	exposed: string,
	listerOf: ListerOf,
): Promise<{ readonly server: Server; readonly name: string }> {
	if (isUri && isWebAddress(exposed)) {
		const server = await listerOf(view, exposed);
		if (server) return { server, name: exposed };
	}
	const owned: Owned | null = isUri ? splitUri(exposed) : splitName(exposed);
	const server =
		owned && view.servers.find((candidate) => candidate.slug === owned.slug);
	if (!owned || !server)
		throw isUri
			? resourceNotFound(era, exposed)
			: invalidParams(`unknown name: ${exposed.slice(0, 200)}`);
	return { server, name: owned.name };
}

function methodNotFound(method: string): RpcError {
	return new RpcError(
		RPC.methodNotFound,
		`unknown method: ${method.slice(0, 100)}`,
		{ status: 404 },
	);
}

function invalidParams(message: string): RpcError {
	return new RpcError(RPC.invalidParams, message);
}

export function unknownTool(params: Bytes | null): RpcError {
	const member = params && memberOf(params, 0, "name");
	const name = member && params ? parseJson(params, member) : "";
	return invalidParams(`unknown tool: ${String(name).slice(0, 200)}`);
}

function resourceNotFound(era: Era, uri: string): RpcError {
	return new RpcError(
		era === "modern" ? RPC.invalidParams : RPC.resourceNotFound,
		"resource not found",
		{ data: { uri: uri.slice(0, 2000) } },
	);
}
