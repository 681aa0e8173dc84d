/**
 * Client metadata as a client wrote it, in a registration or in its own document: judged member by member.
 * Only what we use is read; a URL in it is never fetched, unknown members are dropped, and one odd redirect URI does
 * not cost a client the good ones (Cursor registers three kinds at once).
 *
 * @see RFC 7591 2, draft-ietf-oauth-client-id-metadata-document
 */
import type { ClientAuthMethod } from "../store/clients.ts";
import { OAuthError } from "./oauth-error.ts";
import {
	isAdmissible,
	REDIRECT_URIS_MAX,
	type RedirectTrust,
} from "./redirect-uris.ts";

type ClientMetadata = {
	readonly name: string;
	/** The admissible ones, at least one. */
	readonly redirectUris: readonly string[];
	readonly authMethod: ClientAuthMethod;
};

const NAME_LENGTH_MAX = 64;
const LIST_LENGTH_MAX = 50;
const AUTH_METHODS: readonly ClientAuthMethod[] = [
	"none",
	"client_secret_basic",
	"client_secret_post",
];

/** How a client came to us: by registering, or by a document on its own host, which cannot hold a secret. */
type Origin = "registered" | "document";

/** Reads metadata. @throws OAuthError `invalid_redirect_uri` or `invalid_client_metadata` */
export function parseClientMetadata(
	value: unknown,
	origin: Origin,
	trust: RedirectTrust,
): ClientMetadata {
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw malformed("the metadata must be a JSON object");
	const member = (name: string): unknown =>
		Object.hasOwn(value, name)
			? (value as Readonly<Record<string, unknown>>)[name]
			: undefined;
	requireOneOf(member("grant_types"), "grant_types", "authorization_code");
	requireOneOf(member("response_types"), "response_types", "code");
	return {
		redirectUris: parseRedirectUris(member("redirect_uris"), trust),
		name: parseName(member("client_name")),
		authMethod: parseAuthMethod(
			member("token_endpoint_auth_method"),
			member("token_endpoint_auth_methods_supported"),
			origin,
		),
	};
}

/**
 * A name as it may be shown: one line, no invisible or direction-changing characters, at most 64 characters.
 * It is what the client calls itself and proves nothing.
 */
function parseName(value: unknown): string {
	if (value === undefined || value === null) return "";
	if (typeof value !== "string")
		throw malformed("client_name must be a string");
	const clean = value
		.normalize("NFKC")
		.replace(/\s+/gu, " ")
		.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "")
		.trim();
	return [...clean].slice(0, NAME_LENGTH_MAX).join("");
}

function parseRedirectUris(
	value: unknown,
	trust: RedirectTrust,
): readonly string[] {
	if (!Array.isArray(value) || value.length === 0)
		throw new OAuthError(
			"invalid_redirect_uri",
			"redirect_uris must be a list with at least one URI",
		);
	if (value.length > REDIRECT_URIS_MAX)
		throw new OAuthError(
			"invalid_redirect_uri",
			`redirect_uris has at most ${REDIRECT_URIS_MAX} members`,
		);
	const uris = strings(value, "redirect_uris");
	const admissible = [
		...new Set(uris.filter((uri) => isAdmissible(uri, trust))),
	];
	if (admissible.length === 0)
		throw new OAuthError(
			"invalid_redirect_uri",
			"none of the redirect URIs is allowed here",
		);
	return admissible;
}

function parseAuthMethod(
	method: unknown,
	supported: unknown,
	origin: Origin,
): ClientAuthMethod {
	const wanted =
		// RFC 7591 2 names the default of a registration; a document has no way to hold a secret.
		method ?? (origin === "registered" ? "client_secret_basic" : "none");
	const choices = [wanted, ...(Array.isArray(supported) ? supported : [])];
	const possible = origin === "registered" ? AUTH_METHODS : ["none" as const];
	// ChatGPT prefers `private_key_jwt` and lists `none` beside it: what it can do counts.
	const chosen = choices
		.slice(0, LIST_LENGTH_MAX)
		.map((choice) => possible.find((known) => known === choice))
		.find((known) => known !== undefined);
	if (!chosen)
		throw malformed("the token endpoint does not know this auth method");
	return chosen;
}

function requireOneOf(value: unknown, name: string, needed: string): void {
	if (value === undefined || value === null) return;
	if (!Array.isArray(value) || value.length > LIST_LENGTH_MAX)
		throw malformed(`${name} must be a short list`);
	if (!strings(value, name).includes(needed))
		throw malformed(`${name} must contain ${needed}`);
}

function strings(list: readonly unknown[], name: string): readonly string[] {
	// Not `every`: it passes over the holes of a sparse list.
	for (let at = 0; at < list.length; at++)
		if (typeof list[at] !== "string")
			throw name === "redirect_uris"
				? new OAuthError("invalid_redirect_uri", "a redirect URI is a string")
				: malformed(`${name} must be a list of strings`);
	return list as readonly string[];
}

function malformed(description: string): OAuthError {
	return new OAuthError("invalid_client_metadata", description);
}
