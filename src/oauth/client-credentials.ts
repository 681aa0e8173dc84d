/**
 * The client credentials grant: a client that an administrator made acts as the user they chose for it, without a
 * person in front of a browser. No client that came by itself may; there is no refresh token, because the client can
 * ask again.
 *
 * @see RFC 6749 4.4, OAuth 2.1 draft 4.2
 */
import { mintCredential } from "../mint.ts";
import type { Client } from "../store/clients.ts";
import { createClientToken } from "../store/grants.ts";
import { requireUser } from "../store/users.ts";
import {
	ACCESS_TOKEN_SECONDS,
	type OAuthDeps,
} from "./authorization-server.ts";
import { OAuthError } from "./oauth-error.ts";
import type { Parameters } from "./parameters.ts";
import { grantedScope, parseResource } from "./resources.ts";
import { json } from "./responses.ts";

/** Living tokens of one client at one resource: enough for its processes, too few for a loop. */
const TOKENS_MAX = 100;

/** Issues an access token to a client that has proven itself. @throws OAuthError `unauthorized_client` */
export function clientCredentials(
	deps: OAuthDeps,
	client: Client,
	request: Request,
	form: Parameters,
): Response {
	if (
		client.kind !== "made" ||
		client.authMethod === "none" ||
		client.userId === null ||
		requireUser(deps.db, client.userId).disabledAt !== null
	)
		throw new OAuthError(
			"unauthorized_client",
			"this client may not act without a person",
		);
	const resource = parseResource(deps, form.get("resource"));
	const scope = grantedScope(deps, resource, form.get("scope"));
	const access = mintCredential("access");
	const now = deps.clock.now();
	const grantId = createClientToken(
		deps.db,
		{ userId: client.userId, clientId: client.id, resource, scope },
		{ hash: deps.vault.mac(access), expiresAt: now + ACCESS_TOKEN_SECONDS },
		TOKENS_MAX,
		now,
	);
	deps.note(request, {
		step: "token",
		outcome: "ok",
		clientId: client.id,
		userId: client.userId,
		grantId,
	});
	deps.log.info("client token issued", {
		client_id: client.id,
		grant_id: grantId,
		user_id: client.userId,
	});
	return json({
		access_token: access,
		token_type: "Bearer",
		expires_in: ACCESS_TOKEN_SECONDS,
		scope,
	});
}
