/**
 * Who gets a request: the name says which server, the caller says which upstream of it.
 *
 * The router knows no HTTP, no tokens and no sessions: a view, a method and the params as bytes go in, a reply comes
 * out. Names are cut into the bytes; arguments and results are never re-serialised.
 */
import type { Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import type { Log } from "../log.ts";
import {
	type Bytes,
	type Edit,
	memberOf,
	parseJson,
	splice,
} from "../message.ts";
import { type Era, RPC } from "../protocol.ts";
import type { CallRecorder } from "../store/calls.ts";
import type { Server } from "../store/servers.ts";
import { type ParamHeaders, paramHeadersOf } from "../upstream/mirror.ts";
import type {
	Item,
	ListKind,
	Reply,
	ServerFacts,
	Upstream,
	Upstreams,
} from "../upstream/upstream.ts";
import { adaptResult } from "./adapt.ts";
import { NO_CAPABILITIES } from "./capabilities.ts";
import { exposeResult, mayHoldUris } from "./exposure.ts";
import type { Ask, Input } from "./input.ts";
import { createLists } from "./lists.ts";
import { isWebAddress, type Owned, splitName, splitUri } from "./names.ts";
import { explain, RpcError, toolErrorReply } from "./rpc.ts";
import type { View } from "./view.ts";

/** A request to be routed. */
export type Routed = {
	readonly era: Era;
	readonly method: string;
	readonly params: Bytes | null;
	readonly signal: AbortSignal;
	readonly onNotification: (message: Bytes) => void;
	/** Asks the user of a legacy client; null when that cannot be. A modern client is asked by its answer. */
	readonly ask: Ask | null;
	/** The legacy session, or empty. */
	readonly session: string;
	/** The raw JSON of the log level that the client wants, or null. */
	readonly logLevel: string | null;
};

export type Router = {
	/** The entries of a list as this view shows them: a JSON array. */
	readonly list: (view: View, kind: ListKind) => Promise<Bytes>;
	/** Sends a request to the one server it names. @throws RpcError for a name nobody has */
	readonly request: (view: View, routed: Routed) => Promise<Reply>;
	/**
	 * Watches a resource by its exposed URI until the returned function is called.
	 * @throws RpcError for a resource nobody has
	 */
	readonly watch: (
		view: View,
		uri: string,
		signal: AbortSignal,
	) => Promise<() => void>;
	/** What the view's servers can do together, and how to use them. */
	readonly describe: (view: View) => Promise<Description>;
	/** Which arguments of a tool a modern client must repeat as headers. */
	readonly mirrored: (view: View, tool: string) => Promise<ParamHeaders>;
	/** Every upstream of the view that is awake. */
	readonly awake: (view: View) => readonly Upstream[];
};

export type Description = {
	readonly capabilities: Readonly<Record<string, unknown>>;
	readonly instructions: string | undefined;
};

/** How long `initialize` and `server/discover` wait for a server that has never been asked. */
const DESCRIBE_DEADLINE_MS = 5000;
const INSTRUCTIONS_LENGTH_MAX = 16_000;

/** Where a method keeps the name that says who is asked. */
const NAMED: Readonly<
	Record<string, "tool" | "prompt" | "resource" | "reference">
> = {
	"tools/call": "tool",
	"prompts/get": "prompt",
	"resources/read": "resource",
	"completion/complete": "reference",
};

type Target = {
	readonly server: Server;
	readonly name: string | null;
	/** The params with the server's own name in them. */
	readonly params: Bytes | null;
};

export function createRouter(deps: {
	readonly upstreams: Upstreams;
	/** Told of every upstream that is used, again and again. */
	readonly onUpstream: (upstream: Upstream) => void;
	readonly input: Input;
	readonly calls: CallRecorder;
	readonly clock: Clock;
	readonly log: Log;
}): Router {
	const upstreamOf = (view: View, server: Server): Upstream => {
		const { caller, capabilities } = view;
		const upstream = deps.upstreams.forUser(
			server,
			caller.userId,
			capabilities,
		);
		deps.onUpstream(upstream);
		return upstream;
	};
	const lists = createLists({ upstreamOf, log: deps.log });

	/** A web address keeps its spelling at the shared endpoint: its owner is whoever lists it. */
	const listerOf = async (view: View, uri: string): Promise<Server | null> => {
		for (const server of view.servers) {
			const items = await lists.of(view, server, "resources");
			if (items.some((item) => item.key === uri)) return server;
		}
		return null;
	};

	const targetOf = async (
		view: View,
		{ era, method, params }: Routed,
	): Promise<Target> => {
		const kind = NAMED[method];
		if (view.only)
			return {
				server: view.only,
				name: kind ? plainName(kind, params) : null,
				params,
			};
		if (!kind || !params) throw methodNotFound(method);
		const place = nameIn(kind, params);
		const exposed = parseJson(params, place);
		if (typeof exposed !== "string")
			throw invalidParams(
				`the params of ${method} must name what is asked for`,
			);
		const owned = await ownerOf(view, era, place.isUri, exposed, listerOf);
		const edits: Edit[] = [
			{ start: place.start, end: place.end, text: JSON.stringify(owned.name) },
		];
		return {
			server: owned.server,
			name: owned.name,
			params: splice(params, edits),
		};
	};

	/** Sends the call on, in the pairing of eras that client and server make. */
	const converse = async (
		view: View,
		routed: Routed,
		{ server, name, params }: Target,
		upstream: Upstream,
		era: Era,
	): Promise<Reply> => {
		const { method, signal, onNotification, ask, logLevel } = routed;
		const { userId, clientId } = view.caller;
		const call = {
			method,
			params,
			signal,
			onNotification,
			asker: `${userId} ${clientId} ${routed.session}`,
			...(logLevel === null ? {} : { logLevel }),
		};
		const purpose = JSON.stringify([userId, clientId, server.id, method, name]);
		const interactive = { purpose, upstream, call };
		if (routed.era === "legacy")
			return era === "modern"
				? deps.input.fulfil(interactive, ask)
				: upstream.request(ask ? { ...call, onQuestion: ask } : call);
		if (era === "modern") return deps.input.pass(interactive);
		return upstream.capabilities === NO_CAPABILITIES
			? upstream.request(call)
			: deps.input.park(interactive);
	};

	const forward = async (
		view: View,
		routed: Routed,
		target: Target,
		upstream: Upstream,
	): Promise<Reply> => {
		const { era } = await upstream.facts(routed.signal);
		const reply = await converse(view, routed, target, upstream, era);
		const exposed =
			view.only === null &&
			reply.member === "result" &&
			mayHoldUris(routed.method) &&
			hasResources(upstream)
				? {
						...reply,
						body: exposeResult(target.server.slug, await whole(reply.body)),
					}
				: reply;
		return adaptResult(routed, era, exposed);
	};

	const request = async (view: View, routed: Routed): Promise<Reply> => {
		const target = await targetOf(view, routed);
		if (routed.method === "tools/call" && !isAllowed(target))
			throw unknownName("tool", routed);
		const startedMs = deps.clock.nowMs();
		const record = (
			outcome: "ok" | "tool_error" | "error" | "cancelled",
		): void =>
			deps.calls.record({
				userId: view.caller.userId,
				clientId: view.caller.clientId,
				serverId: target.server.id,
				method: routed.method,
				name: target.name,
				outcome,
				durationMs: Math.round(deps.clock.nowMs() - startedMs),
			});
		try {
			const reply = await forward(
				view,
				routed,
				target,
				upstreamOf(view, target.server),
			);
			record(
				reply.member === "error"
					? "error"
					: isToolError(routed.method, reply)
						? "tool_error"
						: "ok",
			);
			return reply;
		} catch (error) {
			record(routed.signal.aborted ? "cancelled" : "error");
			// A tool that cannot be reached is something the model should read, not a fault of the protocol.
			if (
				routed.method === "tools/call" &&
				error instanceof SallyportError &&
				error.code !== "internal"
			)
				return adaptResult(routed, "legacy", toolErrorReply(explain(error)));
			throw error;
		}
	};

	const watch: Router["watch"] = async (view, uri, signal) => {
		const owned = view.only
			? { server: view.only, name: uri }
			: await ownerOf(view, "legacy", true, uri, listerOf);
		return upstreamOf(view, owned.server).watch(owned.name, signal);
	};

	const mirrored: Router["mirrored"] = async (view, tool) => {
		const owned = view.only
			? { slug: view.only.slug, name: tool }
			: splitName(tool);
		const server = view.servers.find(({ slug }) => slug === owned?.slug);
		if (!owned || !server) return [];
		const tools = await lists.of(view, server, "tools");
		return marksOf(tools).get(owned.name) ?? [];
	};

	const describe = async (view: View): Promise<Description> => {
		const known = await Promise.all(
			view.servers.map(async (server) => ({
				server,
				facts: await factsOf(upstreamOf, view, server, deps.log),
			})),
		);
		return {
			capabilities: capabilitiesOf(known.map(({ facts }) => facts)),
			instructions: instructionsOf(view, known),
		};
	};

	return {
		list: lists.merged,
		request,
		watch,
		mirrored,
		describe,
		awake: (view) =>
			view.servers
				.flatMap((server) => deps.upstreams.live(server.id))
				.filter(
					(upstream) =>
						upstream.identity === "shared" ||
						upstream.identity === view.caller.userId,
				),
	};
}

/** The marked tools of a list, found once for as long as the list is the same. */
const marks = new WeakMap<readonly Item[], ReadonlyMap<string, ParamHeaders>>();

function marksOf(tools: readonly Item[]): ReadonlyMap<string, ParamHeaders> {
	const known = marks.get(tools);
	if (known) return known;
	const found = new Map<string, ParamHeaders>();
	for (const { key, bytes } of tools) {
		const headers = paramHeadersOf(bytes);
		if (headers && headers.length > 0) found.set(key, headers);
	}
	marks.set(tools, found);
	return found;
}

type Place = {
	readonly start: number;
	readonly end: number;
	readonly isUri: boolean;
};

/** Where the name stands in the params. @throws RpcError when it is missing */
function nameIn(
	kind: "tool" | "prompt" | "resource" | "reference",
	params: Bytes,
): Place {
	if (kind !== "reference") {
		const member = memberOf(params, 0, kind === "resource" ? "uri" : "name");
		if (!member)
			throw invalidParams(
				kind === "resource"
					? "params.uri is missing"
					: "params.name is missing",
			);
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
function plainName(
	kind: "tool" | "prompt" | "resource" | "reference",
	params: Bytes | null,
): string | null {
	if (!params) return null;
	try {
		const value = parseJson(params, nameIn(kind, params));
		return typeof value === "string" ? value : null;
	} catch {
		return null; // at a server's own endpoint its own error is the better answer
	}
}

async function ownerOf(
	view: View,
	era: Era,
	isUri: boolean,
	exposed: string,
	listerOf: (view: View, uri: string) => Promise<Server | null>,
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

function isAllowed({ server, name }: Target): boolean {
	return (
		server.tools === null || (name !== null && server.tools.includes(name))
	);
}

function hasResources(upstream: Upstream): boolean {
	return upstream.knownFacts()?.capabilities["resources"] !== undefined;
}

/** `"isError":true` in a small result; a large one is not read for the record's sake. */
function isToolError(method: string, { body }: Reply): boolean {
	return (
		method === "tools/call" &&
		body instanceof Uint8Array &&
		body.length < 4096 &&
		/"isError"\s*:\s*true/.test(
			Buffer.from(body.buffer, body.byteOffset, body.length).toString("latin1"),
		)
	);
}

async function whole(body: Bytes | ReadableStream<Bytes>): Promise<Bytes> {
	return body instanceof Uint8Array ? body : new Response(body).bytes();
}

async function factsOf(
	upstreamOf: (view: View, server: Server) => Upstream,
	view: View,
	server: Server,
	log: Log,
): Promise<ServerFacts | null> {
	try {
		const upstream = upstreamOf(view, server);
		return (
			upstream.knownFacts() ??
			(await upstream.facts(AbortSignal.timeout(DESCRIBE_DEADLINE_MS)))
		);
	} catch (error) {
		if (!(error instanceof SallyportError)) throw error;
		log.warn("server not described", {
			slug: server.slug,
			reason: error.message,
		});
		return null;
	}
}

/** The union of what the servers can really do and we carry. A declared list always answers, if with nothing. */
function capabilitiesOf(
	all: readonly (ServerFacts | null)[],
): Readonly<Record<string, unknown>> {
	const has = (name: string): boolean =>
		all.some((facts) => facts?.capabilities[name] !== undefined);
	const watches = all.some(
		(facts) =>
			(facts?.capabilities["resources"] as { subscribe?: unknown } | undefined)
				?.subscribe === true,
	);
	return {
		tools: { listChanged: true },
		...(has("prompts") ? { prompts: { listChanged: true } } : {}),
		...(has("resources")
			? {
					resources: {
						listChanged: true,
						...(watches ? { subscribe: true } : {}),
					},
				}
			: {}),
		...(has("completions") ? { completions: {} } : {}),
		...(has("logging") ? { logging: {} } : {}),
	};
}

function instructionsOf(
	view: View,
	known: readonly {
		readonly server: Server;
		readonly facts: ServerFacts | null;
	}[],
): string | undefined {
	if (view.only) return known[0]?.facts?.instructions;
	const parts = known.flatMap(({ server, facts }) =>
		facts?.instructions
			? [`Tools that begin with ${server.slug}_: ${facts.instructions}`]
			: [],
	);
	return parts.length === 0
		? undefined
		: parts.join("\n\n").slice(0, INSTRUCTIONS_LENGTH_MAX);
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

function unknownName(what: string, routed: Routed): RpcError {
	const member = routed.params && memberOf(routed.params, 0, "name");
	const name = member && routed.params ? parseJson(routed.params, member) : "";
	return invalidParams(`unknown ${what}: ${String(name).slice(0, 200)}`);
}

function resourceNotFound(era: Era, uri: string): RpcError {
	return new RpcError(
		era === "modern" ? RPC.invalidParams : RPC.resourceNotFound,
		"resource not found",
		{ data: { uri: uri.slice(0, 2000) } },
	);
}
