/**
 * The MCP endpoint: one HTTP request in, one response out. Both eras live at the same URL; which one a request
 * speaks is read from the request (`era.ts`), and `modern.ts` and `legacy.ts` answer it.
 *
 * It is handed a caller and knows nothing of tokens; it has a view and knows nothing of how servers are reached.
 *
 * @see specification, basic/transports, "Streamable HTTP"
 */
import type { Caller } from "../caller.ts";
import { headerLines, NO_HEADERS } from "../http1/header-lines.ts";
import type { HttpRequest } from "../http1/incoming.ts";
import { type Later, PlainResponse } from "../http1/outgoing.ts";
import type { Log } from "../log.ts";
import type { Bytes } from "../message.ts";
import { MEDIA, RPC } from "../protocol.ts";
import type { Reply } from "../upstream/upstream.ts";
import { jsonResponse } from "./answer.ts";
import type { Envelope } from "./envelope.ts";
import { eraOf, isModernHeader } from "./era.ts";
import { legacy, legacyEnd, legacyOneWay, legacyStream } from "./legacy.ts";
import { modern } from "./modern.ts";
import { type Incoming, parseIncoming, readBody } from "./request.ts";
import type { Router } from "./router.ts";
import { asRpcError, errorReply, RpcError } from "./rpc.ts";
import type { Icon } from "./self.ts";
import type { Sessions } from "./session.ts";
import type { Subscriptions } from "./subscriptions.ts";
import type { Ties } from "./ties.ts";
import { type Directory, type View, viewOf } from "./view.ts";

/** Where a request arrived and who sent it. */
export type Place = {
	readonly caller: Caller;
	/** The slug in `/mcp/<slug>`; null at `/mcp`. */
	readonly slug: string | null;
	readonly requestId: string;
};

/** One request being answered. */
export type Exchange = {
	readonly request: HttpRequest;
	readonly place: Place;
	readonly view: View;
	/** The raw JSON of the request's id. */
	readonly id: string;
	readonly envelope: Envelope;
	readonly params: Bytes | null;
	readonly streams: boolean;
};

export type McpDeps = {
	readonly router: Router;
	readonly directory: Directory;
	readonly sessions: Sessions;
	readonly subscriptions: Subscriptions;
	readonly ties: Pick<Ties, "rootsChanged">;
	readonly log: Log;
	readonly version: string;
	/** How the gateway is drawn. */
	readonly icons: readonly Icon[];
	/** What is answered when a request failed: an expected failure as it is, a bug is logged and named by its request id. */
	readonly failed: (exchange: Exchange, error: unknown) => Reply;
	/** A response that may fail, or what is answered then. */
	readonly settled: (
		exchange: Exchange,
		response: Promise<PlainResponse>,
	) => Promise<PlainResponse>;
};

export type Endpoint = (
	request: HttpRequest,
	place: Place,
) => PlainResponse | Later<PlainResponse>;

/** The endpoint over its living parts. */
export function createEndpoint(
	parts: Omit<McpDeps, "failed" | "settled">,
): Endpoint {
	const deps: McpDeps = {
		...parts,
		failed: ({ request, place }, error) =>
			errorReply(known(parts.log, request, place, error)),
		settled: ({ request, place, id }, response) =>
			response.catch((error: unknown) => refused(request, place, id, error)),
	};
	const refused = (
		request: HttpRequest,
		place: Place,
		id: string,
		error: unknown,
	): PlainResponse => {
		const rpc = known(parts.log, request, place, error);
		const status = rpc.status ?? (id === "null" ? 400 : 200);
		return jsonResponse(id, errorReply(rpc), status);
	};
	const answered = (
		request: HttpRequest,
		place: Place,
		view: View,
		accept: string,
		body: Bytes,
	): PlainResponse | Later<PlainResponse> => {
		let id = "null";
		try {
			const incoming = parseIncoming(body);
			const { message, envelope } = incoming;
			const { params } = envelope;
			if (message.kind !== "request")
				return oneWay(deps, request, place, incoming);
			id = message.id;
			const streams = takes(accept, MEDIA.events);
			const exchange = { request, place, view, id, envelope, params, streams };
			return eraOf(envelope, request.headers) === "modern"
				? modern(deps, exchange)
				: legacy(deps, exchange);
		} catch (error) {
			return refused(request, place, id, error);
		}
	};
	const answeredLater = async (
		request: HttpRequest,
		place: Place,
		view: View,
		accept: string,
		body: Promise<Bytes>,
	): Promise<PlainResponse> => {
		try {
			return await answered(request, place, view, accept, await body);
		} catch (error) {
			return refused(request, place, "null", error);
		}
	};
	return (request, place) => {
		try {
			const view = requireView(deps, place);
			if (request.method !== "POST") return withoutBody(deps, request, place);
			const accept = acceptOf(request);
			requireJson(accept);
			const body = readBody(request);
			return body instanceof Promise
				? answeredLater(request, place, view, accept, body)
				: answered(request, place, view, accept, body);
		} catch (error) {
			return refused(request, place, "null", error);
		}
	};
}

/** A notification or a response. The modern era has none that a client sends, and ignores them. */
function oneWay(
	deps: McpDeps,
	request: HttpRequest,
	place: Place,
	incoming: Incoming,
): PlainResponse {
	if (isModernHeader(request.headers))
		return new PlainResponse(202, NO_HEADERS, []);
	return legacyOneWay(deps, request, place, incoming);
}

/** GET and DELETE belong to legacy sessions. */
function withoutBody(
	deps: McpDeps,
	request: HttpRequest,
	place: Place,
): PlainResponse {
	const known = !isModernHeader(request.headers);
	if (
		known &&
		request.method === "GET" &&
		takes(acceptOf(request), MEDIA.events)
	)
		return legacyStream(deps, request, place);
	if (known && request.method === "DELETE")
		return legacyEnd(deps, request, place);
	const allow = known ? "GET, POST, DELETE" : "POST";
	return new PlainResponse(405, headerLines({ allow }), []);
}

function requireView(deps: McpDeps, place: Place): View {
	const view = viewOf(deps.directory, place.caller, place.slug);
	if (!view)
		throw new RpcError(RPC.invalidRequest, "there is no such endpoint", {
			status: 404,
		});
	return view;
}

function acceptOf(request: HttpRequest): string {
	return request.headers.get("accept") ?? "*/*";
}

/** Whether an Accept header takes that type. */
function takes(accept: string, type: string): boolean {
	return accept.includes(type) || accept.includes("*/*");
}

/** Clients must take both forms; one is enough for us to answer. */
function requireJson(accept: string): void {
	if (takes(accept, MEDIA.json)) return;
	throw new RpcError(
		RPC.invalidRequest,
		`the Accept header must have ${MEDIA.json} and ${MEDIA.events}`,
		{
			status: 406,
		},
	);
}

function known(
	log: Log,
	request: HttpRequest,
	{ requestId, caller }: Place,
	error: unknown,
): RpcError {
	const rpc = asRpcError(error);
	if (rpc) return rpc;
	// Whoever goes away in the middle of a body makes it fail, and is no fault of ours to be logged.
	if (request.signal.aborted)
		return new RpcError(
			RPC.invalidRequest,
			"the request did not arrive whole",
			{ status: 408 },
		);
	const stack =
		error instanceof Error ? (error.stack ?? error.message) : String(error);
	log.error("internal error", {
		request_id: requestId,
		user_id: caller.userId,
		stack,
	});
	return new RpcError(
		RPC.internalError,
		`internal error (request ${requestId})`,
		{ status: 500 },
	);
}
