/**
 * The token endpoint: a code or a refresh token goes there, tokens come back. `oauth4webapi` speaks to servers that
 * keep to the specifications; the providers of the table are spoken to by hand, each in its dialect. Whatever comes
 * back is judged here, and said in our words: a body may hold a token, a page, or somebody's idea of a joke.
 *
 * @see RFC 6749 4.1.3, 5, 6; RFC 8707 2.2; RFC 7009
 */
import * as oauth from "oauth4webapi";
import { SallyportError } from "../errors.ts";
import { objectOf } from "../message.ts";
import type { OAuthFetch } from "../oauth-fetch.ts";
import type { Provider } from "./providers.ts";
import { parseScopes } from "./scopes.ts";

/** Who we are at an authorization server. */
export type ClientIdentity = {
	readonly clientId: string;
	readonly secret: string | null;
	readonly method: "none" | Provider["auth"];
};

/** Where tokens come from, and as whom they are asked for. */
export type TokenSource = {
	readonly fetch: OAuthFetch;
	readonly metadata: oauth.AuthorizationServer;
	/** Null: it keeps to the specifications. */
	readonly provider: Provider | null;
	/** Named in every request; null where that is refused. */
	readonly resource: string | null;
	readonly client: ClientIdentity;
};

export type TokenSet = {
	readonly accessToken: string;
	readonly refreshToken: string | null;
	/** Null: it does not say. */
	readonly expiresInSeconds: number | null;
	/** Null: what was asked for. */
	readonly scopes: readonly string[] | null;
	/** Who signed in, where the answer says so. */
	readonly account: string | null;
};

/** The token endpoint refused, by an error of RFC 6749 5.2 or a provider's own. */
export class TokenRefusal extends SallyportError {
	readonly error: string;

	constructor(error: string, description: unknown) {
		const words = quoted(description);
		super(
			"upstream",
			`the service refused: ${quoted(error)}${words === "" ? "" : ` (${words})`}`,
			{ hint: "sign in again; if it stays so, tell whoever runs the service" },
		);
		this.name = "TokenRefusal";
		this.error = error;
	}
}

const TOKEN = /^[\x21-\x7e]{1,16384}$/;
const LIFE_SECONDS_MAX = 10 * 365 * 24 * 3600;
const ACCOUNT_LENGTH_MAX = 200;

/** Trades an authorization code. @param params what came back to our callback, judged */
export function exchangeCode(
	source: TokenSource,
	params: URLSearchParams,
	redirectUri: string,
	verifier: string | null,
): Promise<TokenSet> {
	const { provider } = source;
	if (provider)
		return askProvider(source, provider, provider.token, {
			...(provider.dialect === "draft5"
				? { type: "web_server" }
				: { grant_type: "authorization_code" }),
			code: params.get("code") ?? "",
			redirect_uri: redirectUri,
			...(verifier === null ? {} : { code_verifier: verifier }),
		});
	const client: oauth.Client = { client_id: source.client.clientId };
	return standard(
		source,
		() =>
			oauth.authorizationCodeGrantRequest(
				source.metadata,
				client,
				authOf(source.client),
				params,
				redirectUri,
				verifier ?? oauth.nopkce,
				optionsOf(source),
			),
		(response) =>
			oauth.processAuthorizationCodeResponse(source.metadata, client, response),
	);
}

/** Renews tokens. */
export function refreshTokens(
	source: TokenSource,
	refreshToken: string,
): Promise<TokenSet> {
	const { provider } = source;
	if (provider)
		return askProvider(source, provider, provider.refresh ?? provider.token, {
			...(provider.dialect === "draft5"
				? { type: "refresh" }
				: { grant_type: "refresh_token" }),
			refresh_token: refreshToken,
		});
	const client: oauth.Client = { client_id: source.client.clientId };
	return standard(
		source,
		() =>
			oauth.refreshTokenGrantRequest(
				source.metadata,
				client,
				authOf(source.client),
				refreshToken,
				optionsOf(source),
			),
		(response) =>
			oauth.processRefreshTokenResponse(source.metadata, client, response),
	);
}

/** Tells the service to forget a token. False where it takes no such wish, or did not take this one. */
export async function revokeToken(
	source: TokenSource,
	token: string,
	kind: "access_token" | "refresh_token",
): Promise<boolean> {
	const endpoint =
		source.provider?.revoke ?? source.metadata.revocation_endpoint;
	if (typeof endpoint !== "string") return false;
	const body = new URLSearchParams({ token, token_type_hint: kind });
	const headers = new Headers();
	await authOf(source.client)(
		source.metadata,
		{ client_id: source.client.clientId },
		body,
		headers,
	);
	const response = await source.fetch(endpoint, {
		method: "POST",
		headers: {
			...Object.fromEntries(headers),
			"content-type": "application/x-www-form-urlencoded",
		},
		body: String(body),
	});
	return response.ok;
}

/** Text of somebody else's, fit for a page and a log: short, one line, and without anything that could be a token. */
export function quoted(text: unknown): string {
	return typeof text === "string"
		? text
				.replaceAll(/[^\P{C}]|\s/gu, " ")
				.replaceAll(/[\w\-.~+/=%:?&#]{20,}/g, "…")
				.replaceAll(/ +/g, " ")
				.trim()
				.slice(0, 200)
		: "";
}

async function standard(
	source: TokenSource,
	send: () => Promise<Response>,
	process: (response: Response) => Promise<oauth.TokenEndpointResponse>,
): Promise<TokenSet> {
	const response = await send();
	// Read before it is judged: servers send errors with 200, and refusals that only a header explains to the library.
	const text = await response.text();
	refuse(response.status, parseBody(text));
	try {
		const tokens = await process(
			new Response(text, {
				status: response.status,
				headers: response.headers,
			}),
		);
		const claims = oauth.getValidatedIdTokenClaims(tokens);
		return tokenSetOf(
			tokens,
			source.metadata.issuer,
			claims?.["email"] ?? claims?.sub,
		);
	} catch (error) {
		if (error instanceof SallyportError) throw error;
		throw notTokens(error);
	}
}

/** What `oauth4webapi` is given with every request. The egress judges what is in clear, so it need not. */
function optionsOf({
	fetch,
	resource,
}: TokenSource): oauth.TokenEndpointRequestOptions {
	return {
		[oauth.customFetch]: fetch,
		[oauth.allowInsecureRequests]: true,
		additionalParameters: resource === null ? {} : { resource },
	};
}

function authOf({ method, secret }: ClientIdentity): oauth.ClientAuth {
	if (secret === null || method === "none") return oauth.None();
	if (method === "client_secret_post") return oauth.ClientSecretPost(secret);
	// Not the library's own: it escapes `-` and `_` too, and servers that forget to unescape then refuse us.
	return (_as, client, _body, headers) => {
		const pair =
			method === "secret_as_user"
				? `${secret}:`
				: `${encodeURIComponent(client.client_id)}:${encodeURIComponent(secret)}`;
		headers.set(
			"authorization",
			`Basic ${Buffer.from(pair).toString("base64")}`,
		);
	};
}

/** A provider's own way to ask, and to answer. */
async function askProvider(
	source: TokenSource,
	provider: Provider,
	endpoint: string,
	params: Readonly<Record<string, string>>,
): Promise<TokenSet> {
	const { client, metadata } = source;
	const body = new URLSearchParams(params);
	const headers = new Headers({ accept: "application/json" });
	await authOf(client)(metadata, { client_id: client.clientId }, body, headers);
	headers.set(
		"content-type",
		provider.body === "json"
			? "application/json"
			: "application/x-www-form-urlencoded",
	);
	const response = await source.fetch(endpoint, {
		method: "POST",
		headers: Object.fromEntries(headers),
		body:
			provider.body === "json"
				? JSON.stringify(Object.fromEntries(body))
				: String(body),
	});
	const answer = parseBody(await response.text());
	refuse(response.status, answer);
	const nested = objectOf(provider.nested && answer[provider.nested]);
	const isNested = typeof nested["access_token"] === "string";
	const given =
		isNested && typeof answer["access_token"] !== "string"
			? { ...answer, ...nested }
			: answer;
	const { scope } = given;
	return tokenSetOf(
		// Whatever they are asked with, some answer with commas.
		typeof scope === "string"
			? { ...given, scope: scope.replaceAll(",", " ") }
			: given,
		metadata.issuer,
		nested["id"] ?? answer["workspace_name"],
	);
}

/** JSON, or a form (GitHub without being asked otherwise); nothing for anything else. */
function parseBody(text: string): Readonly<Record<string, unknown>> {
	try {
		return objectOf(JSON.parse(text));
	} catch {
		return /^[\w.%~-]+=[^<\s]*$/.test(text)
			? Object.fromEntries(new URLSearchParams(text))
			: {};
	}
}

/** @throws TokenRefusal when the answer says no, with whichever status */
function refuse(
	status: number,
	answer: Readonly<Record<string, unknown>>,
): void {
	const { error } = answer;
	if (typeof error === "string" && error !== "")
		throw new TokenRefusal(error, answer["error_description"]);
	if (status === 200 && answer["ok"] !== false) return;
	throw new SallyportError(
		"upstream",
		`the service's token endpoint answered ${status}`,
		{ hint: "try again in a moment" },
	);
}

/** @throws SallyportError when there is no bearer token in it, or one that cannot be sent */
function tokenSetOf(
	answer: Readonly<Record<string, unknown>>,
	issuer: string,
	account: unknown,
): TokenSet {
	const {
		access_token: accessToken,
		refresh_token: refreshToken,
		token_type: type,
		expires_in: life,
		scope,
	} = answer;
	if (typeof accessToken !== "string" || !TOKEN.test(accessToken))
		throw notTokens(`${issuer} gave no token that can be sent`);
	// Some leave the type out, and GitHub, Slack and others name kinds of their own; only these two are not bearers.
	if (typeof type === "string" && /^(dpop|mac|pop|n_a)$/i.test(type))
		throw notTokens(`${issuer} gave a token of another type`);
	return {
		accessToken,
		refreshToken:
			typeof refreshToken === "string" && TOKEN.test(refreshToken)
				? refreshToken
				: null,
		expiresInSeconds: secondsOf(life),
		scopes: typeof scope === "string" ? parseScopes(scope) : null,
		account:
			account === undefined || account === null
				? null
				: quoted(String(account)).slice(0, ACCOUNT_LENGTH_MAX) || null,
	};
}

/** A life in seconds, as a number or as digits. @throws SallyportError when it is over before it began */
function secondsOf(life: unknown): number | null {
	if (life === undefined || life === null || life === "") return null;
	const seconds = Number(life);
	if (!Number.isFinite(seconds) || seconds < 0)
		throw notTokens("the token's life is not a number of seconds");
	return Math.min(Math.floor(seconds), LIFE_SECONDS_MAX);
}

function notTokens(cause: unknown): SallyportError {
	return new SallyportError(
		"upstream",
		"the service answered with something that is no access token",
		{ hint: "tell whoever runs that service", cause },
	);
}
