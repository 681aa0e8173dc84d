/** The whole sign-in with an independent strict client, `oauth4webapi`, over real HTTP. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import * as oauth from "oauth4webapi";
import {
	type Authority,
	formOf,
	judge,
	openAuthority,
	openBrowser,
	signIn,
} from "./authority.ts";

let authority: Authority;
let server: ReturnType<typeof Bun.serve>;

beforeAll(async () => {
	server = Bun.serve({
		port: 0,
		hostname: "localhost",
		fetch: async (request) =>
			authority.send(request.url, {
				method: request.method,
				headers: request.headers,
				...(request.method === "POST"
					? { body: await request.arrayBuffer() }
					: {}),
			}),
	});
	authority = await openAuthority({ issuer: server.url.origin });
});
afterAll(async () => {
	await server.stop(true);
	authority.stop();
});

const insecure = { [oauth.allowInsecureRequests]: true };

test("a strict client discovers, registers, signs in, refreshes and revokes", async () => {
	const resource = new URL("/mcp/memory", server.url);
	// From the challenge to the document of the resource (RFC 9728 5.1 and 3.3).
	const verdict = judge(authority, null, "/mcp/memory");
	if (verdict.ok) throw new Error("nobody is somebody");
	const challenge = verdict.response.headers.get("WWW-Authenticate") ?? "";
	const documentUrl = /resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? "";
	const protectedBy = await oauth.processResourceDiscoveryResponse(
		resource,
		await fetch(documentUrl),
	);
	const issuer = new URL(protectedBy.authorization_servers?.[0] ?? "");
	const as = await oauth.processDiscoveryResponse(
		issuer,
		await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure }),
	);
	const registered = await oauth.processDynamicClientRegistrationResponse(
		await oauth.dynamicClientRegistrationRequest(
			as,
			{
				client_name: "Strict",
				redirect_uris: ["http://localhost/callback"],
				token_endpoint_auth_method: "client_secret_basic",
			},
			insecure,
		),
	);
	const client: oauth.Client = { client_id: registered.client_id };
	const clientAuth = oauth.ClientSecretBasic(
		String(registered["client_secret"]),
	);

	const verifier = oauth.generateRandomCodeVerifier();
	const state = oauth.generateRandomState();
	const redirectUri = "http://localhost:45678/callback";
	const url = new URL(as.authorization_endpoint ?? "");
	url.search = new URLSearchParams({
		client_id: client.client_id,
		redirect_uri: redirectUri,
		response_type: "code",
		code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
		code_challenge_method: "S256",
		state,
		resource: resource.href,
		scope: "mcp:memory offline_access",
	}).toString();
	const browser = openBrowser(authority);
	await signIn(browser);
	const html = await (await browser.get(url.href)).text();
	const action = /<form method="post" action="([^"]+)"/
		.exec(html)?.[1]
		?.replaceAll("&amp;", "&");
	const sent = await browser.post(action ?? "", {
		...formOf(html),
		decision: "allow",
	});

	const callback = oauth.validateAuthResponse(
		as,
		client,
		new URL(sent.headers.get("Location") ?? ""),
		state,
	);
	const tokens = await oauth.processAuthorizationCodeResponse(
		as,
		client,
		await oauth.authorizationCodeGrantRequest(
			as,
			client,
			clientAuth,
			callback,
			redirectUri,
			verifier,
			{ ...insecure, additionalParameters: { resource: resource.href } },
		),
	);
	expect(judge(authority, tokens.access_token, "/mcp/memory").ok).toBe(true);

	const refreshed = await oauth.processRefreshTokenResponse(
		as,
		client,
		await oauth.refreshTokenGrantRequest(
			as,
			client,
			clientAuth,
			tokens.refresh_token ?? "",
			{ ...insecure, additionalParameters: { resource: resource.href } },
		),
	);
	expect(judge(authority, refreshed.access_token, "/mcp/memory").ok).toBe(true);

	await oauth.processRevocationResponse(
		await oauth.revocationRequest(
			as,
			client,
			clientAuth,
			refreshed.refresh_token ?? "",
			insecure,
		),
	);
	expect(judge(authority, refreshed.access_token, "/mcp/memory").ok).toBe(
		false,
	);
});
