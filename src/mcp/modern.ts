/**
 * The modern era toward clients: every request on its own, no handshake, no session.
 * A closed connection is a cancellation.
 *
 * @see specification 2026-07-28, basic/transports/streamable-http and server/*
 */
import { Abort } from "../abort.ts";
import { splice } from "../assembly.ts";
import { Deadline, deadlines } from "../clock.ts";
import type { Later, PlainResponse } from "../http1/outgoing.ts";
import { objectOf } from "../message.ts";
import { EXTENSION, isModernErrorCode, META, RPC } from "../protocol.ts";
import { LISTS, type ListKind, type Reply } from "../upstream/upstream.ts";
import { answer, type Client, type Manner } from "./answer.ts";
import { declaredCapabilities, declaresTasks } from "./capabilities.ts";
import type { Exchange, McpDeps } from "./endpoint.ts";
import type { Envelope } from "./envelope.ts";
import { SUPPORTED_REVISIONS } from "./era.ts";
import { LIST_TTL_MS, type Merged } from "./lists.ts";
import { mayShow, parseLevel } from "./logging.ts";
import type { Routed } from "./routed.ts";
import { asRpcError, RpcError, resultReply } from "./rpc.ts";
import { selfOf } from "./self.ts";
import {
	createEventStream,
	type EventSink,
	type EventStream,
	streamResponse,
} from "./stream.ts";
import { type ListChange, tagged } from "./subscriptions.ts";
import { slugOf, type View, viewOf, viewOfClient } from "./view.ts";

/** Methods that only the legacy era has. */
const GONE = new Set([
	"initialize",
	"ping",
	"logging/setLevel",
	"resources/subscribe",
	"resources/unsubscribe",
	"tasks/result",
	"tasks/list",
]);

/** Methods of the tasks extension, which belong to clients that declare it. */
const TASK_METHODS = new Set(["tasks/get", "tasks/update", "tasks/cancel"]);

/** Which list a method asks for. */
export const LIST_OF: ReadonlyMap<string, ListKind> = new Map(
	(Object.keys(LISTS) as ListKind[]).map((kind) => [LISTS[kind].method, kind]),
);

/** Answers one modern request. @throws RpcError when it is one that this era does not have */
export function modern(
	deps: McpDeps,
	exchange: Exchange,
): PlainResponse | Later<PlainResponse> {
	const { method } = exchange.envelope;
	if (GONE.has(method))
		throw new RpcError(RPC.methodNotFound, `unknown method: ${method}`, {
			status: 404,
		});
	if (TASK_METHODS.has(method)) requireTasks(exchange);
	if (method === "subscriptions/listen")
		return deps.settled(exchange, listen(deps, exchange));
	return answer(new ModernCall(deps, exchange));
}

/** Whether the client is still there is looked at after so long. */
const HASTE_MS = 50;

/** One request, which ends with its connection. A class, because every call makes one. */
class ModernCall extends Deadline implements Manner, EventListenerObject {
	readonly exchange: Exchange;
	readonly signal = new Abort();
	readonly id: string;
	readonly streams: boolean;
	readonly #deps: McpDeps;
	#connection: AbortSignal | null = null;

	constructor(deps: McpDeps, exchange: Exchange) {
		super();
		this.exchange = exchange;
		this.id = exchange.id;
		this.streams = exchange.streams;
		this.#deps = deps;
	}

	reply(client: Client): Reply | Promise<Reply> | null {
		deadlines.add(this, HASTE_MS);
		return reply(this.#deps, this, client);
	}

	/** What is answered in a moment need not be given up: the platform's signal is made for the rest. */
	onLate(): void {
		this.#connection = this.exchange.request.signal;
		if (this.#connection.aborted) this.signal.abort();
		else this.#connection.addEventListener("abort", this);
	}

	failed(error: unknown): Reply {
		return this.#deps.failed(this.exchange, error);
	}

	onEnd(): void {
		deadlines.delete(this);
		this.#connection?.removeEventListener("abort", this);
	}

	/** An unknown method is 404 here; a header or envelope at fault was refused before. */
	statusOf({ member, body }: Reply): number {
		if (member === "result" || !(body instanceof Uint8Array)) return 200;
		const { code } = JSON.parse(Buffer.from(body).toString("utf8")) as {
			code?: unknown;
		};
		if (code === RPC.methodNotFound) return 404;
		return isModernErrorCode(code) ? 400 : 200;
	}

	onGone(): void {
		this.signal.abort();
	}

	/** The request's own signal, before there is a response. */
	handleEvent(): void {
		this.signal.abort();
	}

	/** What breaks is asked for again: there is nothing to take up. */
	trackOn(connection: EventStream): EventSink {
		return connection;
	}
}

/** The view of a client that has said with this request what it can be asked. */
function askingView({ envelope, view }: Exchange): View {
	return viewOfClient(view, declaredCapabilities(envelope), "modern");
}

function reply(
	deps: McpDeps,
	call: ModernCall,
	client: Client,
): Reply | Promise<Reply> | null {
	const { envelope } = call.exchange;
	const view = askingView(call.exchange);
	if (envelope.method === "server/discover") return discover(deps, view);
	const kind = LIST_OF.get(envelope.method);
	if (kind) return list(deps, view, envelope, kind);
	deps.router.send(view, routedOf(call, client), client);
	return null;
}

function list(
	deps: McpDeps,
	view: View,
	envelope: Envelope,
	kind: ListKind,
): Reply | Promise<Reply> {
	refuseCursor(envelope);
	const list = deps.router.list(view, kind);
	return list instanceof Promise
		? list.then((merged) => listReply(deps, merged))
		: listReply(deps, list);
}

function routedOf({ exchange, signal }: ModernCall, client: Client): Routed {
	const { envelope, params, request } = exchange;
	// A request that names no level wants no log lines (2026-07-28, server/utilities/logging).
	const level = parseLevel(envelope.meta(META.logLevel));
	return {
		era: "modern",
		method: envelope.method,
		params,
		signal,
		onNotification: (message) => {
			if (mayShow(message, level)) client.notify(message);
		},
		ask: null,
		session: "",
		end: null,
		logLevel: null,
		headers: request.headers,
	};
}

/** A list with what the modern era says of one. */
function listReply({ version }: McpDeps, { bytes, ttlMs }: Merged): Reply {
	return {
		member: "result",
		body: splice(bytes, [
			{ start: 1, end: 1, text: '"resultType":"complete",' },
			{
				start: bytes.length - 1,
				end: bytes.length,
				// What a caller sees depends on their scope: it is nobody else's.
				text: `,"ttlMs":${Math.round(ttlMs)},"cacheScope":"private","_meta":${serverMeta(version)}}`,
			},
		]),
	};
}

async function discover(deps: McpDeps, view: Exchange["view"]): Promise<Reply> {
	const { capabilities, instructions, icons } =
		await deps.router.describe(view);
	return resultReply({
		resultType: "complete",
		supportedVersions: SUPPORTED_REVISIONS,
		capabilities,
		...(instructions === undefined ? {} : { instructions }),
		ttlMs: LIST_TTL_MS,
		cacheScope: "private",
		_meta: {
			[META.serverInfo]: {
				...selfOf(deps.version),
				icons: icons.length > 0 ? icons : deps.icons,
			},
		},
	});
}

/** A stream of changes: acknowledged first, with the part of the wish that will be heard. */
async function listen(
	deps: McpDeps,
	exchange: Exchange,
): Promise<PlainResponse> {
	const { envelope, id, request } = exchange;
	const view = askingView(exchange);
	const wished = objectOf(envelope.param("notifications"));
	const lists = CHANGES.filter((list) => wished[`${list}ListChanged`] === true);
	const uris = stringsIn(wished["resourceSubscriptions"]);
	const taskIds = stringsIn(wished["taskIds"]);
	if (taskIds.length > 0) requireTasks(exchange);
	const stream = createEventStream();
	request.signal.addEventListener("abort", stream.end, { once: true });
	/** Watches what can be watched; the rest is left out of the acknowledgement. */
	const watching = async (
		wanted: readonly string[],
		watch: McpDeps["router"]["watch"],
	): Promise<ReadonlyMap<string, () => void>> => {
		const watched = new Map<string, () => void>();
		await Promise.all(
			wanted.map(async (name) => {
				const stop = await watch(view, name, request.signal).catch(
					(error: unknown) => {
						if (asRpcError(error)) return null;
						throw error;
					},
				);
				if (!stop) return;
				watched.set(name, stop);
				stream.onEnd(stop);
			}),
		);
		return watched;
	};
	const [resources, tasks] = await Promise.all([
		watching(uris, deps.router.watch),
		watching(taskIds, deps.router.watchTask),
	]);
	const honoured = {
		...Object.fromEntries(lists.map((list) => [`${list}ListChanged`, true])),
		...(uris.length > 0 && { resourceSubscriptions: [...resources.keys()] }),
		...(tasks.size > 0 && { taskIds: [...tasks.keys()] }),
	};
	stream.send(
		tagged(
			"notifications/subscriptions/acknowledged",
			id,
			`"notifications":${JSON.stringify(honoured)}`,
		),
	);
	deps.subscriptions.add(
		stream,
		{
			lists: new Set(lists),
			resources,
			tasks,
			logLevel: () => null,
			subscriptionId: id,
		},
		() => viewOf(deps.directory, view.caller, slugOf(view)),
	);
	return streamResponse(stream);
}

const CHANGES: readonly ListChange[] = ["tools", "prompts", "resources"];
/** Resources that one stream may watch. */
const WATCHED_MAX = 200;

function stringsIn(value: unknown): readonly string[] {
	if (!Array.isArray(value)) return [];
	const strings = value.filter((each) => typeof each === "string");
	return [...new Set(strings)].slice(0, WATCHED_MAX);
}

/** Lists come whole, so no cursor of ours exists. */
export function refuseCursor(envelope: Envelope): void {
	if (envelope.param("cursor") !== undefined)
		throw new RpcError(RPC.invalidParams, "the cursor is not one of ours");
}

/** @throws RpcError `-32021` for a client that did not declare the tasks extension with this request */
function requireTasks({ envelope }: Exchange): void {
	if (declaresTasks(declaredCapabilities(envelope))) return;
	throw new RpcError(
		RPC.missingClientCapability,
		"this needs a client that declares the tasks extension",
		{
			data: { requiredCapabilities: { extensions: { [EXTENSION.tasks]: {} } } },
			status: 400,
		},
	);
}

function serverMeta(version: string): string {
	return JSON.stringify({ [META.serverInfo]: selfOf(version) });
}
