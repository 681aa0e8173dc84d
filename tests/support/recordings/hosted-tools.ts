/** Services that sign in for their people from machines of their own. */
import { FIRST_CALL, RESEARCH, type Recording } from "./recording.ts";

const LIBRECHAT = "https://chat.example.org/api/mcp/sallyport/oauth/callback";

/** The callback is at its operator's own host, which no list can have: an administrator lets it in once. */
export const libreChat: readonly Recording[] = [
	{
		client: "LibreChat",
		hosted: true,
		way: "asking with HEAD and with an empty message, registered, and let in",
		sources: [
			RESEARCH,
			"danny-avila/LibreChat packages/api/src/mcp/oauth/resourceHint.ts",
		],
		unverified: ["path of the callback", "program name", "protocol revision"],
		agent: "LibreChat/0.9",
		endpoint: "/mcp",
		discovery: [
			{ send: "HEAD {endpoint}", status: 401, reads: "challenge" },
			{ send: "POST {endpoint}", body: {}, status: 401, reads: "challenge" },
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
		],
		identity: {
			kind: "registered",
			waits: true,
			body: {
				client_name: "LibreChat MCP Client",
				redirect_uris: [LIBRECHAT],
				grant_types: ["authorization_code", "refresh_token"],
				response_types: ["code"],
				token_endpoint_auth_method: "client_secret_basic",
			},
			accepted: [LIBRECHAT],
		},
		redirectUri: LIBRECHAT,
		authorize: { state: "{state}", scope: "{scope}", resource: "{resource}" },
		token: {
			parameters: { resource: "{resource}" },
			auth: "client_secret_basic",
		},
		mcp: {
			revision: "2025-06-18",
			clientInfo: { name: "librechat", version: "1.2.0" },
			capabilities: {},
		},
		refresh: { parameters: { resource: "{resource}" } },
	},
];

const N8N_CLOUD = "https://oauth.n8n.cloud/oauth2/callback";
const N8N_SELF = "https://n8n.example.org/rest/oauth2-credential/callback";

const N8N = {
	client: "n8n",
	hosted: true,
	unverified: ["program name", "name in the registration", "protocol revision"],
	agent: "n8n",
	endpoint: "/mcp",
	mcp: {
		revision: "2025-03-26",
		clientInfo: { name: "n8n-mcp-client", version: "1.0.0" },
		capabilities: {},
	},
} as const;

/** Looks at the server's metadata first; older ones send no resource. */
export const n8n: readonly Recording[] = [
	{
		...N8N,
		way: "cloud, registered",
		sources: [RESEARCH, "n8n-io/n8n 21791, 32289, 30733 (resource since 2.38)"],
		discovery: [
			{
				send: "GET {issuer}/.well-known/oauth-authorization-server",
				status: 200,
				reads: "server",
			},
		],
		identity: {
			kind: "registered",
			body: {
				client_name: "n8n",
				redirect_uris: [N8N_CLOUD],
				grant_types: ["authorization_code", "refresh_token"],
				response_types: ["code"],
				token_endpoint_auth_method: "none",
			},
			accepted: [N8N_CLOUD],
		},
		redirectUri: N8N_CLOUD,
		authorize: { state: "{state}", resource: "{issuer}/mcp" },
		token: { parameters: { resource: "{issuer}/mcp" }, auth: "none" },
		refresh: { parameters: {} },
	},
	{
		...N8N,
		way: "self-hosted, a client with a secret that an administrator made, without a resource",
		sources: [RESEARCH, "n8n-io/n8n 22103, 30733"],
		discovery: [],
		identity: {
			kind: "made",
			name: "n8n",
			redirectUris: [N8N_SELF, N8N_CLOUD],
			secret: true,
		},
		redirectUri: N8N_SELF,
		authorize: { state: "{state}", scope: "mcp" },
		token: { parameters: {}, auth: "client_secret_basic" },
		refresh: { parameters: {} },
	},
];

const GROK = {
	client: "Grok",
	hosted: true,
	sources: [
		RESEARCH,
		"worldmonitor 8305, 8307; public gateways' notes: the callback with its slash, registration, end to end",
	],
	unverified: ["program name", "discovery", "protocol revision"],
	agent: "Grok/1.0",
	endpoint: "/mcp",
	discovery: [
		FIRST_CALL,
		{
			send: "GET {issuer}/.well-known/oauth-protected-resource",
			status: 200,
			reads: "resource",
			resource: "prefix",
		},
		{
			send: "GET {issuer}/.well-known/oauth-authorization-server",
			status: 200,
			reads: "server",
		},
	],
	redirectUri: "https://grok.com/connectors-oauth-exchange-code/",
	authorize: { state: "{state}", resource: "{resource}" },
	token: { parameters: {}, auth: "none" },
	mcp: {
		revision: "2025-06-18",
		clientInfo: { name: "grok", version: "1.0.0" },
		capabilities: {},
	},
	refresh: { parameters: { resource: "{resource}" } },
} as const;

/** The callback ends with a slash, and is compared with it. */
export const grok: readonly Recording[] = [
	{
		...GROK,
		way: "by its document",
		identity: {
			kind: "document",
			url: "https://grok.com/oauth/mcp-client.json",
		},
	},
	{
		...GROK,
		way: "registered",
		identity: {
			kind: "registered",
			body: {
				client_name: "Grok",
				redirect_uris: ["https://grok.com/connectors-oauth-exchange-code/"],
				token_endpoint_auth_method: "none",
			},
			accepted: ["https://grok.com/connectors-oauth-exchange-code/"],
		},
	},
];

/** What a client of the first revision with sign-in does when it finds no metadata: it goes to the root's endpoints. */
export const firstRevision: readonly Recording[] = [
	{
		client: "a client of 2025-03-26",
		way: "without any discovery",
		sources: ["MCP 2025-03-26, basic/authorization 2.3.3"],
		unverified: [],
		agent: "old/1.0",
		endpoint: "/mcp",
		discovery: [],
		identity: {
			kind: "registered",
			body: {
				client_name: "old",
				redirect_uris: ["http://localhost:{port}/cb"],
				token_endpoint_auth_method: "none",
			},
			accepted: ["http://localhost:{port}/cb"],
		},
		redirectUri: "http://localhost:{port}/cb",
		authorize: {},
		token: { parameters: {}, auth: "none" },
		mcp: {
			revision: "2025-03-26",
			clientInfo: { name: "old", version: "1.0.0" },
			capabilities: {},
		},
		refresh: { parameters: {} },
	},
	{
		client: "a client of 2025-03-26",
		way: "that takes the endpoint for the issuer",
		sources: ["MCP 2025-03-26, basic/authorization 2.3"],
		unverified: [],
		agent: "old/1.0",
		endpoint: "/mcp",
		discovery: [
			{
				send: "GET {issuer}/.well-known/oauth-authorization-server/mcp",
				status: 200,
				reads: "server",
			},
		],
		identity: {
			kind: "registered",
			body: {
				client_name: "old",
				redirect_uris: ["http://127.0.0.1:{port}/cb"],
				token_endpoint_auth_method: "none",
			},
			accepted: ["http://127.0.0.1:{port}/cb"],
		},
		redirectUri: "http://127.0.0.1:{port}/cb",
		authorize: { state: "{state}" },
		token: { parameters: {}, auth: "none" },
		mcp: {
			revision: "2025-03-26",
			clientInfo: { name: "old", version: "1.0.0" },
			capabilities: {},
		},
		refresh: { parameters: {} },
	},
];
