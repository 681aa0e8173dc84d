/**
 * Protected resources: one endpoint is one resource, named by its URL, with its scopes.
 * `/mcp` is everything its caller may use, scope `mcp`; `/mcp/<slug>` is one server or toolset, scope `mcp:<slug>`. A
 * server's scope is also a part of `mcp`; a toolset's means nothing there (decision 33). What a client asks for beyond
 * that is dropped, because clients ask for whatever they once read somewhere (oauth.md 3.1).
 *
 * @see RFC 8707, RFC 9728, RFC 6749 3.3
 */
import type { OAuthDeps } from "./authorization-server.ts";
import { OAuthError } from "./oauth-error.ts";

type Served = Pick<OAuthDeps, "issuer" | "isEndpoint">;
type Parts = Pick<OAuthDeps, "isPart">;

export const DEFAULT_PATH = "/mcp";
const ENDPOINT = /^\/mcp(?:\/([a-z][a-z0-9-]{0,31}))?$/;
const SCOPE_LENGTH_MAX = 2000;
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const SLUG_SCOPE = /^mcp:[a-z][a-z0-9-]{0,31}$/;

/** Whether an endpoint is served at exactly this path. */
export function isServed(served: Served, path: string): boolean {
	return (
		path === DEFAULT_PATH || (ENDPOINT.test(path) && served.isEndpoint(path))
	);
}

/**
 * The resource a client means, in its one spelling: scheme and host in lower case, no default port, no trailing slash;
 * the bare origin means `/mcp`, which answers there too. Omitted: `/mcp` (clients of 2025-03-26 do not know it).
 * @throws OAuthError `invalid_target` for anything that is not served here
 */
export function parseResource(served: Served, text: string | null): string {
	if (text === null) return served.issuer + DEFAULT_PATH;
	const [, scheme, host, path] =
		/^([a-z][a-z0-9+.-]*):\/\/([^/?#@\\\s]+)(\/[^?#\\\s]*)?$/i.exec(text) ?? [];
	if (scheme && host) {
		const origin = `${scheme}://${host}`.toLowerCase();
		const bare = origin.replace(
			origin.startsWith("https:") ? /:443$/ : /:80$/,
			"",
		);
		const place = (path ?? "").replace(/\/$/, "") || DEFAULT_PATH;
		if (bare === served.issuer && isServed(served, place)) return bare + place;
	}
	throw new OAuthError("invalid_target", "there is no such resource here");
}

/** What can be asked for at a resource: the scope that stands for all of it. */
export function scopeOf(resource: string): string {
	const slug = slugOf(resource);
	return slug === null ? "mcp" : `mcp:${slug}`;
}

/** The scope granted when a client asks for `text` at a resource. @throws OAuthError `invalid_scope` when it is none */
export function grantedScope(
	parts: Parts,
	resource: string,
	text: string | null,
): string {
	const whole = scopeOf(resource);
	// At a server's own endpoint `mcp` can only mean that server: the resource is the narrower of the two.
	if (slugOf(resource) !== null) {
		parseScope(text);
		return whole;
	}
	const wanted = partsOf(parts, parseScope(text));
	return wanted.length === 0 || wanted.includes(whole)
		? whole
		: wanted.join(" ");
}

/**
 * The scope of a refreshed access token: what was granted, or the part of it that is asked for.
 * Null when something of ours is asked for that was not granted (RFC 6749 6); words that are not ours are ignored.
 */
export function narrowedScope(
	parts: Parts,
	resource: string,
	granted: string,
	text: string | null,
): string | null {
	const words = parseScope(text);
	const wanted =
		slugOf(resource) === null
			? partsOf(parts, words)
			: words.map((scope) => (scope === "mcp" ? scopeOf(resource) : scope));
	const have = granted.split(" ");
	if (wanted.length === 0) return granted;
	if (!wanted.every((scope) => have.includes("mcp") || have.includes(scope)))
		return null;
	return wanted.includes("mcp") ? granted : [...new Set(wanted)].join(" ");
}

/** The words of a scope that mean something at `/mcp`. */
function partsOf(
	{ isPart }: Parts,
	words: readonly string[],
): readonly string[] {
	return words.filter(
		(scope) => scope === "mcp" || isPart(`/${scope.replace(":", "/")}`),
	);
}

/** Our own words of a scope, each once. @throws OAuthError `invalid_scope` when it is too long or malformed */
function parseScope(text: string | null): readonly string[] {
	if (text === null) return [];
	const words = text.split(" ").filter((word) => word !== "");
	if (
		text.length > SCOPE_LENGTH_MAX ||
		!words.every((word) => SCOPE_TOKEN.test(word))
	)
		throw new OAuthError("invalid_scope", "the scope is malformed or too long");
	return [
		...new Set(words.filter((word) => word === "mcp" || SLUG_SCOPE.test(word))),
	];
}

function slugOf(resource: string): string | null {
	return ENDPOINT.exec(new URL(resource).pathname)?.[1] ?? null;
}
