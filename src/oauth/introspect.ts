/**
 * Token introspection, for a client that an administrator made with a secret and the right to look at the tokens of
 * certain resources. For whoever else asks there is no such endpoint; a token of another resource is as inactive as a
 * made-up one, so that nothing can be fished for here.
 *
 * @see RFC 7662 2
 */
import { parseCredential } from "../mint.ts";
import { hasIntrospector } from "../store/clients.ts";
import { findCallerByAccessToken } from "../store/tokens.ts";
import {
	authenticateClient,
	type EndpointDeps,
} from "./client-authentication.ts";
import { type Limiter, networkOf } from "./limits.ts";
import { OAuthError, tooMany } from "./oauth-error.ts";
import { readForm } from "./parameters.ts";
import { answer, json, notFound } from "./responses.ts";

/** Says what an access token is good for. A JSON 404 while no client may ask. */
export function introspect(
	deps: EndpointDeps,
	limiter: Limiter,
	request: Request,
): Promise<Response> {
	if (!hasIntrospector(deps.db)) return Promise.resolve(notFound());
	return answer(request, "POST", async () => {
		const form = await readForm(request);
		const wait = limiter.take(
			`${networkOf(deps.clientAddress(request))} ${form.get("client_id") ?? ""}`,
		);
		if (wait > 0) throw tooMany(wait);
		const client = await authenticateClient(deps, request, form);
		if (client.authMethod === "none" || client.introspects.length === 0)
			throw new OAuthError(
				"invalid_client",
				"this client may not look at tokens",
				{ status: 401 },
			);
		const text = form.get("token");
		if (text === null)
			throw new OAuthError("invalid_request", "token is missing");
		const token = parseCredential("access", text);
		const holder =
			token === null
				? null
				: findCallerByAccessToken(
						deps.db,
						deps.vault.mac(token),
						deps.clock.now(),
					);
		if (
			!holder ||
			!client.introspects.includes(holder.resource.slice(deps.issuer.length))
		)
			return json({ active: false });
		return json({
			active: true,
			scope: holder.scope,
			client_id: holder.clientId,
			sub: holder.userId,
			aud: holder.resource,
			iss: deps.issuer,
			exp: holder.expiresAt,
			token_type: "Bearer",
		});
	});
}
