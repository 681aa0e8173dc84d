/**
 * The doorman: the order in which a request is judged before a protocol sees it.
 *
 * request id → host → route. An MCP route adds: origin → bearer → endpoint. Elysia routes and does nothing else:
 * bodies are unread, because protocol endpoints read their own within their own bounds.
 */
import { Elysia } from "elysia";
import type { Caller } from "../caller.ts";
import type { Log } from "../log.ts";
import type { Endpoint } from "../mcp/endpoint.ts";
import { mintId } from "../mint.ts";
import type { Connection, Handler } from "../tls/listeners.ts";
import type { Admission } from "./admission.ts";
import { problem, problemText } from "./problems.ts";
import type { Params, Route } from "./route.ts";

/** A judged credential: the caller, or the 401 that says where to get one. */
export type Judgement =
	| { readonly ok: true; readonly caller: Caller }
	| { readonly ok: false; readonly response: Response };

export type HttpDeps = {
	readonly admission: Admission;
	readonly endpoint: Endpoint;
	/** Judges the bearer credential of a request for a resource. */
	readonly judge: (request: Request, resource: string) => Judgement;
	/** The public origin. */
	readonly origin: string;
	/** Every other route, given the way to learn who sent a request. */
	readonly routes: (
		clientAddress: (request: Request) => string,
	) => readonly Route[];
	readonly isReady: () => boolean;
	readonly log: Log;
};

/** What is known of a request while it is handled. */
type Visit = { readonly connection: Connection; readonly requestId: string };

/** The handler of every listener that faces clients. */
export function createHttpServer(deps: HttpDeps): Handler {
	const visits = new WeakMap<Request, Visit>();
	const visitOf = (request: Request): Visit =>
		visits.get(request) ?? {
			connection: { address: "", patient: () => {} },
			requestId: "",
		};

	const mcp = (
		request: Request,
		slug: string | null,
	): Response | Promise<Response> => {
		const { connection, requestId } = visitOf(request);
		if (!deps.admission.isOurOrigin(request))
			return problemText(403, "this page may not use the gateway");
		const judged = deps.judge(
			request,
			slug === null ? `${deps.origin}/mcp` : `${deps.origin}/mcp/${slug}`,
		);
		if (!judged.ok) return judged.response;
		return deps.endpoint(request, {
			caller: judged.caller,
			slug,
			requestId,
			patient: connection.patient,
		});
	};

	const clientAddress = (request: Request): string =>
		deps.admission.clientAddress(request, visitOf(request).connection.address);
	const app = mount(deps, mcp, deps.routes(clientAddress));

	return async (request, connection) => {
		const requestId = mintId("req");
		const response = await answer(deps, app, visits, request, {
			connection,
			requestId,
		});
		response.headers.set("x-request-id", requestId);
		return response;
	};
}

async function answer(
	deps: HttpDeps,
	app: { readonly fetch: (request: Request) => Response | Promise<Response> },
	visits: WeakMap<Request, Visit>,
	request: Request,
	visit: Visit,
): Promise<Response> {
	if (!deps.admission.isOurHost(request))
		return problemText(421, "this host is not served here");
	visits.set(request, visit);
	try {
		return await app.fetch(request);
	} catch (error) {
		return problem(error, visit.requestId, deps.log);
	}
}

type Mcp = (
	request: Request,
	slug: string | null,
) => Response | Promise<Response>;

function mount(
	deps: HttpDeps,
	mcp: Mcp,
	routes: readonly Route[],
): { readonly fetch: (request: Request) => Response | Promise<Response> } {
	const unread = { parse: "none" as const };
	const app = new Elysia({ normalize: false })
		.onError(({ code, error }) => {
			if (code === "NOT_FOUND")
				return problemText(404, "there is nothing here");
			throw error;
		})
		.get("/healthz", () => new Response("ok\n"))
		.get("/readyz", () =>
			deps.isReady() ? new Response("ready\n") : problemText(503, "not ready"),
		)
		.post("/", ({ request }) => mcp(request, null), unread)
		.all("/mcp", ({ request }) => mcp(request, null), unread)
		.all("/mcp/", ({ request }) => mcp(request, null), unread)
		.all(
			"/mcp/:slug",
			({ request, params }) => mcp(request, params.slug),
			unread,
		);
	for (const { method, path, handler } of routes)
		app.route(
			method,
			path,
			({ request, params }) => handler(request, params as Params),
			unread,
		);
	return app;
}
