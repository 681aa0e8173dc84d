/**
 * `openid-client`, a strict OAuth client that knows nothing of MCP: metadata, registration, PKCE, `iss` and `state`
 * are judged by it. What it is given of MCP is a few requests by hand.
 */
import * as oauth from "openid-client";
import type { Browser } from "../browser.ts";
import { sendModern, type WireAnswer } from "../wire.ts";
import { type McpClient, REDIRECT_URI, textOfResult } from "./client.ts";

/** Of RFC 8414's metadata; a gateway on loopback speaks http. */
export const PLAIN_OAUTH: oauth.DynamicClientRegistrationRequestOptions = {
	algorithm: "oauth2",
	execute: [oauth.allowInsecureRequests],
};

/** A client for one endpoint, without a registration yet. */
export function createOpenIdClient(endpoint: string): McpClient {
	const resource = endpoint;
	let config: oauth.Configuration | undefined;
	let tokens: oauth.TokenEndpointResponse | undefined;

	function signedIn(): {
		readonly config: oauth.Configuration;
		readonly access: string;
		readonly refresh: string;
	} {
		if (!config || !tokens?.refresh_token) throw new Error("not signed in");
		return {
			config,
			access: tokens.access_token,
			refresh: tokens.refresh_token,
		};
	}

	/** One request; when its token is not good any more, it is refreshed once. */
	async function request(
		method: string,
		params: Record<string, unknown> = {},
	): Promise<Record<string, unknown>> {
		const ask = (): Promise<WireAnswer> =>
			sendModern(endpoint, signedIn().access, method, params);
		let answer = await ask();
		if (answer.status === 401) {
			const { config: known, refresh } = signedIn();
			tokens = await oauth.refreshTokenGrant(known, refresh, { resource });
			answer = await ask();
		}
		if (!answer.last?.result)
			throw new Error(`${answer.status} ${answer.text}`);
		return answer.last.result;
	}

	return {
		name: "openid-client",
		async signIn(browser: Browser) {
			config = await oauth.dynamicClientRegistration(
				new URL("/", endpoint),
				{
					client_name: "openid-client",
					redirect_uris: [REDIRECT_URI],
					token_endpoint_auth_method: "none",
				},
				oauth.None(),
				PLAIN_OAUTH,
			);
			const pkceCodeVerifier = oauth.randomPKCECodeVerifier();
			const expectedState = oauth.randomState();
			const sentTo = await browser.authorize(
				oauth.buildAuthorizationUrl(config, {
					redirect_uri: REDIRECT_URI,
					code_challenge:
						await oauth.calculatePKCECodeChallenge(pkceCodeVerifier),
					code_challenge_method: "S256",
					state: expectedState,
					resource,
				}),
				REDIRECT_URI,
			);
			tokens = await oauth.authorizationCodeGrant(
				config,
				sentTo,
				{ pkceCodeVerifier, expectedState },
				{ resource },
			);
		},
		async listTools() {
			const { tools } = (await request("tools/list")) as {
				tools: readonly { name: string }[];
			};
			return tools.map(({ name }) => name);
		},
		callTool: async (name, args = {}) =>
			textOfResult(await request("tools/call", { name, arguments: args })),
		credentials() {
			const { config: known, access, refresh } = signedIn();
			return {
				clientId: known.clientMetadata().client_id,
				accessToken: access,
				refreshToken: refresh,
			};
		},
		revision: async () => "2026-07-28",
		close: async () => {},
	};
}
