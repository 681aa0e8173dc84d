/**
 * The decision of a person over an authorization request that was judged again just before.
 * Allowing makes the grant and its code in one transaction; either way there is a place to send the browser. That it
 * was really this person who decided was proven by whoever calls.
 *
 * @see OAuth 2.1 draft 4.1.2, RFC 9207
 */
import { mintCredential } from "../mint.ts";
import { createGrant, isGranted } from "../store/grants.ts";
import { CODE_SECONDS, type OAuthDeps } from "./authorization-server.ts";
import { type AuthorizationRequest, errorLocation } from "./authorize.ts";
import { OAuthError } from "./oauth-error.ts";
import { destinationOf, withParameters } from "./redirect-uris.ts";

/** Grants what was asked; returns where to send the browser, with a code that lives for two minutes. */
export function allow(
	deps: Pick<OAuthDeps, "db" | "vault" | "clock" | "issuer" | "log">,
	request: AuthorizationRequest,
	userId: string,
): string {
	const code = mintCredential("code");
	const now = deps.clock.now();
	const grantId = createGrant(
		deps.db,
		{
			userId,
			clientId: request.client.id,
			redirectUri: request.redirectUri,
			resource: request.resource,
			scope: request.scope,
		},
		{
			hash: deps.vault.mac(code),
			codeChallenge: request.codeChallenge,
			expiresAt: now + CODE_SECONDS,
		},
		now,
	);
	deps.log.info("grant created", {
		grant_id: grantId,
		client_id: request.client.id,
		user_id: userId,
	});
	return withParameters(request.redirectUri, {
		code,
		state: request.state,
		iss: deps.issuer,
	});
}

/**
 * Whether the person allowed exactly this before, so that the answer can be given without asking. Only to a client that
 * somebody stands for, its document's host or an administrator, and only to a host: any program on a computer can claim
 * to be the one that answers there, or under an app's scheme.
 *
 * @param site the request's `Sec-Fetch-Site`. Only what the person opened themselves counts: another site's page may
 * be leading them somewhere, and a page of ours may have been led to.
 * @see MCP security best practices, "Confused Deputy Problem"; RFC 8252 8.6
 */
export function isRemembered(
	deps: Pick<OAuthDeps, "db">,
	request: AuthorizationRequest,
	userId: string,
	site: string | null,
): boolean {
	const { client, redirectUri, resource, scope } = request;
	return (
		site === "none" &&
		client.kind !== "registered" &&
		destinationOf(redirectUri).kind === "host" &&
		isGranted(deps.db, {
			userId,
			clientId: client.id,
			redirectUri,
			resource,
			scope,
		})
	);
}

/** What a person ticked on the consent page. */
export type Ticked = {
	readonly slugs: ReadonlySet<string>;
	/** Servers that do not exist yet, too. */
	readonly later: boolean;
};

/**
 * The scope that a person leaves of what was asked for; null when nothing is left.
 * `mcp` stands for every server and those to come, so it takes every box: with one box empty, only what is ticked is
 * granted, whatever the box for later ones says. What was not offered cannot be ticked.
 * @param offered the slugs that the page showed, by their own boxes
 */
export function chosenScope(
	asked: string,
	offered: readonly string[],
	ticked: Ticked,
): string | null {
	const chosen = offered.filter((slug) => ticked.slugs.has(slug));
	if (
		asked.split(" ").includes("mcp") &&
		ticked.later &&
		chosen.length === offered.length
	)
		return "mcp";
	return chosen.length === 0
		? null
		: chosen.map((slug) => `mcp:${slug}`).join(" ");
}

/** Refuses what was asked; returns where to send the browser. */
export function deny(
	deps: Pick<OAuthDeps, "issuer">,
	request: AuthorizationRequest,
): string {
	return errorLocation(
		deps,
		request,
		new OAuthError("access_denied", "the request was not allowed"),
	);
}
