/**
 * The doorman: the order in which a request is judged before a protocol sees it.
 *
 * host → route. An MCP route adds: origin → bearer → endpoint. Elysia routes and does nothing else:
 * bodies are unread, because protocol endpoints read their own within their own bounds.
 */
import { Elysia } from "elysia";
import type { Caller } from "../caller.ts";
import type { Clock } from "../clock.ts";
import type { HttpRequest, IncomingRequest } from "../http1/incoming.ts";
import type { Later } from "../http1/outgoing.ts";
import type { Answered, Connection } from "../http1/server-connection.ts";
import type { Log } from "../log.ts";
import type { Endpoint, Place } from "../mcp/endpoint.ts";
import type { Params, Route } from "../route.ts";
import type { Step, TimelineRecorder } from "../store/timeline.ts";
import type { Handler } from "../tls/listeners.ts";
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
		request: HttpRequest,
		resource: string,
		sender: { clientAddress(): string },
	) => Judgement;
	/** The public origin. */
	readonly origin: string;
	/** Every other route, given the way to learn who sent a request, and to put its step on the timeline. */
	readonly routes: (
		clientAddress: (request: Request) => string,
		note: (request: Request, step: Step) => void,
	) => readonly Route[];
	readonly isReady: () => boolean;
	/** Whether every client is refused. */
	readonly isPanic: () => boolean;
	readonly timeline: TimelineRecorder;
	readonly clock: Clock;
	readonly log: Log;
};

/** The handler of every listener that faces clients. */
export function createHttpServer(deps: HttpDeps): Handler {
	/** Whoever asks for an address has the platform's request only. */
	const arrivals = new WeakMap<Request, Arrival>();
	const clientAddress = (request: Request): string =>
		(arrivals.get(request) as Arrival).clientAddress();
	const witness = createWitness(deps);

	const app = new Elysia({ normalize: false }).onError(({ code, error }) => {
		if (code === "NOT_FOUND") return problemText(404, "there is nothing here");
		throw error;
	});
	for (const { method, path, handler } of [
		...probeRoutes(deps),
		...deps.routes(clientAddress, (request, step) =>
			witness.note(arrivals.get(request) as Arrival, step),
		),
	])
		app.route(
			method,
			path,
			({ request, params }) =>
				handler(
					request,
					// Elysia gives a path without parameters none at all.
					(params as Params | undefined) ?? {},
					{ requestId: (arrivals.get(request) as Arrival).request.id },
				),
			{ parse: "none" },
		);

	const route = async (arrival: Arrival): Promise<Response> => {
		const request = arrival.request.toRequest();
		arrivals.set(request, arrival);
		try {
			return await app.fetch(request);
		} catch (error) {
			return failed(arrival, error);
		}
	};
	const failed = ({ request }: Arrival, error: unknown): Response =>
		// Whoever went away in the middle of a body is told nothing, and is no fault of ours to be logged.
		request.signal.aborted
			? problemText(408, "the request did not arrive whole")
			: problem(error, request.id, deps.log);

	/** What follows from a head alone; the heads of one client are nearly always one and the same. */
	const destinations = new WeakMap<object, Destination>();
	const destinationOf = (request: IncomingRequest): Destination => {
		const known = destinations.get(request.headers);
		if (known) return known;
		const slug = endpointOf(request);
		const found: Destination = {
			isOurHost: deps.admission.isOurHost(request),
			isOurOrigin: deps.admission.isOurOrigin(request),
			slug,
			isForClients: slug !== undefined || FOR_CLIENTS.test(request.url),
			resource: slug ? `${deps.origin}/mcp/${slug}` : `${deps.origin}/mcp`,
		};
		destinations.set(request.headers, found);
		return found;
	};

	return (request, connection) => {
		const destination = destinationOf(request);
		if (!destination.isOurHost)
			return problemText(421, "this host is not served here");
		if (deps.isPanic() && destination.isForClients)
			return problemText(503, "everything was stopped by an administrator");
		const arrival = new Arrival(request, connection, deps.admission);
		if (destination.slug === undefined) return route(arrival);
		try {
			return answerMcp(deps, witness, arrival, destination);
		} catch (error) {
			return failed(arrival, error);
		}
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
function endpointOf({
	url,
	method,
}: IncomingRequest): string | null | undefined {
	const start = url.indexOf("/", url.indexOf("//") + 2);
	const query = url.indexOf("?", start);
	const path = query < 0 ? url.slice(start) : url.slice(start, query);
	if (path === "/mcp" || path === "/mcp/") return null;
	if (path === "/" && method === "POST") return null;
	const isOne = path.startsWith(BELOW) && !path.includes("/", BELOW.length);
	return isOne ? path.slice(BELOW.length) : undefined;
}

const BELOW = "/mcp/";

/** Where clients get what they come with: nobody allows or renews anything there during a panic. */
const FOR_CLIENTS =
	/^[^/]*\/\/[^/]+\/(?:authorize|token|register|introspect|device)\b/;

/** Answers at an MCP endpoint. */
function answerMcp(
	deps: HttpDeps,
	witness: Witness,
	arrival: Arrival,
	{ slug = null, resource, isOurOrigin }: Destination,
): Answered | Later<Answered> {
	const { request } = arrival;
	if (request.method === "OPTIONS")
		return new Response(null, {
			status: 204,
			headers: { Allow: "GET, POST, DELETE" },
		});
	if (!isOurOrigin)
		return problemText(403, "this page may not use the gateway");
	const judged = deps.judge(request, resource, arrival);
	if (!judged.ok) {
		witness.turnedAway(arrival);
		return judged.response;
	}
	const { caller } = judged;
	const place: Place = { caller, slug, requestId: request.id };
	return witness.heard(arrival, caller, deps.endpoint(request, place));
}

/** Where a request wants to go, and whether it may. */
type Destination = {
	readonly isOurHost: boolean;
	readonly isOurOrigin: boolean;
	/** The endpoint's slug, null at `/mcp`; undefined where something else is. */
	readonly slug: string | null | undefined;
	/** Whether it is a client that comes here, for a tool or for a token. */
	readonly isForClients: boolean;
	/** The endpoint as tokens name it. */
	readonly resource: string;
};

/** A request, where it came from and where it goes. A class, because every call makes one. */
class Arrival {
	readonly request: IncomingRequest;
	readonly #connection: Connection;
	readonly #admission: Admission;
	#address: string | null = null;

	constructor(
		request: IncomingRequest,
		connection: Connection,
		admission: Admission,
	) {
		this.request = request;
		this.#connection = connection;
		this.#admission = admission;
	}

	/** Who sent it: found out when somebody asks, and once. */
	clientAddress(): string {
		this.#address ??= this.#admission.clientAddress(
			this.request,
			this.#connection.address,
		);
		return this.#address;
	}
}
