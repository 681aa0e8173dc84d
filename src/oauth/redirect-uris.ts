/**
 * Which redirect URIs a client may have, and which of them an authorization request means.
 * Pure: grammars over the bytes as sent, because a URL parser turns `http://0x7f.1/` into a loopback address and
 * `https://a\.evil/` into something else again.
 *
 * @see RFC 8252 7.3 and 8.3, RFC 9700 2.1 and 4.1, OAuth 2.1 draft 2.3.1
 */

export const REDIRECT_URIS_MAX = 10;
const REDIRECT_URI_LENGTH_MAX = 512;

/** Callbacks of known clients, whole. (oauth.md 3.3; data, so that a new one is a line.) */
const KNOWN: readonly string[] = [
	"https://claude.ai/api/mcp/auth_callback",
	"https://claude.com/api/mcp/auth_callback",
	"https://chatgpt.com/connector_platform_oauth_redirect",
	"https://www.cursor.com/agents/mcp/oauth/callback",
	"cursor://anysphere.cursor-mcp/oauth/callback",
	"https://vscode.dev/redirect",
	"https://insiders.vscode.dev/redirect",
	"https://grok.com/connectors-oauth-exchange-code/",
	"https://console.x.ai/connectors-oauth-exchange-code/",
	"https://oauth.n8n.cloud/oauth2/callback",
];

/** Callbacks of known clients that end in an id of theirs: one segment. */
const KNOWN_WITH_ID: readonly string[] = [
	"https://chatgpt.com/connector/oauth/",
];

const OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const PORT = "(?::[0-9]{1,5})?";
// RFC 3986 path and query without `*`: a wildcard is refused at registration, and matches nothing here.
const REST = "(?:[/?][A-Za-z0-9._~!$&'()+,;=:@%/?-]*)?";
const LOOPBACK = new RegExp(
	`^http://(localhost|127\\.${OCTET}\\.${OCTET}\\.${OCTET}|\\[::1\\])${PORT}(${REST})$`,
);
const HTTPS = new RegExp(
	`^https://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?${PORT}${REST}$`,
);
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:[/?]|$)/i;

/**
 * Whose callback a client may name. `known`: this computer, and those of known clients, because anyone can register
 * and claim any host. `any`: every https host, where someone vouches: the host of a document, or an administrator.
 */
export type RedirectTrust = "known" | "any";

/** Whether a client that is trusted so far may have this redirect URI. */
export function isAdmissible(uri: string, trust: RedirectTrust): boolean {
	if (uri.length > REDIRECT_URI_LENGTH_MAX || DOT_SEGMENT.test(uri))
		return false;
	if (KNOWN.includes(uri) || LOOPBACK.test(uri)) return true;
	if (trust === "any" && HTTPS.test(uri)) return true;
	return KNOWN_WITH_ID.some(
		(prefix) =>
			uri.startsWith(prefix) &&
			/^[A-Za-z0-9_-]+$/.test(uri.slice(prefix.length)),
	);
}

/**
 * Whether a sent redirect URI is one of the client's: the same bytes; on this computer with any port, because a
 * client cannot know which one will be free (RFC 8252 7.3). `localhost` and `127.0.0.1` are not each other.
 */
export function matchesRedirectUri(
	registered: readonly string[],
	sent: string,
): boolean {
	if (registered.includes(sent)) return true;
	const wanted = loopbackOf(sent);
	return (
		wanted !== null && registered.some((uri) => loopbackOf(uri) === wanted)
	);
}

/** Where the answer goes, for a person to read: a host, this computer, or an app by its scheme. */
export type Destination = {
	readonly kind: "host" | "loopback" | "app";
	readonly name: string;
	/** Whether it is a callback of a known client. */
	readonly known: boolean;
};

/** Reads the destination of a redirect URI that was found admissible. */
export function destinationOf(uri: string): Destination {
	const known = !LOOPBACK.test(uri) && isAdmissible(uri, "known");
	const { protocol, host, hostname } = new URL(uri);
	if (LOOPBACK.test(uri)) return { kind: "loopback", name: hostname, known };
	if (protocol === "https:") return { kind: "host", name: host, known };
	return { kind: "app", name: protocol.slice(0, -1), known };
}

/** What a Content-Security-Policy must list so that a form's answer may lead to this redirect URI. */
export function formActionSource(uri: string): string {
	const { protocol, origin, hostname } = new URL(uri);
	// CSP's grammar has no IPv6 literals, and an app's scheme has no origin.
	const isHost =
		(protocol === "https:" || protocol === "http:") &&
		!hostname.startsWith("[");
	return isHost ? origin : protocol;
}

/** The redirect URI with parameters added to whatever query it has; its own bytes stay as they are. */
export function withParameters(
	uri: string,
	parameters: Readonly<Record<string, string | null>>,
): string {
	const query = new URLSearchParams();
	for (const [name, value] of Object.entries(parameters))
		if (value !== null) query.set(name, value);
	return `${uri}${uri.includes("?") ? "&" : "?"}${query}`;
}

/** The redirect URI as far as it tells clients apart: the port of a program on this computer changes each time. */
export function placeOfAnswer(uri: string): string {
	return loopbackOf(uri) ?? uri;
}

/** Host, path and query of a loopback URI, without its port; null for any other. */
function loopbackOf(uri: string): string | null {
	const [, host, rest] = LOOPBACK.exec(uri) ?? [];
	return host === undefined ? null : `${host}${rest}`;
}
