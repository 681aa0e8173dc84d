/**
 * Whom a request is for: the server that its name says, and the params with the server's own name cut into them.
 * What is outside a caller's view is unknown, not forbidden; what an administrator must accept first says so.
 */
import type { Abortable } from "../abort.ts";
import { splice } from "../assembly.ts";
import { SallyportError } from "../errors.ts";
import {
	type Bytes,
	isObject,
	memberOf,
	parseJson,
	stringIn,
	toBytes,
} from "../message.ts";
import { type Era, RPC } from "../protocol.ts";
import type { Server } from "../store/servers.ts";
import type { ListKind } from "../upstream/upstream.ts";
import { isSelected } from "./lists.ts";
import { isWebAddress, splitName, splitUri } from "./names.ts";
import { RpcError } from "./rpc.ts";
import { type Entry, heldReason, type Shape } from "./shape.ts";
import type { Task } from "./tasks.ts";
import { serverIn, type View } from "./view.ts";

/** What is asked of the lists to find out who is meant. */
export type Listings = {
	/** Finds the server that lists a web address, which keeps its spelling at the shared endpoint. */
	readonly listerOf: (view: View, uri: string) => Promise<Server | null>;
	/** A server's tools or prompts as they are shown. @throws SallyportError when the server cannot be asked */
	readonly shapeOf: (
		view: View,
		server: Server,
		kind: ListKind,
		signal: Abortable,
	) => Shape | Promise<Shape>;
	/** Finds the task that a caller knows under this id. */
	readonly openTask: (view: View, era: Era, exposed: string) => Task | null;
};

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
	/** The tool or prompt as the server lists it; null where it lists none of that name, or was not asked. */
	readonly entry: Entry | null;
	/** The task that is spoken of; null where none is. */
	readonly task: Task | null;
	/** Why it does not go there after all: something that is known and may not be used, or a list that cannot be had. */
	readonly refusal: RpcError | SallyportError | null;
};

/**
 * The server that a request is for.
 * @throws RpcError for a method without a name at the shared endpoint, and for a name nobody has
 */
export function targetOf(
	view: View,
	request: {
		readonly era: Era;
		readonly method: string;
		readonly params: Bytes | null;
		readonly signal: Abortable;
	},
	listings: Listings,
): Target | Promise<Target> {
	const { era, method, params } = request;
	const kind = NAMED.get(method);
	if (kind === "task") return taskTarget(view, era, params, listings);
	if (view.only && (!kind || !params)) return plainTarget(view.only, params);
	if (!kind || !params) throw methodNotFound(method);
	const place = view.only ? placeIn(kind, params) : nameIn(kind, params);
	const asked = place && stringIn(params, place);
	if (!place || asked === null) {
		// At a server's own endpoint its own error is the better answer.
		if (view.only && kind !== "tool") return plainTarget(view.only, params);
		throw invalidParams(`the params of ${method} must name what is asked for`);
	}
	const named: Named = { params, place, asked };
	if (place.isUri)
		return view.only
			? targetAt(named, view.only, asked)
			: ownedTarget(view, era, named, listings);
	const server = view.only ?? serverNamed(view, asked);
	const list = kind === "tool" ? "tools" : "prompts";
	try {
		const found = listings.shapeOf(view, server, list, request.signal);
		return found instanceof Promise
			? laterTarget(view, named, server, list, found)
			: listedTarget(view, named, server, list, found);
	} catch (error) {
		return unlistable(named, server, error);
	}
}

/** The target that is whichever server has the resource. @throws RpcError when none has */
async function ownedTarget(
	view: View,
	era: Era,
	named: Named,
	{ listerOf }: Listings,
): Promise<Target> {
	const { server, name } = await ownerOf(view, era, named.asked, listerOf);
	return targetAt(named, server, name);
}

/** The target when the list has come. */
async function laterTarget(
	view: View,
	named: Named,
	server: Server,
	list: "tools" | "prompts",
	coming: Promise<Shape>,
): Promise<Target> {
	let shape: Shape;
	try {
		shape = await coming;
	} catch (error) {
		return unlistable(named, server, error);
	}
	return listedTarget(view, named, server, list, shape);
}

/** A request that names what it asks for. */
type Named = {
	readonly params: Bytes;
	readonly place: Place;
	/** The name as the client knows it. */
	readonly asked: string;
};

/** What a server's list says of a tool or prompt. @throws RpcError for one that is not there for this view */
function listedTarget(
	view: View,
	named: Named,
	server: Server,
	list: "tools" | "prompts",
	shape: Shape,
): Target {
	const { asked } = named;
	const entry = entryOf(view, server, shape, asked) ?? null;
	const own = entry?.key ?? unlisted(view, server, list, asked);
	if (list === "tools") requireTool(view, server, entry, asked);
	const refusal = entry ? heldBack(server, list, entry) : null;
	return targetAt(named, server, own, entry, refusal);
}

/** A list that cannot be had is the server's failure, and is recorded as a call of it. */
function unlistable(
	{ params, asked }: Named,
	server: Server,
	error: unknown,
): Target {
	if (!(error instanceof SallyportError)) throw error;
	return { ...plainTarget(server, params), name: asked, refusal: error };
}

/** The entry of a name. One that was shortened is known by its whole name too, which clients may have from before. */
function entryOf(
	view: View,
	{ slug }: Server,
	shape: Shape,
	asked: string,
): Entry | undefined {
	if (view.only) return shape.named.get(asked);
	return (
		shape.exposed.get(asked) ?? shape.named.get(asked.slice(slug.length + 1))
	);
}

function targetAt(
	{ params, place, asked }: Named,
	server: Server,
	name: string,
	entry: Entry | null = null,
	refusal: Target["refusal"] = null,
): Target {
	const named = name === asked ? params : renamed(params, place, name);
	return { server, name, params: named, entry, task: null, refusal };
}

function renamed(params: Bytes, { start, end }: Place, name: string): Bytes {
	return splice(params, [{ start, end, text: JSON.stringify(name) }]);
}

function plainTarget(server: Server, params: Bytes | null): Target {
	return { server, name: null, params, entry: null, task: null, refusal: null };
}

/** @throws RpcError for a tool that is switched off, or that the view's toolset does not have */
function requireTool(
	view: View,
	server: Server,
	entry: Entry | null,
	asked: string,
): void {
	if (!entry) return;
	const isKnown = entry.hidden === null || heldReason(entry) !== null;
	if (!isKnown || !isSelected(view, server, entry)) throw unknownTool(asked);
}

/**
 * The server's own name for one that it does not list. Servers that are trusted are asked all the same; of others only
 * what was approved is used. @throws RpcError
 */
function unlisted(
	view: View,
	server: Server,
	list: "tools" | "prompts",
	asked: string,
): string {
	const name = view.only ? asked : asked.slice(server.slug.length + 1);
	const isOpen =
		server.pinning === "off" &&
		(list === "prompts" ||
			(server.tools === null && isSelected(view, server, { key: name })));
	if (isOpen) return name;
	throw list === "tools" ? unknownTool(asked) : unknownName(asked);
}

function heldBack(
	server: Server,
	list: "tools" | "prompts",
	entry: Entry,
): SallyportError | RpcError | null {
	const reason = heldReason(entry);
	if (reason === null) return null;
	const message = `${server.slug}: ${entry.name} ${reason}`;
	const hint = `whoever runs this gateway can look at it and accept it: sallyport servers accept ${server.slug}`;
	return list === "tools"
		? new SallyportError("forbidden", message, { hint })
		: invalidParams(`${message}: ${hint}`);
}

/** Tasks belong to one caller everywhere, and so they have ids of ours at every endpoint. */
function taskTarget(
	view: View,
	era: Era,
	params: Bytes | null,
	{ openTask }: Listings,
): Target {
	const place = nameIn("task", params ?? EMPTY_OBJECT);
	const exposed = params && parseJson(params, place);
	const task =
		typeof exposed === "string" ? openTask(view, era, exposed) : null;
	if (!task || !params) throw invalidParams("the task is not known");
	const named = renamed(params, place, task.taskId);
	return { ...plainTarget(task.server, named), task };
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
	if (!ref || !isObject(params, ref.start))
		throw invalidParams("params.ref is missing");
	const uri = memberOf(params, ref.start, "uri");
	const member = uri ?? memberOf(params, ref.start, "name");
	if (!member) throw invalidParams("params.ref must have a name or a uri");
	return { start: member.start, end: member.end, isUri: uri !== undefined };
}

/** The same, or null when it is missing. */
function placeIn(kind: Kind, params: Bytes): Place | null {
	try {
		return nameIn(kind, params);
	} catch (error) {
		if (error instanceof RpcError) return null;
		throw error;
	}
}

/** The server whose name a tool or prompt begins with; undefined when the view has none. */
function serverOf(view: View, exposed: string): Server | undefined {
	return serverIn(view, splitName(exposed)?.slug);
}

/** The same. @throws RpcError when there is none */
function serverNamed(view: View, exposed: string): Server {
	const server = serverOf(view, exposed);
	if (!server) throw unknownName(exposed);
	return server;
}

/** The server that has a resource, and its own URI of it. @throws RpcError */
export async function ownerOf(
	view: View,
	era: Era,
	exposed: string,
	listerOf: Listings["listerOf"],
): Promise<{ readonly server: Server; readonly name: string }> {
	if (isWebAddress(exposed)) {
		const server = await listerOf(view, exposed);
		if (server) return { server, name: exposed };
	}
	const owned = splitUri(exposed);
	const server = serverIn(view, owned?.slug);
	if (!owned || !server) throw resourceNotFound(era, exposed);
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

function unknownTool(name: string): RpcError {
	return invalidParams(`unknown tool: ${name.slice(0, 200)}`);
}

function unknownName(name: string): RpcError {
	return invalidParams(`unknown name: ${name.slice(0, 200)}`);
}

function resourceNotFound(era: Era, uri: string): RpcError {
	return new RpcError(
		era === "modern" ? RPC.invalidParams : RPC.resourceNotFound,
		"resource not found",
		{ data: { uri: uri.slice(0, 2000) } },
	);
}
