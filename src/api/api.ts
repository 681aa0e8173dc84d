/**
 * The REST API under `/api`: one table of routes, from `Request` to `Response`. The admin socket and HTTPS hand it
 * the same requests; who asks is settled before it is called.
 */
import { SallyportError } from "../errors.ts";
import { mintId } from "../mint.ts";
import { auditRoutes } from "./audit.ts";
import { backupRoutes } from "./backups.ts";
import { catalogueRoutes } from "./catalogue.ts";
import { certificateRoutes } from "./certificate.ts";
import { clientRoutes } from "./clients.ts";
import { connectionRoutes } from "./connections.ts";
import { doctorRoutes } from "./doctor.ts";
import { failure, HttpRefusal, success } from "./envelope.ts";
import { grantRoutes } from "./grants.ts";
import { identityProviderRoutes } from "./identity-provider.ts";
import { actorOfKey } from "./key-holder.ts";
import { keyRoutes } from "./keys.ts";
import { panicRoutes } from "./panic.ts";
import {
	type Actor,
	type ApiDeps,
	type Ask,
	type Route,
	requireAdmin,
} from "./route.ts";
import { secretRoutes } from "./secrets.ts";
import { serverRoutes } from "./servers.ts";
import { settingRoutes } from "./settings.ts";
import { setupRoutes } from "./setup.ts";
import { toolSettingRoutes } from "./tool-settings.ts";
import { toolRoutes } from "./tools.ts";
import { toolsetRoutes } from "./toolsets.ts";
import { userRoutes } from "./users.ts";

export type { Actor, ApiDeps } from "./route.ts";

export type Api = {
	/** Answers one request. Never throws. */
	readonly handle: (
		request: Request,
		actor: Actor,
		requestId?: string,
	) => Promise<Response>;
	/** Answers one request of whoever holds the API key in its Authorization header. Never throws. */
	readonly handleKeyed: (
		request: Request,
		requestId?: string,
	) => Promise<Response>;
	/** Answers one request that a page of ours may have sent for whoever is signed in. Never throws. */
	readonly handleVisitor: (
		request: Request,
		visitor: ApiVisitor,
		requestId?: string,
	) => Promise<Response>;
};

/** A browser that is signed in, as the API needs to know it. */
export type ApiVisitor = {
	readonly userId: string;
	readonly role: Actor["role"];
	readonly isFresh: boolean;
	/** Whether the request carries the token that only a page of ours has. */
	readonly isOwnPage: boolean;
};

const ROUTES: readonly Route[] = [
	...serverRoutes,
	...toolRoutes,
	...toolSettingRoutes,
	...toolsetRoutes,
	...secretRoutes,
	...connectionRoutes,
	...userRoutes,
	...identityProviderRoutes,
	...keyRoutes,
	...clientRoutes,
	...doctorRoutes,
	...grantRoutes,
	...settingRoutes,
	...certificateRoutes,
	...auditRoutes,
	...panicRoutes,
	...backupRoutes,
	...catalogueRoutes,
	...setupRoutes,
];

export function createApi(deps: ApiDeps): Api {
	async function answer(
		request: Request,
		actor: Actor,
		requestId: string,
	): Promise<Response> {
		const url = new URL(request.url);
		const { route, params } = findRoute(request.method, url.pathname);
		if (route.who === "admins") requireAdmin(actor, "do this");
		requireProof(route, actor);
		const ask: Ask = {
			deps,
			actor,
			request,
			requestId,
			params,
			query: url.searchParams,
		};
		const given = await route.run(ask);
		return given instanceof Response
			? given
			: success(given.status ?? 200, given.body);
	}

	async function guarded(
		request: Request,
		findActor: () => Actor,
		requestId: string = mintId("req"),
	): Promise<Response> {
		let response: Response;
		try {
			response = await answer(request, findActor(), requestId);
		} catch (error) {
			response = failure(error, requestId, deps.log);
		}
		response.headers.set("X-Request-Id", requestId);
		return response;
	}

	return {
		handle: (request, actor, requestId) =>
			guarded(request, () => actor, requestId),
		handleKeyed: (request, requestId) =>
			guarded(
				request,
				() => {
					const actor = actorOfKey(deps, request);
					deps.panic.refuse();
					return actor;
				},
				requestId,
			),
		handleVisitor: (request, visitor, requestId) =>
			guarded(request, () => actorOfVisitor(request, visitor), requestId),
	};
}

/** @throws SallyportError `forbidden` when a change was not asked for by a page of ours */
function actorOfVisitor(
	request: Request,
	{ userId, role, isFresh, isOwnPage }: ApiVisitor,
): Actor {
	// Reading needs no token: without CORS no other page sees the answer.
	if (request.method !== "GET" && !isOwnPage)
		throw new SallyportError(
			"forbidden",
			"this did not come from a page of ours, or from one that was open for too long",
			{ hint: "send the page's token as X-CSRF-Token, or use an API key" },
		);
	return { userId, role, via: "login", isFresh };
}

/** @throws SallyportError `forbidden` when a login would do what is dangerous on an old proof */
function requireProof(route: Route, actor: Actor): void {
	const isDangerous =
		route.dangerous || (route.who === "admins" && route.method !== "GET");
	if (actor.via !== "login" || actor.isFresh || !isDangerous) return;
	throw new SallyportError("forbidden", "show again that it is you", {
		hint: "open /reauthenticate, then try again",
	});
}

type Found = {
	readonly route: Route;
	readonly params: Readonly<Record<string, string>>;
};

/** @throws SallyportError `not_found` for a path nobody has, HttpRefusal 405 for a method it does not have */
function findRoute(method: string, pathname: string): Found {
	const allowed: string[] = [];
	for (const route of ROUTES) {
		const params = matchPath(route.path, pathname);
		if (!params) continue;
		if (route.method === method) return { route, params };
		allowed.push(route.method);
	}
	if (allowed.length > 0)
		throw new HttpRefusal(
			405,
			"this route does not have that method",
			`use ${allowed.join(" or ")}`,
			{
				Allow: allowed.join(", "),
			},
		);
	throw new SallyportError("not_found", "there is no such route", {
		hint: "routes look like GET /api/mcp/servers",
	});
}

/** The `:name` parts of a path, or null when it is another path. Only literal parts are compared, never patterns. */
function matchPath(
	pattern: string,
	pathname: string,
): Readonly<Record<string, string>> | null {
	const expected = pattern.split("/");
	const given = pathname.split("/");
	if (expected.length !== given.length) return null;
	const params: Record<string, string> = {};
	for (const [index, part] of expected.entries()) {
		const value = given[index] as string;
		if (part.startsWith(":")) params[part.slice(1)] = decode(value);
		else if (part !== value) return null;
	}
	return params;
}

function decode(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text; // not an escape after all: it then names nothing
	}
}
