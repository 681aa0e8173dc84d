/** The authorization server's routes for programs. The pages a person sees (`/authorize`, `/login`) are in `web/`. */
import type { Route } from "../route.ts";
import type { OAuthDeps } from "./authorization-server.ts";
import { createAssertions } from "./client-assertions.ts";
import { createRegistrationLimits, register } from "./clients.ts";
import { DEVICE_REQUESTS, deviceAuthorization } from "./device.ts";
import { introspect } from "./introspect.ts";
import { createLimiter } from "./limits.ts";
import { authorizationServer, keySet, protectedResource } from "./metadata.ts";
import { revoke } from "./revoke.ts";
import { TOKEN_REQUESTS, token } from "./token.ts";

/** Metadata, registration, tokens and revocation. Each handler answers preflight and refuses other methods itself. */
export function oauthRoutes(given: OAuthDeps): readonly Route[] {
	const audiences = [given.issuer, `${given.issuer}/token`];
	const assertions = createAssertions(given.clock, audiences);
	const deps = { ...given, assertions };
	const registrations = createRegistrationLimits(deps);
	const deviceRequests = createLimiter(deps.clock, DEVICE_REQUESTS);
	const tokenRequests = createLimiter(deps.clock, TOKEN_REQUESTS);
	const route = (
		path: string,
		handler: (request: Request) => Promise<Response>,
	): Route => ({ method: "ALL", path, handler });
	return [
		...[
			"/.well-known/oauth-protected-resource",
			"/.well-known/oauth-protected-resource/*",
		].map((path) => route(path, (request) => protectedResource(deps, request))),
		...[
			"/.well-known/oauth-authorization-server",
			"/.well-known/oauth-authorization-server/*",
			"/.well-known/openid-configuration",
			"/.well-known/openid-configuration/*",
		].map((path) =>
			route(path, (request) => authorizationServer(deps, request)),
		),
		route("/.well-known/jwks.json", keySet),
		route("/register", (request) => register(deps, registrations, request)),
		route("/token", (request) => token(deps, tokenRequests, request)),
		route("/device_authorization", (request) =>
			deviceAuthorization(deps, deviceRequests, request),
		),
		route("/introspect", (request) => introspect(deps, tokenRequests, request)),
		route("/revoke", (request) => revoke(deps, tokenRequests, request)),
	];
}
