import {
	FIRST_CALL,
	type Probe,
	RESEARCH,
	type Recording,
} from "./recording.ts";

const ID = "vG3-MLZWUV83";
const CALLBACK = `https://chatgpt.com/connector/oauth/${ID}`;
const LEGACY_CALLBACK = "https://chatgpt.com/connector_platform_oauth_redirect";

const DISCOVERY: readonly Probe[] = [
	FIRST_CALL,
	{
		send: "GET {resource_metadata}",
		status: 200,
		reads: "resource",
		resource: "prefix",
	},
	{
		send: "GET {issuer}/.well-known/oauth-authorization-server",
		status: 200,
		reads: "server",
	},
	{
		send: "GET {issuer}/.well-known/openid-configuration",
		status: 200,
		reads: "server",
	},
];

const COMMON = {
	client: "ChatGPT",
	hosted: true,
	unverified: ["program name", "protocol revision", "clientInfo"],
	agent: "openai-mcp/1.0.0",
	endpoint: "/mcp",
	discovery: DISCOVERY,
	authorize: {
		state: "{state}",
		scope: "{scope} offline_access",
		resource: "{resource}",
	},
	mcp: {
		revision: "2025-06-18",
		clientInfo: { name: "openai-mcp", version: "1.0.0" },
		capabilities: {},
	},
	refresh: { parameters: { resource: "{resource}" } },
} as const;

/** Its document prefers `private_key_jwt` and lists `none`; it posts its code twice. */
export const chatgpt: readonly Recording[] = [
	{
		...COMMON,
		way: "by its document, and posting its code twice",
		sources: [
			RESEARCH,
			"cloudflare/workers-oauth-provider 295: a document for any id, private_key_jwt preferred, none listed",
			"public gateways' notes: the id of the document is that of the callback",
			"Waishnav/devspace 44, jlowin/fastmcp 1727: POST /token twice",
		],
		identity: {
			kind: "document",
			url: `https://chatgpt.com/oauth/${ID}/client.json`,
		},
		redirectUri: CALLBACK,
		token: { parameters: { resource: "{resource}" }, auth: "none", times: 2 },
	},
	{
		...COMMON,
		way: "registered with the legacy callback",
		sources: [RESEARCH, "github/github-mcp-server 1081"],
		identity: {
			kind: "registered",
			body: {
				client_name: "ChatGPT",
				redirect_uris: [LEGACY_CALLBACK],
				grant_types: ["authorization_code", "refresh_token"],
				response_types: ["code"],
				token_endpoint_auth_method: "none",
			},
			accepted: [LEGACY_CALLBACK],
		},
		redirectUri: LEGACY_CALLBACK,
		token: { parameters: { resource: "{resource}" }, auth: "none" },
	},
	{
		...COMMON,
		way: "as a client that an administrator made, with a secret",
		sources: [
			RESEARCH,
			"kody 1621: confidential static clients are still needed",
		],
		identity: {
			kind: "made",
			name: "ChatGPT",
			redirectUris: [CALLBACK],
			secret: true,
		},
		redirectUri: CALLBACK,
		token: {
			parameters: { resource: "{resource}" },
			auth: "client_secret_post",
		},
	},
];
