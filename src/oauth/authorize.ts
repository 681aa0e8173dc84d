/**
 * The authorization request: an ordered list of checks over its query string.
 * Until client and redirect URI are trusted an error is told to the person; after that it goes back to the client.
 * There is no table of pending requests: the request is its own query string, and is judged again at the decision.
 * Who is signed in, and what the pages look like, is not known here.
 *
 * @see OAuth 2.1 draft 4.1.1, RFC 7636 4.3, RFC 8707 2.1, RFC 9207
 */
import type { Client } from "../store/clients.ts";
import { findClient } from "../store/clients.ts";
import type { OAuthDeps } from "./authorization-server.ts";
import { isDocumentId } from "./client-documents.ts";
import { OAuthError } from "./oauth-error.ts";
import {
	type Parameters,
	parseParameters,
	refuseRepeated,
} from "./parameters.ts";
import { matchesRedirectUri, withParameters } from "./redirect-uris.ts";
import { grantedScope, parseResource } from "./resources.ts";

const QUERY_LENGTH_MAX = 8 * 1024;

/** A request that passed every check: what a person can now be asked. */
export type AuthorizationRequest = {
	readonly client: Client;
	/** As the client sent it. */
	readonly redirectUri: string;
	readonly state: string | null;
	readonly codeChallenge: string;
	readonly resource: string;
	/** What will be granted, not what was asked for. */
	readonly scope: string;
};

export type Judgement =
	| { readonly outcome: "ready"; readonly request: AuthorizationRequest }
	/** The client is told: this is where to send the browser. */
	| {
			readonly outcome: "redirect";
			readonly location: string;
			readonly client: Client;
			readonly error: OAuthError;
	  }
	/** The person is told that an administrator must let the client in first. */
	| { readonly outcome: "waiting"; readonly client: Client }
	/** The person is told, because nobody else may be trusted with the answer. */
	| {
			readonly outcome: "refused";
			readonly error: OAuthError;
			/** Null when it is not even known who asks. */
			readonly client: Client | null;
	  };

type Judge = Pick<
	OAuthDeps,
	"db" | "documents" | "issuer" | "isEndpoint" | "isPart"
>;

/** Judges an authorization request by its query string, with or without the `?`. */
export async function judgeAuthorization(
	deps: Judge,
	query: string,
): Promise<Judgement> {
	let trusted: { client: Client; redirectUri: string; state: string | null };
	let parameters: Parameters;
	let client: Client | null = null;
	try {
		parameters = requireReadable(query);
		requireSingle(parameters, ["client_id", "redirect_uri"]);
		client = await requireClient(deps, parameters.get("client_id"));
		const redirectUri = requireRedirectUri(client, parameters);
		trusted = { client, redirectUri, state: parameters.get("state") };
	} catch (error) {
		if (!(error instanceof OAuthError)) throw error;
		return { outcome: "refused", error, client };
	}
	if (trusted.client.approvedAt === null)
		return { outcome: "waiting", client: trusted.client };
	try {
		refuseRepeated(parameters);
		refuseRequestObjects(parameters);
		requireCodeResponse(parameters);
		const codeChallenge = requireCodeChallenge(parameters);
		const resource = parseResource(deps, parameters.get("resource"));
		const scope = grantedScope(deps, resource, parameters.get("scope"));
		return {
			outcome: "ready",
			request: { ...trusted, codeChallenge, resource, scope },
		};
	} catch (error) {
		if (!(error instanceof OAuthError)) throw error;
		return {
			outcome: "redirect",
			location: errorLocation(deps, trusted, error),
			client: trusted.client,
			error,
		};
	}
}

/** Where to send the browser with an error: the redirect URI with `error`, `state` and `iss` (RFC 9207 2). */
export function errorLocation(
	deps: Pick<OAuthDeps, "issuer">,
	trusted: Pick<AuthorizationRequest, "redirectUri" | "state">,
	error: OAuthError,
): string {
	return withParameters(trusted.redirectUri, {
		error: error.error,
		error_description: error.message,
		state: trusted.state,
		iss: deps.issuer,
	});
}

function requireReadable(query: string): Parameters {
	if (query.length > QUERY_LENGTH_MAX)
		throw new OAuthError("invalid_request", "the request is too long");
	return parseParameters(query);
}

function requireSingle(parameters: Parameters, names: readonly string[]): void {
	if (names.some((name) => parameters.repeated.has(name)))
		throw new OAuthError(
			"invalid_request",
			"the request says twice who asks or where the answer goes",
		);
}

/** The client of this id, its document read if it is one. @throws OAuthError `invalid_client` */
export async function requireClient(
	deps: Pick<OAuthDeps, "db" | "documents">,
	id: string | null,
): Promise<Client> {
	if (id === null)
		throw new OAuthError(
			"invalid_request",
			"the request does not say who asks",
		);
	if (isDocumentId(id)) {
		const client = await deps.documents.find(id);
		if (client) return client;
		throw new OAuthError(
			"invalid_client",
			"the client's own description could not be read, or is not acceptable",
		);
	}
	const client = findClient(deps.db, id);
	// A document's row answers only to `documents`, which knows when it must be read again.
	if (client !== null && client.kind !== "document") return client;
	throw new OAuthError(
		"invalid_client",
		"this client is not known here, or was forgotten because it was never used",
	);
}

function requireRedirectUri(client: Client, parameters: Parameters): string {
	const sent = parameters.get("redirect_uri");
	const [only, ...others] = client.redirectUris;
	if (sent === null && only !== undefined && others.length === 0) return only;
	if (sent !== null && matchesRedirectUri(client.redirectUris, sent))
		return sent;
	throw new OAuthError(
		"invalid_request",
		"the answer would go to an address that this client did not register",
	);
}

function refuseRequestObjects(parameters: Parameters): void {
	if (parameters.get("request") !== null)
		throw new OAuthError(
			"request_not_supported",
			"request objects are not supported",
		);
	if (parameters.get("request_uri") !== null)
		throw new OAuthError(
			"request_uri_not_supported",
			"request objects are not supported",
		);
}

function requireCodeResponse(parameters: Parameters): void {
	const type = parameters.get("response_type");
	if (type === null)
		throw new OAuthError("invalid_request", "response_type is missing");
	if (type !== "code")
		throw new OAuthError(
			"unsupported_response_type",
			"response_type must be code",
		);
	if ((parameters.get("response_mode") ?? "query") !== "query")
		throw new OAuthError("invalid_request", "response_mode must be query");
}

/** S256 for every client, public or not (OAuth 2.1 draft 7.5.2). */
function requireCodeChallenge(parameters: Parameters): string {
	const challenge = parameters.get("code_challenge");
	if (challenge === null)
		throw new OAuthError("invalid_request", "code_challenge is missing");
	if (parameters.get("code_challenge_method") !== "S256")
		throw new OAuthError(
			"invalid_request",
			"code_challenge_method must be S256",
		);
	// The base64url of 32 bytes.
	if (!/^[A-Za-z0-9_-]{43}$/.test(challenge))
		throw new OAuthError("invalid_request", "code_challenge is malformed");
	return challenge;
}
