/**
 * Token revocation: an access token ends alone, a refresh token ends its whole grant.
 * Whatever else is presented (unknown, malformed, another client's) gets the same 200 and changes nothing, so that
 * the endpoint tells nobody which tokens exist.
 *
 * @see RFC 7009 2
 */
import { parseCredential } from "../mint.ts";
import { revokeGrant } from "../store/grants.ts";
import { deleteAccessToken, findTokenGrant } from "../store/tokens.ts";
import {
	authenticateClient,
	type EndpointDeps,
} from "./client-authentication.ts";
import { type Limiter, networkOf } from "./limits.ts";
import { OAuthError, tooMany } from "./oauth-error.ts";
import { readForm } from "./parameters.ts";
import { answer, json } from "./responses.ts";

/** Ends a token. `token_type_hint` is not needed: a token says what it is. */
export function revoke(
	deps: EndpointDeps,
	limiter: Limiter,
	request: Request,
): Promise<Response> {
	return answer(request, "POST", async () => {
		const form = await readForm(request);
		const wait = limiter.take(
			`${networkOf(deps.clientAddress(request))} ${form.get("client_id") ?? ""}`,
		);
		if (wait > 0) throw tooMany(wait);
		const client = await authenticateClient(deps, request, form);
		const text = form.get("token");
		if (text === null)
			throw new OAuthError("invalid_request", "token is missing");
		for (const kind of ["access", "refresh"] as const) {
			const token = parseCredential(kind, text);
			if (token === null) continue;
			const hash = deps.vault.mac(token);
			const owner = findTokenGrant(deps.db, hash, kind);
			if (owner?.clientId !== client.id) continue;
			if (kind === "access") deleteAccessToken(deps.db, hash);
			else revokeGrant(deps.db, owner.grantId, deps.clock.now());
			deps.invalidate();
			deps.log.info("token revoked", {
				client_id: client.id,
				grant_id: owner.grantId,
			});
		}
		return json({});
	});
}
