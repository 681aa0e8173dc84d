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
type Arrival = { readonly connection: Connection; readonly visit: Visit };

/** The handler of every listener that faces clients. */
export function createHttpServer(deps: HttpDeps): Handler {
	const arrivals = new WeakMap<Request, Arrival>();
	const arrivalOf = (request: Request): Arrival =>
		arrivals.get(request) as Arrival;
	const clientAddress = (request: Request): string =>
		deps.admission.clientAddress(
			request,
			arrivalOf(request).connection.address,
		);

	const witness = createWitness({ ...deps, clientAddress });

	const app = new Elysia({ normalize: false }).onError(({ code, error }) => {
		if (code === "NOT_FOUND") return problemText(404, "there is nothing here");
		throw error;
	});
	for (const { method, path, handler } of [
		...probeRoutes(deps),
		...mcpRoutes(deps, clientAddress, witness.heard),
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
		if (!deps.admission.isOurHost(request))
			return problemText(421, "this host is not served here");
		try {
			return await app.fetch(request);
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

/** `/mcp` with its aliases, and `/mcp/<slug>`. */
function mcpRoutes(
	deps: HttpDeps,
	clientAddress: (request: Request) => string,
	heard: Witness["heard"],
): readonly Route[] {
	const handler: Route["handler"] = async (request, params, visit) => {
		if (request.method === "OPTIONS")
			return new Response(null, {
				status: 204,
				headers: { Allow: "GET, POST, DELETE" },
			});
		if (!deps.admission.isOurOrigin(request))
			return problemText(403, "this page may not use the gateway");
		const slug = params["slug"] ?? null;
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
		const response = await deps.endpoint(request, { caller, slug, ...visit });
		heard(request, caller, response);
		return response;
	};
	return [
		{ method: "POST", path: "/", handler },
		{ method: "ALL", path: "/mcp", handler },
		{ method: "ALL", path: "/mcp/", handler },
		{ method: "ALL", path: "/mcp/:slug", handler },
	];
}
