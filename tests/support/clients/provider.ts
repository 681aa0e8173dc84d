/**
 * The `OAuthClientProvider` of both SDKs, with everything kept in memory as a client would keep it on disk.
 */
import type {
	OAuthDiscoveryState,
	OAuthClientProvider as Provider1,
} from "@modelcontextprotocol/sdk/client/auth.js";
import type {
	OAuthClientInformationMixed,
	OAuthTokens,
} from "@modelcontextprotocol/sdk/shared/auth.js";
import type { Browser } from "../browser.ts";
import { type Credentials, REDIRECT_URI } from "./client.ts";

export type MemoryProvider = Provider1 & {
	readonly credentials: () => Credentials;
	/** The person's part: opens the URL the SDK asked for. @returns the parameters that came back */
	readonly visit: (browser: Browser) => Promise<URLSearchParams>;
	/** How often tokens were saved: 1 after the sign-in, one more for each refresh. */
	readonly saves: () => number;
};

/** A provider that has never seen the server. */
export function createProvider(options: {
	readonly clientName: string;
	/** A Client ID Metadata Document, for a client that has one. */
	readonly clientMetadataUrl?: string;
}): MemoryProvider {
	let information: OAuthClientInformationMixed | undefined;
	let tokens: OAuthTokens | undefined;
	let verifier = "";
	let state = "";
	let asked: URL | undefined;
	let saves = 0;
	let discovery: OAuthDiscoveryState | undefined;
	return {
		redirectUrl: REDIRECT_URI,
		...(options.clientMetadataUrl && {
			clientMetadataUrl: options.clientMetadataUrl,
		}),
		clientMetadata: {
			client_name: options.clientName,
			redirect_uris: [REDIRECT_URI],
			grant_types: ["authorization_code", "refresh_token"],
			response_types: ["code"],
			token_endpoint_auth_method: "none",
		},
		state() {
			state = crypto.randomUUID();
			return state;
		},
		clientInformation: () => information,
		saveClientInformation(value) {
			information = value;
		},
		tokens: () => tokens,
		saveTokens(value) {
			tokens = value;
			saves++;
		},
		redirectToAuthorization(url) {
			asked = url;
		},
		saveCodeVerifier(value) {
			verifier = value;
		},
		codeVerifier: () => verifier,
		saveDiscoveryState(value) {
			discovery = value;
		},
		discoveryState: () => discovery,
		saves: () => saves,
		async visit(browser) {
			if (!asked) throw new Error("the SDK asked for no sign-in");
			const { searchParams } = await browser.authorize(asked, REDIRECT_URI);
			if (searchParams.get("state") !== state)
				throw new Error("the state did not come back as it was sent");
			return searchParams;
		},
		credentials() {
			if (!information || !tokens?.refresh_token)
				throw new Error("not signed in, or without a refresh token");
			return {
				clientId: information.client_id,
				accessToken: tokens.access_token,
				refreshToken: tokens.refresh_token,
			};
		},
	};
}
