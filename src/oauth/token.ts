/**
 * The token endpoint: a code becomes tokens, a refresh token becomes its successor.
 * What may be is decided in one transaction of the store; here are the words of the RFC around it. Outside, every
 * refusal of a code or token is `invalid_grant`; the exact reason is in the log.
 *
 * @see RFC 6749 4.1.3, 5.1, 5.2 and 6, RFC 7636 4.6, RFC 8707 2.2
 */
import { createHash } from "node:crypto";
import { mintCredential, parseCredential } from "../mint.ts";
import { recordAudit } from "../store/audit.ts";
import { findClient } from "../store/clients.ts";
import { transaction } from "../store/database.ts";
import { DEVICE_GRANT } from "../store/device-codes.ts";
import { redeemCode } from "../store/grants.ts";
import { rotateRefreshToken } from "../store/refresh-tokens.ts";
import { createAccessToken, findCallerByAccessToken } from "../store/tokens.ts";
import { openFor, sealFor } from "../vault.ts";
import {
	ACCESS_TOKEN_SECONDS,
	CODE_REPEAT_SECONDS,
	CODE_TRIES_MAX,
	type OAuthDeps,
	REFRESH_LIMITS,
} from "./authorization-server.ts";
import {
	authenticateClient,
	type EndpointDeps,
} from "./client-authentication.ts";
import { clientCredentials } from "./client-credentials.ts";
import { redeemDeviceCode } from "./device.ts";
import { type Limiter, networkOf } from "./limits.ts";
import { OAuthError, tooMany } from "./oauth-error.ts";
import { type Parameters, readForm } from "./parameters.ts";
import { narrowedScope, parseResource } from "./resources.ts";
import { answer, json, noting } from "./responses.ts";

/** How often one client at one address may ask. */
export const TOKEN_REQUESTS = { count: 60, seconds: 60 } as const;

const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/;

type Tokens = {
	readonly access: string;
	readonly refresh: string;
	readonly scope: string;
	readonly expiresIn: number;
};

/** Issues tokens. */
export function token(
	deps: EndpointDeps,
	limiter: Limiter,
	request: Request,
): Promise<Response> {
	return answer(request, "POST", async () => {
		const form = await readForm(request);
		const step =
			form.get("grant_type") === "refresh_token" ? "refresh" : "token";
		return noting(
			deps,
			request,
			step,
			() => claimedClient(deps, form),
			() => issue(deps, limiter, request, form),
		);
	});
}

/** Who asks by its own words, if there is such a client; only for the timeline. */
function claimedClient(deps: OAuthDeps, form: Parameters): string | null {
	const id = form.get("client_id");
	return id !== null && findClient(deps.db, id) ? id : null;
}

async function issue(
	deps: EndpointDeps,
	limiter: Limiter,
	request: Request,
	form: Parameters,
): Promise<Response> {
	const wait = limiter.take(
		`${networkOf(deps.clientAddress(request))} ${form.get("client_id") ?? ""}`,
	);
	if (wait > 0) throw tooMany(wait);
	const client = await authenticateClient(deps, request, form);
	const grantType = form.get("grant_type");
	if (grantType === "authorization_code")
		return tokenResponse(redeem(deps, client.id, request, form));
	if (grantType === "refresh_token")
		return tokenResponse(refresh(deps, client.id, request, form));
	if (grantType === "client_credentials")
		return clientCredentials(deps, client, request, form);
	if (grantType === DEVICE_GRANT)
		return redeemDeviceCode(deps, client, request, form);
	throw grantType === null
		? new OAuthError("invalid_request", "grant_type is missing")
		: new OAuthError(
				"unsupported_grant_type",
				"grant_type must be authorization_code, refresh_token or client_credentials",
			);
}

function tokenResponse(tokens: Tokens): Response {
	return json({
		access_token: tokens.access,
		token_type: "Bearer",
		expires_in: tokens.expiresIn,
		refresh_token: tokens.refresh,
		scope: tokens.scope,
	});
}

function redeem(
	deps: OAuthDeps,
	clientId: string,
	request: Request,
	form: Parameters,
): Tokens {
	const presented = form.get("code");
	const verifier = form.get("code_verifier");
	if (presented === null || verifier === null)
		throw new OAuthError(
			"invalid_request",
			"code and code_verifier are needed",
		);
	const resource = requestedResource(deps, form);
	const code = parseCredential("code", presented);
	if (code === null) throw invalidGrant("not a code");
	const now = deps.clock.now();
	const access = mintCredential("access");
	const refreshToken = mintCredential("refresh");
	// Only whoever has the code and its verifier opens it.
	const holder = `${code} ${verifier}`;
	const redeemed = redeemCode(
		deps.db,
		{
			codeHash: deps.vault.mac(code),
			clientId,
			redirectUri: form.get("redirect_uri"),
			resource,
			// A malformed verifier counts as a wrong one: no challenge is empty.
			codeChallenge: VERIFIER.test(verifier)
				? createHash("sha256").update(verifier).digest("base64url")
				: "",
			triesMax: CODE_TRIES_MAX,
			access: {
				hash: deps.vault.mac(access),
				expiresAt: now + ACCESS_TOKEN_SECONDS,
			},
			refresh: {
				hash: deps.vault.mac(refreshToken),
				expiresAt: now + REFRESH_LIMITS.idleSeconds,
			},
			answer: {
				sealed: sealFor(holder, `${refreshToken} ${access}`),
				to: deps.vault.mac(`answered/${senderOf(deps, request)}`),
			},
			repeat: { seconds: CODE_REPEAT_SECONDS, isUnused: deps.isUnused },
		},
		now,
	);
	if (redeemed.outcome === "refused") {
		const { grantId, reason } = redeemed;
		deps.log.warn("code refused", fields(clientId, grantId, reason));
		if (reason === "other resource") throw invalidTarget();
		if (reason === "replayed") noteRevoked(deps, grantId, "code replayed");
		throw invalidGrant(reason);
	}
	const { grantId, scope } = redeemed;
	if (redeemed.outcome === "repeated")
		return {
			...openPair(holder, redeemed.answerSealed),
			scope,
			expiresIn: ACCESS_TOKEN_SECONDS,
		};
	deps.note(request, { step: "token", outcome: "ok", clientId, grantId });
	return {
		access,
		refresh: refreshToken,
		scope,
		expiresIn: ACCESS_TOKEN_SECONDS,
	};
}

/** Who sends a request, as far as the same sender would look the same a moment later. */
function senderOf(deps: OAuthDeps, request: Request): string {
	const agent = request.headers.get("User-Agent") ?? "";
	return `${networkOf(deps.clientAddress(request))} ${agent}`;
}

function refresh(
	deps: OAuthDeps,
	clientId: string,
	request: Request,
	form: Parameters,
): Tokens {
	const text = form.get("refresh_token");
	if (text === null)
		throw new OAuthError("invalid_request", "refresh_token is missing");
	const resource = requestedResource(deps, form);
	const presented = parseCredential("refresh", text);
	if (presented === null) throw invalidGrant("not a refresh token");
	const now = deps.clock.now();
	const successor = mintCredential("refresh");
	const access = mintCredential("access");
	const expiresAt = now + ACCESS_TOKEN_SECONDS;
	// One transaction around the rotation and the new access token that a repeated answer may need. A refusal is
	// returned out of it, not thrown: throwing would undo the revocation that goes with it.
	const result = transaction(deps.db, (): Tokens | OAuthError => {
		const rotated = rotateRefreshToken(
			deps.db,
			{
				hash: deps.vault.mac(presented),
				clientId,
				resource,
				narrow: (place, granted) =>
					narrowedScope(deps, place, granted, form.get("scope")),
				successorHash: deps.vault.mac(successor),
				successorSealed: sealFor(presented, `${successor} ${access}`),
				access: { hash: deps.vault.mac(access), expiresAt },
				limits: REFRESH_LIMITS,
			},
			now,
		);
		if (rotated.outcome === "refused") {
			const { grantId, reason } = rotated;
			deps.log.warn("refresh token refused", fields(clientId, grantId, reason));
			if (reason === "reused")
				noteRevoked(deps, grantId, "refresh token reused");
			if (reason === "other resource") return invalidTarget();
			if (reason === "wider scope")
				return new OAuthError(
					"invalid_scope",
					"the scope is wider than what was granted",
				);
			return invalidGrant(reason);
		}
		const { grantId, scope } = rotated;
		deps.note(request, {
			step: "refresh",
			outcome: "ok",
			detail: rotated.outcome,
			clientId,
			grantId,
		});
		if (rotated.outcome === "rotated")
			return {
				access,
				refresh: successor,
				scope,
				expiresIn: ACCESS_TOKEN_SECONDS,
			};
		const earlier = openPair(presented, rotated.successorSealed);
		// The same answer again, as long as its access token is still what would be issued.
		const holder = findCallerByAccessToken(
			deps.db,
			deps.vault.mac(earlier.access),
			now,
		);
		if (holder?.scope === scope)
			return { ...earlier, scope, expiresIn: holder.expiresAt - now };
		createAccessToken(deps.db, grantId, scope, {
			hash: deps.vault.mac(access),
			expiresAt,
		});
		return { ...earlier, access, scope, expiresIn: ACCESS_TOKEN_SECONDS };
	});
	if (result instanceof OAuthError) throw result;
	return result;
}

/** The successor and its access token, as they were sealed for the holder of the rotated token. */
function openPair(
	presented: string,
	sealed: Uint8Array,
): { readonly refresh: string; readonly access: string } {
	const [refreshToken, access] = (openFor(presented, sealed) ?? "").split(" ");
	if (!refreshToken || !access) throw invalidGrant("sealed for another");
	return { refresh: refreshToken, access };
}

/** Judged before the code or token is looked at, so that a mistake here costs neither (RFC 8707 2.2). */
function requestedResource(deps: OAuthDeps, form: Parameters): string | null {
	const text = form.get("resource");
	return text === null ? null : parseResource(deps, text);
}

function noteRevoked(
	deps: OAuthDeps,
	grantId: string | null,
	detail: string,
): void {
	deps.invalidate();
	recordAudit(
		deps.db,
		{ actor: "gateway", action: "grant.revoke", object: grantId ?? "", detail },
		deps.clock.now(),
	);
}

function fields(
	clientId: string,
	grantId: string | null,
	reason: string,
): { client_id: string; grant_id: string | undefined; reason: string } {
	return { client_id: clientId, grant_id: grantId ?? undefined, reason };
}

function invalidGrant(reason: string): OAuthError {
	return new OAuthError(
		"invalid_grant",
		"the code or token is not valid, or is not yours",
		{ reason },
	);
}

function invalidTarget(): OAuthError {
	return new OAuthError(
		"invalid_target",
		"this was granted for another resource",
	);
}
