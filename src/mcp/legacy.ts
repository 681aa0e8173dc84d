/**
 * The legacy era toward clients: a handshake, a session, a stream to listen on.
 * A closed connection is not a cancellation; `notifications/cancelled` is.
 *
 * @see specification 2025-11-25, basic/lifecycle and basic/transports; 2025-06-18 and 2025-03-26 likewise
 */
import { Abort, type Abortable } from "../abort.ts";
import { cut, join } from "../assembly.ts";
import { headerLines, NO_HEADERS } from "../http1/header-lines.ts";
import type { HttpRequest } from "../http1/incoming.ts";
import { type Later, PlainResponse } from "../http1/outgoing.ts";
import type { Bytes } from "../message.ts";
import { mintNonce } from "../mint.ts";
import {
	HEADER,
	ICONS_REVISION,
	LATEST_LEGACY_REVISION,
	LEGACY_REVISIONS,
	LEGACY_TASKS_REVISION,
	RPC,
} from "../protocol.ts";
import { wrapAnswer } from "../upstream/envelope.ts";
import type { Reply } from "../upstream/upstream.ts";
import {
	answer,
	type Client,
	JSON_HEADERS,
	jsonResponse,
	type Manner,
} from "./answer.ts";
import {
	isAskable,
	isTied,
	NO_CAPABILITIES,
	sessionCapabilities,
} from "./capabilities.ts";
import type { Exchange, McpDeps, Place } from "./endpoint.ts";
import type { Ask } from "./input.ts";
import type { Merged } from "./lists.ts";
import { mayShow, parseLevel } from "./logging.ts";
import { LIST_OF, refuseCursor } from "./modern.ts";
import type { Incoming } from "./request.ts";
import type { Routed } from "./routed.ts";
import { errorReply, RpcError, resultReply } from "./rpc.ts";
import { selfOf } from "./self.ts";
import type { Session } from "./session.ts";
import {
	createEventStream,
	type EventSink,
	type EventStream,
	streamResponse,
} from "./stream.ts";
import type { End } from "./ties.ts";
import { type View, viewOf, viewOfClient } from "./view.ts";

/** GET streams of one session at once; the oldest is ended for a new one. */
const STREAMS_MAX = 4;

/** Answers one legacy request. */
export function legacy(
	deps: McpDeps,
	exchange: Exchange,
): PlainResponse | Later<PlainResponse> {
	const { envelope, id, place } = exchange;
	if (envelope.method === "initialize")
		return deps.settled(exchange, initialize(deps, exchange));
	const session = requireSession(deps, exchange.request, place);
	if (session.running.has(id))
		throw new RpcError(
			RPC.invalidRequest,
			"a request with this id is still running",
			{ status: 400 },
		);
	const call = new LegacyCall(deps, exchange, session);
	session.running.set(id, call.signal);
	return answer(call);
}

/** One request of a session. A class, because every call makes one. */
class LegacyCall implements Manner {
	readonly exchange: Exchange;
	readonly session: Session;
	readonly signal = new Abort();
	readonly id: string;
	readonly streams: boolean;
	readonly #deps: McpDeps;

	constructor(deps: McpDeps, exchange: Exchange, session: Session) {
		this.exchange = exchange;
		this.session = session;
		this.id = exchange.id;
		this.streams = exchange.streams;
		this.#deps = deps;
	}

	reply(client: Client): Reply | Promise<Reply> | null {
		return reply(this.#deps, this, client);
	}

	failed(error: unknown): Reply {
		return this.#deps.failed(this.exchange, error);
	}

	onEnd(): void {
		this.session.running.delete(this.id);
	}

	statusOf(): number {
		return 200;
	}

	/** A call goes on without its client, which did not ask to cancel and may come back for the answer. */
	onGone(): void {}

	trackOn(connection: EventStream): EventSink {
		return this.session.tracks.open(this.id, connection);
	}
}

/** A notification, or the answer to a question of ours: taken, never answered. */
export function legacyOneWay(
	deps: McpDeps,
	request: HttpRequest,
	place: Place,
	{ message, envelope }: Incoming,
): PlainResponse {
	const session = requireSession(deps, request, place);
	if (message.kind === "response" && message.id !== null)
		session.questions.get(message.id)?.({
			member: message.member,
			body: cut(message.bytes, message.body.start, message.body.end),
		});
	if (envelope.method === "notifications/cancelled") {
		const id = envelope.param("requestId");
		session.running.get(JSON.stringify(id) ?? "")?.abort();
	}
	if (envelope.method === "notifications/roots/list_changed")
		deps.ties.rootsChanged(endOf(session));
	return new PlainResponse(202, NO_HEADERS, []);
}

/** The session outside any call: what is said or asked there goes out on the newest stream of its client. */
function endOf(session: Session): End {
	const known = ends.get(session);
	if (known) return known;
	const send = (message: Bytes): void =>
		[...session.streams].at(-1)?.send(message);
	const end: End = {
		tell: send,
		ask: async (question) =>
			session.streams.size > 0
				? askOn(session, send, AbortSignal.timeout(ASK_TIMEOUT_MS))(question)
				: errorReply(
						new RpcError(RPC.internalError, "the client does not listen"),
					),
	};
	ends.set(session, end);
	return end;
}

const ends = new WeakMap<Session, End>();
/** For an answer that no person has to give. */
const ASK_TIMEOUT_MS = 30_000;

/** Asks the client on the stream of the call that the question belongs to, and waits for what it posts. */
function askOn(
	session: Session,
	notify: (message: Bytes) => void,
	signal: Abortable,
): Ask {
	return async ({ method, params }) => {
		if (session.questions.size >= QUESTIONS_MAX)
			return errorReply(
				new RpcError(
					RPC.internalError,
					"too many questions wait for the client",
				),
			);
		const id = JSON.stringify(mintNonce());
		const { promise, resolve } = Promise.withResolvers<Reply>();
		const drop = (): void =>
			resolve(
				errorReply(new RpcError(RPC.internalError, "the call was cancelled")),
			);
		session.questions.set(id, resolve);
		signal.addEventListener("abort", drop, { once: true });
		notify(
			join([
				`{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)}`,
				...(params ? [',"params":', params] : []),
				"}",
			]),
		);
		try {
			return await promise;
		} finally {
			session.questions.delete(id);
			signal.removeEventListener("abort", drop);
		}
	};
}

/** Questions of one session that wait at once. */
const QUESTIONS_MAX = 32;

/** GET: the stream on which a client hears of changes, or one that it had before and takes up again. */
export function legacyStream(
	deps: McpDeps,
	request: HttpRequest,
	place: Place,
): PlainResponse {
	const session = requireSession(deps, request, place);
	const connection = createEventStream();
	request.signal.addEventListener("abort", connection.end, { once: true });
	const response = streamResponse(connection);
	const lastId = request.headers.get(HEADER.lastEventId);
	const resumed = lastId === null ? null : session.tracks.resume(lastId);
	if (resumed?.kind === "found") {
		resumed.track.connect(connection, resumed.after);
		return response;
	}
	if (resumed?.kind === "lost") {
		connection.send(lostAnswer(resumed.callId));
		connection.end();
		return response;
	}
	const stream = session.tracks.open(null, connection);
	session.streams.add(stream);
	stream.onEnd(() => session.streams.delete(stream));
	if (session.streams.size > STREAMS_MAX) [...session.streams][0]?.end();
	const view = (): ReturnType<typeof viewOf> =>
		viewOf(deps.directory, place.caller, place.slug);
	deps.subscriptions.add(
		stream,
		{
			lists: new Set(["tools", "prompts", "resources"]),
			resources: session.watched,
			tasks: new Map(),
			logLevel: () => session.logLevel ?? "debug",
			subscriptionId: null,
		},
		view,
	);
	return response;
}

/** The answer to a call whose stream is not there any more: the gateway was restarted, or it is too long ago. */
function lostAnswer(callId: string): Bytes {
	const { member, body } = errorReply(
		new RpcError(
			RPC.internalError,
			"the answer to this call is lost: look whether it was done, or call again",
		),
	);
	return wrapAnswer(callId, member, body as Bytes);
}

/** DELETE: the client is done. */
export function legacyEnd(
	deps: McpDeps,
	request: HttpRequest,
	place: Place,
): PlainResponse {
	deps.sessions.end(requireSession(deps, request, place));
	return new PlainResponse(204, NO_HEADERS, []);
}

async function initialize(
	deps: McpDeps,
	{ envelope, id, place, view }: Exchange,
): Promise<PlainResponse> {
	const wanted = envelope.param("protocolVersion");
	const protocolVersion =
		LEGACY_REVISIONS.find((revision) => revision === wanted) ??
		LATEST_LEGACY_REVISION;
	const asked = sessionCapabilities(envelope.param("capabilities"));
	const { capabilities, instructions, icons } = await deps.router.describe({
		...view,
		capabilities: asked,
		tasks: tasksIn(protocolVersion),
	});
	const session = deps.sessions.open(
		place.caller,
		place.slug ?? "",
		protocolVersion,
		asked,
	);
	const result = {
		protocolVersion,
		capabilities,
		serverInfo: {
			...selfOf(deps.version),
			...(protocolVersion >= ICONS_REVISION && {
				icons: icons.length > 0 ? icons : deps.icons,
			}),
		},
		...(instructions === undefined ? {} : { instructions }),
	};
	return jsonResponse(
		id,
		resultReply(result),
		200,
		headerLines({ ...JSON_HEADERS, [HEADER.sessionId]: session.id }),
	);
}

function reply(
	deps: McpDeps,
	call: LegacyCall,
	client: Client,
): Reply | Promise<Reply> | null {
	const { exchange, session, signal } = call;
	const { envelope, params } = exchange;
	const { method } = envelope;
	const view = sessionView(exchange, session);
	if (method === "ping") return resultReply({});
	if (method === "logging/setLevel")
		return setLevel(deps, view, session, envelope.param("level"), params);
	if (method === "resources/subscribe" || method === "resources/unsubscribe")
		return watch(deps, view, session, exchange, signal);
	if (method.startsWith("tasks/") && view.tasks === null)
		throw new RpcError(RPC.methodNotFound, `unknown method: ${method}`);
	if (method === "tasks/list")
		return deps.router.tasks(view, envelope.param("cursor"), signal);
	const kind = LIST_OF.get(method);
	if (kind) {
		refuseCursor(envelope);
		const list = deps.router.list(view, kind);
		return list instanceof Promise ? list.then(listReply) : listReply(list);
	}
	deps.router.send(view, routedOf(view, call, client), client);
	return null;
}

function routedOf(view: View, call: LegacyCall, client: Client): Routed {
	const { session, signal } = call;
	const { envelope } = call.exchange;
	return {
		era: "legacy",
		method: envelope.method,
		params: envelope.params,
		signal,
		onNotification: (message) => {
			if (mayShow(message, session.logLevel ?? "debug")) client.notify(message);
		},
		ask: isAskable(view.capabilities)
			? askOn(session, notifyOn(client), signal)
			: null,
		session: session.id,
		end: isTied(view.capabilities) ? endOf(session) : null,
		logLevel:
			session.logLevel === null ? null : JSON.stringify(session.logLevel),
	};
}

function notifyOn(client: Client): (message: Bytes) => void {
	return (message) => client.notify(message);
}

function listReply({ bytes }: Merged): Reply {
	return { member: "result", body: bytes };
}

function sessionView({ view, streams }: Exchange, { row }: Session): View {
	// Without a stream to ask on, the client cannot be asked, whatever it declared.
	const capabilities = streams ? row.capabilities : NO_CAPABILITIES;
	return viewOfClient(view, capabilities, tasksIn(row.protocolVersion));
}

/** The kind of tasks that a revision has. */
function tasksIn(protocolVersion: string): View["tasks"] {
	return protocolVersion === LEGACY_TASKS_REVISION ? "legacy" : null;
}

/** The level is a wish to every server that is awake and logs; one that sleeps has nothing to say. */
async function setLevel(
	deps: McpDeps,
	view: View,
	session: Session,
	wanted: unknown,
	params: Bytes | null,
): Promise<Reply> {
	const level = parseLevel(wanted);
	if (level === null)
		throw new RpcError(
			RPC.invalidParams,
			"params.level must be a syslog level from debug to emergency",
		);
	session.logLevel = level;
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
/** Resources that one session may watch. */
const WATCHED_MAX = 200;

/** `resources/subscribe` and its opposite. */
async function watch(
	deps: McpDeps,
	view: View,
	{ watched }: Session,
	{ envelope }: Exchange,
	signal: Abortable,
): Promise<Reply> {
	const uri = envelope.param("uri");
	if (typeof uri !== "string")
		throw new RpcError(RPC.invalidParams, "params.uri is missing");
	if (envelope.method === "resources/unsubscribe") {
		watched.get(uri)?.();
		watched.delete(uri);
	} else if (!watched.has(uri)) {
		if (watched.size >= WATCHED_MAX)
			throw new RpcError(
				RPC.internalError,
				`a session can watch ${WATCHED_MAX} resources`,
			);
		watched.set(uri, await deps.router.watch(view, uri, signal));
	}
	return resultReply({});
}

/** @throws RpcError 400 without a session id, 404 for one that is not this caller's: the client starts anew */
function requireSession(
	deps: McpDeps,
	request: HttpRequest,
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
