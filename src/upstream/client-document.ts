/**
 * Our own Client ID Metadata Document: who we are at authorization servers that read such documents. Its URL is our
 * client id there, so it can be used only where the internet reaches us.
 *
 * It lists a callback for each server whose users sign in, because each has its own; their slugs are so no secret.
 *
 * @see draft-ietf-oauth-client-id-metadata-document 4
 */
import type { Clock } from "../clock.ts";
import { createEgress } from "../egress.ts";
import { SallyportError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import { listServiceSlugs } from "../store/server-services.ts";
import { redirectUriOf } from "./connect.ts";
import { clientMetadata } from "./registration.ts";

/** Where the document is served. */
export const CLIENT_DOCUMENT_PATH = "/oauth/client-metadata.json";
const VERDICT_SECONDS = 600;
/** A server that was added just now must be in it when it is read next. */
const CACHE_SECONDS = 60;

/** The document, as the answer to whoever asks. */
export function clientDocument(db: Database, origin: string): Response {
	return Response.json(
		{
			client_id: `${origin}${CLIENT_DOCUMENT_PATH}`,
			...clientMetadata(
				origin,
				listServiceSlugs(db).map((slug) => redirectUriOf(origin, slug)),
			),
			token_endpoint_auth_method: "none",
		},
		{
			headers: {
				"cache-control": `public, max-age=${CACHE_SECONDS}`,
				"access-control-allow-origin": "*",
				"x-content-type-options": "nosniff",
			},
		},
	);
}

/**
 * Gives the document's URL where an authorization server can read it: https, by a name with a public address.
 * @param instead a URL that is used whatever our own origin is
 */
export function createDocumentUrl(
	origin: string,
	clock: Clock,
	instead: string | null = null,
): () => Promise<string | null> {
	const { permit } = createEgress({ allowPrivate: [], onlySecure: true });
	let verdict: { readonly url: string | null; readonly until: number } | null =
		null;
	return async () => {
		if (instead !== null) return instead;
		if (verdict && verdict.until > clock.now()) return verdict.url;
		const isPublic =
			origin.startsWith("https:") &&
			(await permit(origin).then(
				() => true,
				(error: unknown) => {
					if (!(error instanceof SallyportError)) throw error;
					return false;
				},
			));
		verdict = {
			url: isPublic ? `${origin}${CLIENT_DOCUMENT_PATH}` : null,
			until: clock.now() + VERDICT_SECONDS,
		};
		return verdict.url;
	};
}
