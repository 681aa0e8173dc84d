/**
 * The MCP endpoint: one HTTP request in, one response out. Both eras live at the same URL; which one a request
 * speaks is read from the request (`era.ts`), and `modern.ts` and `legacy.ts` answer it.
 *
 * It is handed a caller and knows nothing of tokens; it has a view and knows nothing of how servers are reached.
 *
 * @see specification, basic/transports, "Streamable HTTP"
 */
import type { Caller } from "../caller.ts";
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
	/** Lets the response be silent for as long as it likes. */
	patient(): void;
};

/** One request being answered. */
export type Exchange = {
	readonly request: Request;
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
};

export type Endpoint = (request: Request, place: Place) => Promise<Response>;

/** The endpoint over its living parts. */
export function createEndpoint(parts: Omit<McpDeps, "failed">): Endpoint {
	const deps: McpDeps = {
		...parts,
		failed: ({ request, place }, error) =>
			errorReply(known(parts.log, request, place, error)),
	};
	return async (request, place) => {
		let id = "null";
		try {
			const view = requireView(deps, place);
			if (request.method !== "POST") return withoutBody(deps, request, place);
			const accept = acceptOf(request);
			requireJson(accept);
			const incoming = parseIncoming(await readBody(request));
			const { message, envelope } = incoming;
			const { params } = envelope;
			if (message.kind !== "request")
				return oneWay(deps, request, place, incoming);
			id = message.id;
			const streams = takes(accept, MEDIA.events);
			const exchange = { request, place, view, id, envelope, params, streams };
			return await (eraOf(envelope, request.headers) === "modern"
				? modern(deps, exchange)
				: legacy(deps, exchange));
		} catch (error) {
			const rpc = known(parts.log, request, place, error);
			return jsonResponse(
				id,
				errorReply(rpc),
				rpc.status ?? (id === "null" ? 400 : 200),
			);
		}
	};
}

/** A notification or a response. The modern era has none that a client sends, and ignores them. */
function oneWay(
	deps: McpDeps,
	request: Request,
	place: Place,
	incoming: Incoming,
): Response {
	if (isModernHeader(request.headers))
		return new Response(null, { status: 202 });
	return legacyOneWay(deps, request, place, incoming);
}

/** GET and DELETE belong to legacy sessions. */
function withoutBody(deps: McpDeps, request: Request, place: Place): Response {
	const known = !isModernHeader(request.headers);
	if (
		known &&
		request.method === "GET" &&
		takes(acceptOf(request), MEDIA.events)
	)
		return legacyStream(deps, request, place);
	if (known && request.method === "DELETE")
		return legacyEnd(deps, request, place);
	return new Response(null, {
		status: 405,
		headers: { allow: known ? "GET, POST, DELETE" : "POST" },
	});
}

function requireView(deps: McpDeps, place: Place): View {
	const view = viewOf(deps.directory, place.caller, place.slug);
	if (!view)
		throw new RpcError(RPC.invalidRequest, "there is no such endpoint", {
			status: 404,
		});
	return view;
}

function acceptOf(request: Request): string {
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
	request: Request,
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
