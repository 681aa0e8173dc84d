/**
 * Who asks at the token and revocation endpoints: a public client by its id alone, a confidential one by its secret,
 * in the Authorization header or in the body, or by a signature; never by two of them. Public and confidential are never mixed. An unknown
 * client and a wrong secret get the same answer after the same work.
 *
 * @see RFC 6749 2.3, 2.3.1 and 5.2, RFC 7521 4.2
 */
import { timingSafeEqual } from "node:crypto";
import { decodeJwt } from "jose";
import { type Client, findClient } from "../store/clients.ts";
import type { OAuthDeps } from "./authorization-server.ts";
import type { Assertions } from "./client-assertions.ts";
import { OAuthError } from "./oauth-error.ts";
import type { Parameters } from "./parameters.ts";

const NO_HASH = new Uint8Array(32);

/** What the endpoints that clients prove themselves at are given. */
export type EndpointDeps = OAuthDeps & { readonly assertions: Assertions };

const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** The client that a request proves to come from. @throws OAuthError `invalid_client` (401) */
export async function authenticateClient(
	deps: Pick<EndpointDeps, "db" | "vault" | "assertions">,
	request: Request,
	form: Parameters,
): Promise<Client> {
	const assertion = form.get("client_assertion");
	if (assertion !== null)
		return authenticateByAssertion(deps, request, form, assertion);
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
		client.authMethod !== "private_key_jwt" &&
		(client.authMethod === "none"
			? secret === null
			: client.secretHash !== null && secret !== null && same);
	if (!proven) throw refused(header !== null);
	return client;
}

async function authenticateByAssertion(
	deps: Pick<EndpointDeps, "db" | "assertions">,
	request: Request,
	form: Parameters,
	assertion: string,
): Promise<Client> {
	const header = request.headers.get("Authorization");
	// RFC 6749 2.3: not more than one method in a request.
	if (header !== null || form.get("client_secret") !== null)
		throw refused(header !== null);
	// `client_id` is optional beside an assertion (RFC 7521 4.2); the signature decides whether it is really that one.
	const id = form.get("client_id") ?? claimedId(assertion);
	const client = id === null ? null : findClient(deps.db, id);
	if (client === null) throw refused(false);
	// A client without keys here that signs all the same (ChatGPT may) is what it registered as: public.
	if (client.authMethod === "none") return client;
	const proven =
		client.authMethod === "private_key_jwt" &&
		form.get("client_assertion_type") === ASSERTION_TYPE &&
		(await deps.assertions.isProof(client, assertion));
	if (!proven) throw refused(false);
	return client;
}

/** Whom an assertion claims to come from, before anything of it is believed. */
function claimedId(assertion: string): string | null {
	try {
		return decodeJwt(assertion).sub ?? null;
	} catch {
		return null; // no token at all
	}
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
