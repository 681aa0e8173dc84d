/**
 * The doorman: the order in which a request is judged before a protocol sees it.
 *
 * request id → host → route. An MCP route adds: origin → bearer → endpoint. Elysia routes and does nothing else:
 * bodies are unread, because protocol endpoints read their own within their own bounds.
 */
import { Elysia } from "elysia";
import type { Caller } from "../caller.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Endpoint } from "../mcp/endpoint.ts";
import { mintId } from "../mint.ts";
import type { Params, Route, Visit } from "../route.ts";
import type { TimelineRecorder } from "../store/timeline.ts";
import type { Connection, Handler } from "../tls/listeners.ts";
import type { Admission } from "./admission.ts";
import { problem, problemText } from "./problems.ts";
import { createWitness, type Witness } from "./witness.ts";

/** A judged credential: the caller, or the 401 that says where to get one. */
export type Judgement =
	| { readonly ok: true; readonly caller: Caller }
	| { readonly ok: false; readonly response: Response };

export type HttpDeps = {
	readonly admission: Admission;
	readonly endpoint: Endpoint;
	/** Judges the bearer credential of a request for a resource. */
	readonly judge: (
		request: Request,
		resource: string,
		address: () => string,
	) => Judgement;
	/** The public origin. */
	readonly origin: string;
	/** Every other route, given the way to learn who sent a request, and to put its step on the timeline. */
	readonly routes: (
		clientAddress: (request: Request) => string,
		note: Witness["note"],
	) => readonly Route[];
	readonly isReady: () => boolean;
	readonly timeline: TimelineRecorder;
	readonly clock: Clock;
	readonly log: Log;
};

/** A request that is being handled, and the connection it came on. */
type Arrival = {
	readonly connection: Connection;
	readonly visit: Visit;
	/** Who sent it, once somebody asked: each step that is noted does. */
	address: string | null;
};

/** The handler of every listener that faces clients. */
export function createHttpServer(deps: HttpDeps): Handler {
	const arrivals = new WeakMap<Request, Arrival>();
	const arrivalOf = (request: Request): Arrival =>
		arrivals.get(request) as Arrival;
	const clientAddress = (request: Request): string => {
		const arrival = arrivalOf(request);
		arrival.address ??= deps.admission.clientAddress(
			request,
			arrival.connection.address,
		);
		return arrival.address;
	};

	const witness = createWitness({ ...deps, clientAddress });

	const answerMcp = mcpHandler(deps, clientAddress, witness.heard);
	const app = new Elysia({ normalize: false }).onError(({ code, error }) => {
		if (code === "NOT_FOUND") return problemText(404, "there is nothing here");
		throw error;
	});
	for (const { method, path, handler } of [
		...probeRoutes(deps),
		...deps.routes(clientAddress, witness.note),
	])
		app.route(
			method,
			path,
			({ request, params }) =>
				// Elysia gives a path without parameters none at all.
				handler(
					request,
					(params as Params | undefined) ?? {},
					arrivalOf(request).visit,
				),
			{ parse: "none" },
		);

	const answer = async (
		request: Request,
		{ visit }: Arrival,
	): Promise<Response> => {
		try {
			if (!deps.admission.isOurHost(request))
				return problemText(421, "this host is not served here");
			const slug = endpointOf(request);
			return slug === undefined
				? await app.fetch(request)
				: await answerMcp(request, slug, visit);
		} catch (error) {
			// Whoever went away in the middle of a body is told nothing, and is no fault of ours to be logged.
			if (request.signal.aborted)
				return problemText(408, "the request did not arrive whole");
			return problem(error, visit.requestId, deps.log);
		}
	};

	return async (request, connection) => {
		const requestId = mintId("req");
		const arrival: Arrival = {
			connection,
			visit: { requestId, patient: connection.patient },
			address: null,
		};
		arrivals.set(request, arrival);
		const response = await answer(request, arrival);
		response.headers.set("X-Request-Id", requestId);
		return response;
	};
}

/** Whether the process lives, and whether it takes requests; never whether a server behind it does. */
function probeRoutes(deps: HttpDeps): readonly Route[] {
	return [
		{ method: "GET", path: "/healthz", handler: () => new Response("ok\n") },
		{
			method: "GET",
			path: "/readyz",
			handler: () =>
				deps.isReady()
					? new Response("ready\n")
					: problemText(503, "not ready"),
		},
	];
}

/**
 * The endpoint that a request is for: the slug of `/mcp/<slug>`, null at `/mcp` and its aliases, undefined elsewhere.
 * These are told apart before any other route, because every call of a tool comes this way.
 */
function endpointOf({ url, method }: Request): string | null | undefined {
	const start = url.indexOf("/", url.indexOf("//") + 2);
	const query = url.indexOf("?", start);
	const path = query < 0 ? url.slice(start) : url.slice(start, query);
	if (path === "/mcp" || path === "/mcp/") return null;
	if (path === "/" && method === "POST") return null;
	return ENDPOINT.exec(path)?.[1];
}

const ENDPOINT = /^\/mcp\/([^/]+)$/;

/** Answers at an MCP endpoint. */
function mcpHandler(
	deps: HttpDeps,
	clientAddress: (request: Request) => string,
	heard: Witness["heard"],
): (request: Request, slug: string | null, visit: Visit) => Promise<Response> {
	return async (request, slug, visit) => {
		if (request.method === "OPTIONS")
			return new Response(null, {
				status: 204,
				headers: { Allow: "GET, POST, DELETE" },
			});
		if (!deps.admission.isOurOrigin(request))
			return problemText(403, "this page may not use the gateway");
		const judged = deps.judge(
			request,
			slug === null ? `${deps.origin}/mcp` : `${deps.origin}/mcp/${slug}`,
			() => clientAddress(request),
		);
		if (!judged.ok) {
			heard(request, null, judged.response);
			return judged.response;
		}
		const { caller } = judged;
		const { requestId, patient } = visit;
		const response = await deps.endpoint(request, {
			caller,
			slug,
			requestId,
			patient,
		});
		heard(request, caller, response);
		return response;
	};
}
