/**
 * The device flow, for programs on machines without a browser: the device shows a short code, a person types it on a
 * page here, and the device polls until they have decided. Off until an administrator switches it on, because whoever
 * can make a person type a code can phish with it: nothing is ever prefilled, and the page says where the request
 * came from.
 *
 * @see RFC 8628
 */
import { mintCredential, mintUserCode, parseCredential } from "../mint.ts";
import type { Client } from "../store/clients.ts";
import { createDeviceCode, pollDeviceCode } from "../store/device-codes.ts";
import {
	ACCESS_TOKEN_SECONDS,
	REFRESH_LIMITS,
} from "./authorization-server.ts";
import { requireClient } from "./authorize.ts";
import {
	authenticateClient,
	type EndpointDeps,
} from "./client-authentication.ts";
import { isDocumentId } from "./client-documents.ts";
import { type Limiter, networkOf } from "./limits.ts";
import { OAuthError, tooMany } from "./oauth-error.ts";
import { type Parameters, readForm } from "./parameters.ts";
import { readClientPolicy } from "./policy.ts";
import { grantedScope, parseResource } from "./resources.ts";
import { answer, json, notFound, noting } from "./responses.ts";

/** How often one address may ask for a code. */
export const DEVICE_REQUESTS = { count: 10, seconds: 600 } as const;
/** Codes that a person, and an address, may type: brute force of eight letters has to be slow (RFC 8628 5.1). */
export const USER_CODE_TRIES = {
	person: { count: 5, seconds: 600 },
	address: { count: 20, seconds: 600 },
} as const;

const CODE_SECONDS = 600;
const INTERVAL_SECONDS = 5;
/** Living codes altogether: few enough that a guess hardly ever finds one. */
const CODES_MAX = 1000;
const AGENT_LENGTH_MAX = 200;

/** Gives a device its code and the one to show. A JSON 404 while the flow is off. */
export function deviceAuthorization(
	deps: EndpointDeps,
	limiter: Limiter,
	request: Request,
): Promise<Response> {
	if (!readClientPolicy(deps.db).device) return Promise.resolve(notFound());
	return answer(request, "POST", () =>
		noting(
			deps,
			request,
			"device",
			() => null,
			async () => {
				const wait = limiter.take(networkOf(deps.clientAddress(request)));
				if (wait > 0) throw tooMany(wait);
				return authorizeDevice(deps, request, await readForm(request));
			},
		),
	);
}

async function authorizeDevice(
	deps: EndpointDeps,
	request: Request,
	form: Parameters,
): Promise<Response> {
	// A document is read first: its client is not known before.
	const id = form.get("client_id");
	if (id !== null && isDocumentId(id)) await requireClient(deps, id);
	const client = await authenticateClient(deps, request, form);
	if (client.approvedAt === null)
		throw new OAuthError(
			"unauthorized_client",
			"an administrator must let this client in first",
		);
	const resource = parseResource(deps, form.get("resource"));
	const scope = grantedScope(deps, resource, form.get("scope"));
	const code = mintCredential("deviceCode");
	const userCode = mintUserCode();
	const now = deps.clock.now();
	const kept = createDeviceCode(
		deps.db,
		{
			hash: deps.vault.mac(code),
			userCodeHash: userCodeHash(deps, userCode),
			clientId: client.id,
			resource,
			scope,
			address: deps.clientAddress(request),
			agent: (request.headers.get("User-Agent") ?? "")
				.replace(/\p{C}+/gu, " ")
				.slice(0, AGENT_LENGTH_MAX),
			createdAt: now,
			expiresAt: now + CODE_SECONDS,
			intervalSeconds: INTERVAL_SECONDS,
		},
		CODES_MAX,
	);
	if (!kept) throw tooMany(CODE_SECONDS);
	deps.note(request, { step: "device", outcome: "ok", clientId: client.id });
	// No `verification_uri_complete`: a code is typed by whoever sees the device, never carried by a link.
	return json({
		device_code: code,
		user_code: userCode,
		verification_uri: `${deps.issuer}/device`,
		expires_in: CODE_SECONDS,
		interval: INTERVAL_SECONDS,
	});
}

/** The hash of a code as a person types it: capitals or not, with or without the hyphen. */
export function userCodeHash(
	deps: Pick<EndpointDeps, "vault">,
	typed: string,
): Uint8Array {
	return deps.vault.mac(
		`user code/${typed.toUpperCase().replace(/[^A-Z]/g, "")}`,
	);
}

/** Issues tokens for a device code. @throws OAuthError `authorization_pending`, `slow_down` and their like (RFC 8628 3.5) */
export function redeemDeviceCode(
	deps: EndpointDeps,
	client: Client,
	request: Request,
	form: Parameters,
): Response {
	if (!readClientPolicy(deps.db).device)
		throw new OAuthError(
			"unsupported_grant_type",
			"the device flow is switched off here",
		);
	const text = form.get("device_code");
	if (text === null)
		throw new OAuthError("invalid_request", "device_code is missing");
	const resource = form.get("resource");
	const code = parseCredential("deviceCode", text);
	if (code === null) throw refusal("unknown");
	const now = deps.clock.now();
	const access = mintCredential("access");
	const refresh = mintCredential("refresh");
	const polled = pollDeviceCode(
		deps.db,
		{
			hash: deps.vault.mac(code),
			clientId: client.id,
			resource: resource === null ? null : parseResource(deps, resource),
			slowDownSeconds: INTERVAL_SECONDS,
			access: {
				hash: deps.vault.mac(access),
				expiresAt: now + ACCESS_TOKEN_SECONDS,
			},
			refresh: {
				hash: deps.vault.mac(refresh),
				expiresAt: now + REFRESH_LIMITS.idleSeconds,
			},
		},
		now,
	);
	if (polled.outcome !== "allowed") throw refusal(polled.outcome);
	const { grantId, userId, scope } = polled;
	deps.note(request, {
		step: "token",
		outcome: "ok",
		clientId: client.id,
		userId,
		grantId,
	});
	deps.log.info("grant created", {
		grant_id: grantId,
		client_id: client.id,
		user_id: userId,
	});
	return json({
		access_token: access,
		token_type: "Bearer",
		expires_in: ACCESS_TOKEN_SECONDS,
		refresh_token: refresh,
		scope,
	});
}

type Refusal = Exclude<ReturnType<typeof pollDeviceCode>["outcome"], "allowed">;

function refusal(reason: Refusal): OAuthError {
	switch (reason) {
		case "pending":
			return new OAuthError(
				"authorization_pending",
				"nobody has decided yet: ask again after the interval",
			);
		case "too fast":
			return new OAuthError(
				"slow_down",
				"too fast: wait five seconds longer between requests from now on",
			);
		case "denied":
			return new OAuthError("access_denied", "the request was not allowed");
		case "expired":
			return new OAuthError(
				"expired_token",
				"the code is too old: start again",
			);
		case "other resource":
			return new OAuthError(
				"invalid_target",
				"this was asked for another resource",
			);
		case "unknown":
		case "ended":
			return new OAuthError(
				"invalid_grant",
				"the device code is not valid, or is not yours",
				{ reason },
			);
	}
}
