/**
 * The documents by which a client finds its way: which authorization server protects an endpoint, and what that
 * server speaks. Every place a published client looks at has its document or a JSON 404, never a page.
 *
 * @see RFC 9728, RFC 8414, OpenID Connect Discovery 1.0, RFC 9207
 */
import { hasIntrospector } from "../store/clients.ts";
import { DEVICE_GRANT } from "../store/device-codes.ts";
import type { OAuthDeps } from "./authorization-server.ts";
import { ASSERTION_ALGORITHMS } from "./client-assertions.ts";
import { readClientPolicy } from "./policy.ts";
import { DEFAULT_PATH, isServed, scopeOf } from "./resources.ts";
import { answer, json, notFound } from "./responses.ts";

const RESOURCE_DOCUMENT = "/.well-known/oauth-protected-resource";
const SERVER_DOCUMENT = "/.well-known/oauth-authorization-server";
const OPENID_DOCUMENT = "/.well-known/openid-configuration";
const PROVEN_METHODS = [
	"client_secret_basic",
	"client_secret_post",
	"private_key_jwt",
] as const;

/** Where the document of an endpoint is; `path` as the client wrote it, with its trailing slash if it has one. */
export function resourceDocumentUrl(issuer: string, path: string): string {
	return `${issuer}${RESOURCE_DOCUMENT}${path}`;
}

/**
 * `/.well-known/oauth-protected-resource[/mcp[/<slug>]]`: one document for each endpoint, its `resource` byte-equal to
 * the URL a person pasted, so `/mcp` and `/mcp/` have one each. At the root it describes `/mcp`.
 */
export function protectedResource(
	deps: OAuthDeps,
	request: Request,
): Promise<Response> {
	return answer(request, "GET", () => {
		const suffix = new URL(request.url).pathname.slice(
			RESOURCE_DOCUMENT.length,
		);
		const path = suffix === "" ? DEFAULT_PATH : suffix;
		const bare = path.replace(/\/$/, "") || DEFAULT_PATH;
		if (!isServed(deps, bare)) return missing(deps, request);
		noteRead(deps, request);
		return json({
			resource: deps.issuer + path,
			authorization_servers: [deps.issuer],
			scopes_supported: [scopeOf(deps.issuer + bare)],
			bearer_methods_supported: ["header"],
			resource_name: "Sallyport",
		});
	});
}

/**
 * `/.well-known/oauth-authorization-server` and `/.well-known/openid-configuration`, also with an endpoint's path
 * behind them: clients of 2025-03-26 take the MCP URL for the issuer. The document always names the true one.
 */
export function authorizationServer(
	deps: OAuthDeps,
	request: Request,
): Promise<Response> {
	return answer(request, "GET", () => {
		const { pathname } = new URL(request.url);
		const openid = pathname.startsWith(OPENID_DOCUMENT);
		const suffix = pathname
			.slice((openid ? OPENID_DOCUMENT : SERVER_DOCUMENT).length)
			.replace(/\/$/, "");
		if (suffix !== "" && !isServed(deps, suffix)) return missing(deps, request);
		noteRead(deps, request);
		return json({
			...serverDocument(deps),
			...(openid ? openidMembers(deps.issuer) : {}),
		});
	});
}

function noteRead(deps: OAuthDeps, request: Request): void {
	const detail = new URL(request.url).pathname;
	deps.note(request, { step: "metadata", outcome: "ok", detail });
}

function missing(deps: OAuthDeps, request: Request): Response {
	const detail = "a document of an endpoint that is not served";
	deps.note(request, { step: "metadata", outcome: "refused", detail });
	return notFound();
}

/** `/.well-known/jwks.json`: we sign nothing, so it holds no key; OpenID's document must point at one. */
export function keySet(request: Request): Promise<Response> {
	return answer(request, "GET", () => json({ keys: [] }));
}

function serverDocument({
	db,
	issuer,
}: OAuthDeps): Readonly<Record<string, unknown>> {
	const policy = readClientPolicy(db);
	return {
		issuer,
		authorization_endpoint: `${issuer}/authorize`,
		token_endpoint: `${issuer}/token`,
		...(policy.registration === "off"
			? {}
			: { registration_endpoint: `${issuer}/register` }),
		revocation_endpoint: `${issuer}/revoke`,
		...(hasIntrospector(db)
			? {
					introspection_endpoint: `${issuer}/introspect`,
					introspection_endpoint_auth_methods_supported: PROVEN_METHODS,
					introspection_endpoint_auth_signing_alg_values_supported:
						ASSERTION_ALGORITHMS,
				}
			: {}),
		...(policy.device
			? { device_authorization_endpoint: `${issuer}/device_authorization` }
			: {}),
		response_types_supported: ["code"],
		response_modes_supported: ["query"],
		grant_types_supported: [
			"authorization_code",
			"refresh_token",
			"client_credentials",
			...(policy.device ? [DEVICE_GRANT] : []),
		],
		token_endpoint_auth_methods_supported: ["none", ...PROVEN_METHODS],
		token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
		revocation_endpoint_auth_methods_supported: ["none", ...PROVEN_METHODS],
		revocation_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
		code_challenge_methods_supported: ["S256"],
		client_id_metadata_document_supported: policy.documents,
		authorization_response_iss_parameter_supported: true,
		// Short on purpose: some clients ask for all of it.
		scopes_supported: ["mcp", "offline_access"],
	};
}

/** What OpenID Connect Discovery 1.0 section 3 requires, so that a client that only looks there can read the rest. */
function openidMembers(issuer: string): Readonly<Record<string, unknown>> {
	return {
		jwks_uri: `${issuer}/.well-known/jwks.json`,
		subject_types_supported: ["public"],
		id_token_signing_alg_values_supported: ["RS256"],
	};
}
