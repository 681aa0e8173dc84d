/**
 * Who asks at the token and revocation endpoints: a public client by its id alone, a confidential one by its secret,
 * in the Authorization header or in the body, never in both. Public and confidential are never mixed. An unknown
 * client and a wrong secret get the same answer after the same work.
 *
 * @see RFC 6749 2.3, 2.3.1 and 5.2
 */
import { timingSafeEqual } from "node:crypto";
import { type Client, findClient } from "../store/clients.ts";
import type { OAuthDeps } from "./authorization-server.ts";
import { OAuthError } from "./oauth-error.ts";
import type { Parameters } from "./parameters.ts";

const NO_HASH = new Uint8Array(32);

/** The client that a request proves to come from. @throws OAuthError `invalid_client` (401) */
export function authenticateClient(
	deps: Pick<OAuthDeps, "db" | "vault">,
	request: Request,
	form: Parameters,
): Client {
	const header = request.headers.get("Authorization");
	const basic = header === null ? null : parseBasic(header);
	const inBody = {
		id: form.get("client_id"),
		secret: form.get("client_secret"),
	};
	if (header !== null && (basic === null || inBody.secret !== null))
		throw refused(true);
	// Some clients repeat their id in the body beside the header; another id there is another client.
	if (basic && inBody.id !== null && inBody.id !== basic.id)
		throw refused(true);
	const id = basic?.id ?? inBody.id;
	const secret = basic?.secret ?? inBody.secret;
	const client = id === null ? null : findClient(deps.db, id);
	const expected = client?.secretHash ?? NO_HASH;
	const same = timingSafeEqual(deps.vault.mac(secret ?? ""), expected);
	const proven =
		client !== null &&
		(client.authMethod === "none"
			? secret === null
			: client.secretHash !== null && secret !== null && same);
	if (!proven) throw refused(header !== null);
	return client;
}

function refused(challenge: boolean): OAuthError {
	return new OAuthError(
		"invalid_client",
		"the client is unknown or did not prove itself",
		{
			status: 401,
			...(challenge
				? { headers: { "WWW-Authenticate": 'Basic realm="sallyport"' } }
				: {}),
		},
	);
}

/** `Basic base64(id:secret)`, both form-encoded (RFC 6749 2.3.1); null when it is anything else. */
function parseBasic(
	header: string,
): { readonly id: string; readonly secret: string | null } | null {
	const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header)?.[1];
	if (!encoded) return null;
	const bytes = Buffer.from(encoded, "base64");
	try {
		const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
		const colon = text.indexOf(":");
		if (colon < 1) return null;
		const decode = (part: string): string =>
			decodeURIComponent(part.replaceAll("+", " "));
		return {
			id: decode(text.slice(0, colon)),
			secret: decode(text.slice(colon + 1)) || null,
		};
	} catch {
		return null; // not UTF-8, or a broken percent escape
	}
}
