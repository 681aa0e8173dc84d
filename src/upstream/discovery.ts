/**
 * Where a server wants its users to sign in: from its URL to the metadata of its authorization server.
 *
 * The server names its authorization server in a document that it points to (RFC 9728); the authorization server
 * describes itself (RFC 8414, or OpenID's spelling of it), and what it says its issuer is must be the very text that
 * led to it. Every hop goes through the same egress; nothing that comes back is believed beyond that.
 *
 * @see specification 2026-07-28, basic/authorization/authorization-server-discovery; RFC 9728 3, 5; RFC 8414 3
 */
import type { AuthorizationServer } from "oauth4webapi";
import type { Permit } from "../egress.ts";
import { SallyportError } from "../errors.ts";
import { objectOf } from "../message.ts";
import type { OAuthFetch } from "../oauth-fetch.ts";

/** What was found: who issues tokens for a server, and how to ask there. */
export type Discovered = {
	readonly issuer: string;
	readonly metadata: AuthorizationServer;
	/** What to name as `resource`, as the server's own document writes it. */
	readonly resource: string;
	/** What the server's document says of scopes; null: nothing. */
	readonly resourceScopes: readonly string[] | null;
};

export type DiscoveryDeps = {
	readonly fetch: OAuthFetch;
	readonly permit: Permit;
};

const RESOURCE_PATH = "/.well-known/oauth-protected-resource";
const ISSUERS_MAX = 20;

/**
 * Finds out where a server wants its users to sign in.
 * @param from.metadataUrl where the server's challenge says that its document is
 * @param from.issuer the one that must be used, when an administrator said so
 * @returns null when the server says nothing of it anywhere
 * @throws SallyportError `upstream` or `forbidden`, naming the step that failed
 */
export async function discover(
	deps: DiscoveryDeps,
	from: {
		readonly url: string;
		readonly metadataUrl: string | null;
		readonly issuer: string | null;
	},
): Promise<Discovered | null> {
	const document = await readResourceDocument(deps, from);
	// Before there were such documents, a server was its own authorization server (2025-03-26).
	const named = document?.issuers ?? [new URL(from.url).origin];
	const issuer = from.issuer ?? (named[0] as string);
	if (document && !named.includes(issuer))
		throw new SallyportError(
			"upstream",
			`now sends its users to ${hostOf(named[0] as string)}, where this gateway has no client`,
			{ hint: "register this gateway there, and give its client id anew" },
		);
	const metadata = await readIssuerMetadata(deps, issuer);
	if (!metadata) {
		if (!document) return null;
		throw broken("its authorization server has no metadata");
	}
	await requireUsable(deps, metadata);
	return {
		issuer,
		metadata,
		resource: document?.resource ?? canonical(from.url),
		resourceScopes: document?.scopes ?? null,
	};
}

type ResourceDocument = {
	readonly resource: string;
	readonly issuers: readonly string[];
	readonly scopes: readonly string[] | null;
};

async function readResourceDocument(
	deps: DiscoveryDeps,
	{
		url,
		metadataUrl,
	}: { readonly url: string; readonly metadataUrl: string | null },
): Promise<ResourceDocument | null> {
	const { origin, pathname } = new URL(url);
	const path = pathname.replace(/\/$/, "");
	const places = [
		...(metadataUrl === null ? [] : [metadataUrl]),
		...(path === "" ? [] : [`${origin}${RESOURCE_PATH}${path}`]),
		`${origin}${RESOURCE_PATH}`,
	];
	for (const place of new Set(places)) {
		const body = await readJson(deps, place, "its resource metadata");
		if (body) return parseResourceDocument(body, url);
	}
	return null;
}

/** @throws SallyportError when the document is about another resource: what it names would be given our tokens */
function parseResourceDocument(
	body: Readonly<Record<string, unknown>>,
	url: string,
): ResourceDocument {
	const { resource, authorization_servers: servers } = body;
	if (typeof resource !== "string" || !isAbout(resource, url))
		throw broken("its resource metadata is about another server");
	const issuers = stringsOf(servers).slice(0, ISSUERS_MAX);
	return {
		resource,
		issuers: issuers.length > 0 ? issuers : [new URL(url).origin],
		scopes: Array.isArray(body["scopes_supported"])
			? stringsOf(body["scopes_supported"])
			: null,
	};
}

/** Whether a resource is this URL, or a place above it at the same origin (RFC 9728 3.3, RFC 8707 2). */
function isAbout(resource: string, url: string): boolean {
	if (!URL.canParse(resource)) return false;
	const named = new URL(resource);
	const called = new URL(url);
	if (named.origin !== called.origin || named.hash !== "") return false;
	const above = named.pathname.replace(/\/$/, "");
	return called.pathname === above || called.pathname.startsWith(`${above}/`);
}

/** The metadata of an issuer, from the first place that has any (RFC 8414 3.1, then OpenID Connect Discovery 4). */
async function readIssuerMetadata(
	deps: DiscoveryDeps,
	issuer: string,
): Promise<AuthorizationServer | null> {
	if (!URL.canParse(issuer)) throw broken("its authorization server is no URL");
	const { origin, pathname, search, hash } = new URL(issuer);
	if (search !== "" || hash !== "")
		throw broken("its authorization server's URL has a query or a fragment");
	const path = pathname.replace(/\/$/, "");
	const places =
		path === ""
			? [
					`${origin}/.well-known/oauth-authorization-server`,
					`${origin}/.well-known/openid-configuration`,
				]
			: [
					`${origin}/.well-known/oauth-authorization-server${path}`,
					`${origin}/.well-known/openid-configuration${path}`,
					`${origin}${path}/.well-known/openid-configuration`,
				];
	for (const place of places) {
		const body = await readJson(
			deps,
			place,
			"its authorization server's metadata",
		);
		if (!body) continue;
		// RFC 8414 3.3: identical, or it must not be used. A path's slash at the end of an origin is no difference.
		if (bare(body["issuer"]) !== bare(issuer))
			throw broken(
				"its authorization server says that its issuer is another one",
			);
		return { ...body, issuer: body["issuer"] as string } as AuthorizationServer;
	}
	return null;
}

/** `https://a.example/` as `https://a.example`; anything else as it stands. */
function bare(issuer: unknown): unknown {
	return typeof issuer === "string"
		? issuer.replace(/^([a-z]+:\/\/[^/]+)\/$/, "$1")
		: issuer;
}

/** @throws SallyportError when an endpoint is missing or may not be used */
async function requireUsable(
	deps: DiscoveryDeps,
	metadata: AuthorizationServer,
): Promise<void> {
	for (const name of ["authorization_endpoint", "token_endpoint"] as const) {
		const endpoint = metadata[name];
		if (typeof endpoint !== "string")
			throw broken(`its authorization server has no ${name}`);
		await about(`its ${name}`, () => deps.permit(endpoint));
	}
}

/** A small JSON object; null when there is none. @throws SallyportError when the place may not be asked, or fails */
async function readJson(
	deps: DiscoveryDeps,
	url: string,
	what: string,
): Promise<Readonly<Record<string, unknown>> | null> {
	const response = await about(what, () =>
		deps.fetch(url, { headers: { accept: "application/json" } }),
	);
	if (response.status >= 500)
		throw broken(`${what} cannot be read (${response.status})`);
	if (response.status !== 200) return null;
	try {
		const body: unknown = JSON.parse(await response.text());
		return Array.isArray(body) || body === null || typeof body !== "object"
			? null
			: objectOf(body);
	} catch {
		return null; // a site that answers everything with a page
	}
}

/** Does work on something, and names it in what goes wrong. */
async function about<T>(what: string, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		if (!(error instanceof SallyportError)) throw error;
		throw new SallyportError(error.code, `${what} ${error.message}`, {
			...(error.hint !== undefined && { hint: error.hint }),
			cause: error,
		});
	}
}

function broken(what: string): SallyportError {
	return new SallyportError("upstream", `cannot be signed in to: ${what}`, {
		hint: "tell whoever runs that server",
	});
}

/** The URL as a resource is named: without fragment, and without the slash that a bare origin gets (RFC 8707 2). */
function canonical(url: string): string {
	const { origin, pathname, search } = new URL(url);
	return `${origin}${pathname === "/" ? "" : pathname}${search}`;
}

function stringsOf(value: unknown): readonly string[] {
	return Array.isArray(value)
		? value.filter((each) => typeof each === "string")
		: [];
}

/** For people: the host of a URL, or nothing that could mislead. */
export function hostOf(url: string): string {
	return URL.canParse(url) ? new URL(url).host : "an unknown place";
}
