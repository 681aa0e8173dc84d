/**
 * Signing a user in to the service behind a server: the browser is sent there with a state and a PKCE challenge, comes
 * back with a code, and the code becomes a connection. Between the two a row is kept, bound to the browser's login, to
 * the server whose callback it is, and good once within ten minutes.
 *
 * @see specification 2026-07-28, basic/authorization; RFC 6749 4.1, RFC 7636, RFC 8707, RFC 9207
 */
import * as oauth from "oauth4webapi";
import type { Permit } from "../egress.ts";
import { SallyportError } from "../errors.ts";
import { objectOf } from "../message.ts";
import { mintNonce } from "../mint.ts";
import { recordAudit } from "../store/audit.ts";
import {
	type Connection,
	findConnection,
	setConnection,
} from "../store/connections.ts";
import { transaction } from "../store/database.ts";
import { deleteRegistration } from "../store/registrations.ts";
import type { Server } from "../store/servers.ts";
import { createSignIn, takeSignIn } from "../store/sign-ins.ts";
import { hostOf } from "./discovery.ts";
import type { Located, Locator } from "./locate.ts";
import { quirksOf } from "./providers.ts";
import {
	knownClient,
	type Place,
	type RegistrationDeps,
	requireClient,
} from "./registration.ts";
import { chooseScopes, parseScopes } from "./scopes.ts";
import {
	openSignIn,
	type SignInRequest,
	sealSignIn,
	sealTokens,
} from "./sealed-tokens.ts";
import {
	type ClientIdentity,
	exchangeCode,
	quoted,
	TokenRefusal,
	type TokenSet,
	type TokenSource,
} from "./token-requests.ts";

export type ConnectDeps = RegistrationDeps & {
	readonly locator: Locator;
	readonly permit: Permit;
};

/** What a person is told before they are sent away. */
export type Outlook = {
	/** For people: the provider's name, or the host that asks them to sign in. */
	readonly place: string;
	readonly issuer: string;
	/** What will be asked for; empty: whatever the service gives by itself. */
	readonly scopes: readonly string[];
	/** Whether we are anybody there, or can become so by ourselves. */
	readonly client: "known" | "registers" | "unknown";
};

/** A browser, by its login. */
export type Visitor = {
	readonly userId: string;
	readonly loginHash: Uint8Array;
};

const SIGN_IN_SECONDS = 600;

/** Where an authorization server answers. One for each server, so that no server's answer can be taken for another's. */
export function redirectUriOf(origin: string, slug: string): string {
	return `${origin}/connect/${slug}/callback`;
}

/** What signing in to this server would mean, asked anew. @throws SallyportError when it cannot be done at all */
export async function foresee(
	deps: ConnectDeps,
	server: Server,
	userId: string,
): Promise<Outlook> {
	const located = await requireLocated(deps, server);
	const known = await knownClient(deps, placeOf(deps, server, located));
	return {
		place: located.provider?.title ?? hostOf(located.metadata.issuer),
		issuer: located.metadata.issuer,
		scopes: scopesFor(located, findConnection(deps.db, server.id, userId)),
		client: known
			? "known"
			: located.metadata.registration_endpoint === undefined
				? "unknown"
				: "registers",
	};
}

/**
 * Begins a sign-in.
 * @returns where to send the browser
 * @throws SallyportError when the service cannot be signed in to, or nobody has registered this gateway there
 */
export async function beginSignIn(
	deps: ConnectDeps,
	server: Server,
	visitor: Visitor,
): Promise<string> {
	const located = await requireLocated(deps, server);
	const { metadata, provider } = located;
	const pkce = requirePkce(located);
	const client = await requireClient(deps, placeOf(deps, server, located));
	if (!client) throw unregistered(deps, server, located);
	const before = findConnection(deps.db, server.id, visitor.userId);
	const scopes = scopesFor(located, before);
	const state = mintNonce(32);
	const verifier = pkce ? mintNonce(32) : null;
	keepSignIn(deps, server, visitor, state, {
		issuer: metadata.issuer,
		clientId: client.clientId,
		verifier,
		scopes,
		stepUps: before?.wanted ? before.stepUps + 1 : 0,
	});
	const url = new URL(metadata.authorization_endpoint as string);
	const params: Readonly<Record<string, string | null>> = {
		...provider?.authorizeParams,
		...(provider?.dialect === "draft5"
			? { type: "web_server" }
			: { response_type: "code" }),
		client_id: client.clientId,
		redirect_uri: redirectUriOf(deps.origin, server.slug),
		scope:
			scopes.length === 0 ? null : scopes.join(provider?.scopeSeparator ?? " "),
		state,
		code_challenge:
			verifier === null
				? null
				: await oauth.calculatePKCECodeChallenge(verifier),
		code_challenge_method: verifier === null ? null : "S256",
		resource: located.resource,
	};
	for (const [name, value] of Object.entries(params))
		if (value !== null) url.searchParams.set(name, value);
	await deps.permit(url);
	return url.href;
}

/**
 * Ends a sign-in with what the browser brought back.
 * @throws SallyportError `forbidden` when the browser or its answer is not the one that was sent away, before anything
 *   is asked of the service
 */
export async function finishSignIn(
	deps: ConnectDeps,
	server: Server,
	visitor: Visitor,
	params: URLSearchParams,
): Promise<void> {
	const state = params.get("state") ?? "";
	const signIn = takeSignIn(
		deps.db,
		{
			stateHash: deps.vault.mac(`sign-in ${state}`),
			loginHash: visitor.loginHash,
			serverId: server.id,
		},
		deps.clock.now(),
	);
	if (!signIn) throw stranger();
	const request = openSignIn(deps.vault, signIn);
	const located = await requireLocated(deps, server, false);
	const client = await knownClient(deps, placeOf(deps, server, located));
	if (
		located.metadata.issuer !== request.issuer ||
		client?.clientId !== request.clientId
	)
		throw stranger();
	const judged = judgeAnswer(located, client, params, state);
	const source: TokenSource = { ...located, fetch: deps.fetch, client };
	const tokens = await trade(deps, server, source, judged, request);
	keep(deps, server, visitor.userId, request, {
		...tokens,
		account: tokens.account ?? (await askAccount(source, tokens)),
	});
}

/** Who we are with this service, and how to speak to it, for whoever renews and revokes tokens. */
export async function sourceOf(
	deps: ConnectDeps,
	server: Server,
	fresh = false,
): Promise<TokenSource | null> {
	const located = await deps.locator.find(server, { fresh });
	const client =
		located && (await knownClient(deps, placeOf(deps, server, located)));
	return located && client && { ...located, fetch: deps.fetch, client };
}

function placeOf(
	{ origin }: ConnectDeps,
	server: Server,
	{ service, provider, metadata }: Located,
): Place {
	return {
		serverId: server.id,
		service,
		provider,
		metadata,
		redirectUri: redirectUriOf(origin, server.slug),
	};
}

async function requireLocated(
	{ locator }: ConnectDeps,
	server: Server,
	fresh = true,
): Promise<Located> {
	const located = await locator.find(server, { fresh });
	if (!located)
		throw new SallyportError(
			"invalid",
			`${server.slug} does not say where to sign in`,
			{
				hint: "an administrator can name a provider: sallyport connections add --help",
			},
		);
	return located;
}

/** What was wanted beyond an earlier sign-in comes on top of what was asked for then. */
function scopesFor(
	{ service, metadata, resourceScopes }: Located,
	before: Connection | null,
): readonly string[] {
	if (before?.wanted && before.issuer === metadata.issuer)
		return parseScopes(before.wanted);
	return chooseScopes({
		given: service?.scope ?? null,
		challenged: service?.challengeScope ?? null,
		resource: resourceScopes,
		issuer: metadata.scopes_supported ?? null,
	});
}

/** @throws SallyportError for a server that does not say it checks PKCE: a code could be stolen on its way */
function requirePkce({ provider, metadata }: Located): boolean {
	if (provider) return provider.pkce;
	const methods: readonly unknown[] =
		metadata.code_challenge_methods_supported ?? [];
	if (methods.includes("S256") || quirksOf(metadata.issuer).hidesPkce)
		return true;
	throw new SallyportError(
		"upstream",
		`${hostOf(metadata.issuer)} does not say that it checks PKCE (S256), so signing in there is not safe`,
		{ hint: "tell whoever runs that service" },
	);
}

function keepSignIn(
	{ db, vault, clock }: ConnectDeps,
	server: Server,
	{ userId, loginHash }: Visitor,
	state: string,
	request: SignInRequest,
): void {
	const place = {
		stateHash: vault.mac(`sign-in ${state}`),
		userId,
		serverId: server.id,
	};
	createSignIn(db, {
		...place,
		loginHash,
		request: sealSignIn(vault, place, request),
		expiresAt: clock.now() + SIGN_IN_SECONDS,
	});
}

/**
 * The answer, when it is the issuer's own and says yes. What an answer of somebody else's says is not even shown.
 * @see RFC 9207 2.4
 */
function judgeAnswer(
	{ metadata, provider }: Located,
	client: ClientIdentity,
	params: URLSearchParams,
	state: string,
): URLSearchParams {
	const iss = params.get("iss");
	// A provider of the table has no metadata that would say how it spells its issuer.
	if (
		provider &&
		iss !== null &&
		!(URL.canParse(iss) && new URL(iss).origin === metadata.issuer)
	)
		throw stranger();
	if (provider) params.delete("iss");
	try {
		return oauth.validateAuthResponse(
			metadata,
			{ client_id: client.clientId },
			params,
			state,
		);
	} catch (error) {
		if (error instanceof oauth.AuthorizationResponseError)
			throw notAllowed(error);
		throw stranger();
	}
}

async function trade(
	{ db, origin }: ConnectDeps,
	server: Server,
	source: TokenSource,
	params: URLSearchParams,
	{ verifier, issuer }: SignInRequest,
): Promise<TokenSet> {
	try {
		return await exchangeCode(
			source,
			params,
			redirectUriOf(origin, server.slug),
			verifier,
		);
	} catch (error) {
		// It has forgotten us: the next sign-in registers anew.
		if (error instanceof TokenRefusal && error.error === "invalid_client")
			deleteRegistration(db, server.id, issuer);
		throw error;
	}
}

/** Who signed in, from the provider's API. A name for people: not to know it is no failure. */
async function askAccount(
	source: TokenSource,
	{ accessToken }: TokenSet,
): Promise<string | null> {
	const { provider } = source;
	if (!provider?.account) return null;
	try {
		const response = await source.fetch(provider.account.url, {
			headers: {
				authorization: `Bearer ${accessToken}`,
				accept: "application/json",
			},
		});
		const answer = objectOf(JSON.parse(await response.text()));
		const name = provider.account.members
			.map((member) => answer[member])
			.find((value) => value !== undefined && value !== null);
		return name === undefined ? null : quoted(String(name)) || null;
	} catch {
		return null;
	}
}

/** @throws SallyportError `conflict` when somebody else's account came back than the one that is connected */
function keep(
	{ db, vault, clock }: ConnectDeps,
	server: Server,
	userId: string,
	request: SignInRequest,
	tokens: TokenSet,
): void {
	const now = clock.now();
	const granted = tokens.scopes ?? request.scopes;
	transaction(db, () => {
		const before = findConnection(db, server.id, userId);
		if (
			before?.account &&
			tokens.account &&
			before.issuer === request.issuer &&
			before.account !== tokens.account
		)
			throw new SallyportError(
				"conflict",
				`you signed in as ${tokens.account}, and this connection is ${before.account}'s`,
				{
					hint: "disconnect it first to use another account, or sign in as before",
				},
			);
		setConnection(
			db,
			{
				userId,
				serverId: server.id,
				issuer: request.issuer,
				account: tokens.account ?? before?.account ?? null,
				requested: request.scopes.join(" "),
				stepUps: request.stepUps,
				granted: granted.join(" "),
				refreshable: tokens.refreshToken === null ? 0 : 1,
				...livesUntil(tokens, now),
			},
			now,
			(place) =>
				sealTokens(vault, place, {
					accessToken: tokens.accessToken,
					refreshToken: tokens.refreshToken,
					clientId: request.clientId,
				}),
		);
		recordAudit(
			db,
			{ actor: userId, action: "connection.add", object: server.slug },
			now,
		);
	});
}

/** When tokens end, and when to renew them: at 80 % of their life. */
export function livesUntil(
	{ expiresInSeconds }: TokenSet,
	now: number,
): { readonly expiresAt: number | null; readonly refreshAt: number | null } {
	return expiresInSeconds === null
		? { expiresAt: null, refreshAt: null }
		: {
				expiresAt: now + expiresInSeconds,
				refreshAt: now + Math.floor(expiresInSeconds * 0.8),
			};
}

function unregistered(
	{ origin }: ConnectDeps,
	server: Server,
	{ metadata }: Located,
): SallyportError {
	return new SallyportError(
		"unavailable",
		`this gateway is not registered at ${hostOf(metadata.issuer)} yet`,
		{
			hint: `an administrator registers it there with the redirect URI ${redirectUriOf(origin, server.slug)}, then: sallyport connections add ${server.slug} --client-id ID --client-secret-file F`,
		},
	);
}

/** Exact inside, vague outside: what did not fit is nobody's business but the one who knows it. */
function stranger(): SallyportError {
	return new SallyportError(
		"forbidden",
		"this answer does not belong to a sign-in that you began here",
		{ hint: "begin again from the server's page" },
	);
}

function notAllowed(error: oauth.AuthorizationResponseError): SallyportError {
	const words = quoted(error.error_description);
	return new SallyportError(
		"upstream",
		error.error === "access_denied"
			? "it was not allowed there, so nothing is connected"
			: `the service refused: ${quoted(error.error)}${words === "" ? "" : ` (${words})`}`,
		{ hint: "begin again from the server's page" },
	);
}
