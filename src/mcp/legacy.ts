/**
 * The legacy era toward clients: a handshake, a session, a stream to listen on.
 * A closed connection is not a cancellation; `notifications/cancelled` is.
 *
 * @see specification 2025-11-25, basic/lifecycle and basic/transports; 2025-06-18 and 2025-03-26 likewise
 */
import { type Bytes, join } from "../message.ts";
import {
	HEADER,
	LATEST_LEGACY_REVISION,
	LEGACY_REVISIONS,
	RPC,
} from "../protocol.ts";
import { LISTS, type Reply } from "../upstream/upstream.ts";
import { answer, jsonResponse } from "./answer.ts";
import type { Exchange, McpDeps, Place } from "./endpoint.ts";
import { LIST_OF, refuseCursor } from "./modern.ts";
import type { Incoming } from "./request.ts";
import { RpcError, resultReply } from "./rpc.ts";
import type { Session } from "./session.ts";
import { createEventStream, EVENT_STREAM_HEADERS } from "./stream.ts";
import { viewOf } from "./view.ts";

/** GET streams of one session at once; the oldest is ended for a new one. */
const STREAMS_MAX = 4;
const LOG_LEVELS = new Set([
	"debug",
	"info",
	"notice",
	"warning",
	"error",
	"critical",
	"alert",
	"emergency",
]);

/** Answers one legacy request. */
export async function legacy(
	deps: McpDeps,
	exchange: Exchange,
): Promise<Response> {
	const { envelope, id, place, view } = exchange;
	if (envelope.method === "initialize") return initialize(deps, exchange);
	const session = requireSession(deps, exchange.request, place);
	if (session.running.has(id))
		throw new RpcError(
			RPC.invalidRequest,
			"a request with this id is still running",
			{ status: 400 },
		);
	const controller = new AbortController();
	session.running.set(id, controller);
	try {
		return await answer({
			...exchange,
			run: (notify) =>
				deps
					.guarded(exchange, () =>
						reply(deps, exchange, view, controller.signal, notify),
					)
					.finally(() => session.running.delete(id)),
			statusOf: () => 200,
			// The client may come back for nothing, but its call goes on: it did not ask to cancel.
			onGone: () => {},
		});
	} catch (error) {
		session.running.delete(id);
		throw error;
	}
}

/** A notification, or the answer to a question of ours: taken, never answered. */
export function legacyNotification(
	deps: McpDeps,
	request: Request,
	place: Place,
	incoming: Incoming,
): Response {
	const session = requireSession(deps, request, place);
	if (incoming.envelope.method === "notifications/cancelled") {
		const id = incoming.envelope.params["requestId"];
		session.running.get(JSON.stringify(id) ?? "")?.abort();
	}
	return new Response(null, { status: 202 });
}

/** GET: the stream on which a client hears of changes. */
export function legacyStream(
	deps: McpDeps,
	request: Request,
	place: Place,
): Response {
	const session = requireSession(deps, request, place);
	place.patient();
	const stream = createEventStream();
	session.streams.add(stream);
	stream.onEnd(() => session.streams.delete(stream));
	if (session.streams.size > STREAMS_MAX) [...session.streams][0]?.end();
	request.signal.addEventListener("abort", stream.end, { once: true });
	const view = (): ReturnType<typeof viewOf> =>
		viewOf(deps.directory, place.caller, place.slug);
	deps.subscriptions.add(
		stream,
		{
			lists: new Set(["tools", "prompts", "resources"]),
			logs: true,
			subscriptionId: null,
		},
		view,
	);
	return new Response(stream.body, { headers: EVENT_STREAM_HEADERS });
}

/** DELETE: the client is done. */
export function legacyEnd(
	deps: McpDeps,
	request: Request,
	place: Place,
): Response {
	deps.sessions.end(requireSession(deps, request, place));
	return new Response(null, { status: 204 });
}

async function initialize(
	deps: McpDeps,
	{ envelope, id, place, view }: Exchange,
): Promise<Response> {
	const wanted = envelope.params["protocolVersion"];
	const protocolVersion =
		LEGACY_REVISIONS.find((revision) => revision === wanted) ??
		LATEST_LEGACY_REVISION;
	const { capabilities, instructions } = await deps.router.describe(view);
	const session = deps.sessions.open(
		place.caller,
		place.slug ?? "",
		protocolVersion,
	);
	const result = {
		protocolVersion,
		capabilities,
		serverInfo: { name: "sallyport", version: deps.version },
		...(instructions === undefined ? {} : { instructions }),
	};
	return jsonResponse(id, resultReply(result), 200, {
		[HEADER.sessionId]: session.id,
	});
}

async function reply(
	deps: McpDeps,
	{ envelope, params }: Exchange,
	view: Exchange["view"],
	signal: AbortSignal,
	onNotification: (message: Bytes) => void,
): Promise<Reply> {
	const { method } = envelope;
	if (method === "ping") return resultReply({});
	if (method === "logging/setLevel")
		return setLevel(deps, view, envelope.params["level"], params);
	const kind = LIST_OF.get(method);
	if (!kind)
		return deps.router.request(view, {
			era: "legacy",
			method,
			params,
			signal,
			onNotification,
		});
	refuseCursor(envelope.params);
	return {
		member: "result",
		body: join([
			`{"${LISTS[kind].member}":`,
			await deps.router.list(view, kind),
			"}",
		]),
	};
}

/** The level is a wish to every server that is awake and logs; one that sleeps has nothing to say. */
async function setLevel(
	deps: McpDeps,
	view: Exchange["view"],
	level: unknown,
	params: Bytes | null,
): Promise<Reply> {
	if (typeof level !== "string" || !LOG_LEVELS.has(level))
		throw new RpcError(
			RPC.invalidParams,
			"params.level must be a syslog level from debug to emergency",
		);
	const logging = deps.router.awake(view).filter((upstream) => {
		const facts = upstream.knownFacts();
		return (
			facts?.era === "legacy" && facts.capabilities["logging"] !== undefined
		);
	});
	const signal = AbortSignal.timeout(SET_LEVEL_TIMEOUT_MS);
	await Promise.allSettled(
		logging.map((upstream) =>
			upstream.request({ method: "logging/setLevel", params, signal }),
		),
	);
	return resultReply({});
}

const SET_LEVEL_TIMEOUT_MS = 2000;

/** @throws RpcError 400 without a session id, 404 for one that is not this caller's: the client starts anew */
function requireSession(
	deps: McpDeps,
	request: Request,
	place: Place,
): Session {
	const id = request.headers.get(HEADER.sessionId);
	if (id === null)
		throw new RpcError(
			RPC.invalidRequest,
			`the header ${HEADER.sessionId} is missing: initialize first`,
			{ status: 400 },
		);
	const session = deps.sessions.find(id, place.caller, place.slug ?? "");
	if (!session)
		throw new RpcError(
			RPC.invalidRequest,
			"the session is not known: initialize again",
			{ status: 404 },
		);
	return session;
}
