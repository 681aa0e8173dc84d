import {
	FIRST_CALL,
	type Probe,
	RESEARCH,
	type Recording,
} from "./recording.ts";

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
];

const COMMON = {
	client: "Claude",
	hosted: true,
	agent: "python-httpx/0.28.1",
	mcpAgent: "Claude-User",
	discovery: DISCOVERY,
	redirectUri: "https://claude.ai/api/mcp/auth_callback",
	token: { parameters: { resource: "{resource}" }, auth: "none" },
	mcp: {
		revision: "2025-06-18",
		clientInfo: { name: "claude-ai", version: "0.1.0" },
		capabilities: {},
	},
	refresh: { parameters: {} },
} as const;

const SOURCES = [
	RESEARCH,
	"anthropics/claude-ai-mcp 597, 653, 966: order of requests, both program names, two registrations",
];
const UNVERIFIED = [
	"protocol revision",
	"clientInfo",
	"scope of the registration",
];

/** The web app, Desktop's connectors and the phones: one backend. */
export const claude: readonly Recording[] = [
	{
		...COMMON,
		way: "by its document",
		sources: SOURCES,
		unverified: UNVERIFIED,
		endpoint: "/mcp",
		identity: {
			kind: "document",
			url: "https://claude.ai/oauth/mcp-oauth-client-metadata",
		},
		authorize: { state: "{state}", scope: "{scope}", resource: "{resource}" },
	},
	{
		...COMMON,
		way: "registered twice, and posting to /",
		sources: [
			...SOURCES,
			"anthropics/claude-ai-mcp 62: posts to / of the pasted host",
		],
		unverified: UNVERIFIED,
		endpoint: "/",
		identity: {
			kind: "registered",
			times: 2,
			body: {
				client_name: "Claude",
				redirect_uris: ["https://claude.ai/api/mcp/auth_callback"],
				grant_types: ["authorization_code", "refresh_token"],
				response_types: ["code"],
				token_endpoint_auth_method: "none",
				scope: "claudeai",
			},
			accepted: ["https://claude.ai/api/mcp/auth_callback"],
		},
		authorize: { state: "{state}", scope: "claudeai", resource: "{resource}" },
	},
	{
		...COMMON,
		way: "to the root's endpoints, without a resource, at claude.com",
		sources: [
			...SOURCES,
			"anthropics/claude-ai-mcp 82, 846: ignores the advertised paths; reports of a missing resource",
		],
		unverified: UNVERIFIED,
		endpoint: "/mcp/",
		discovery: [FIRST_CALL],
		redirectUri: "https://claude.com/api/mcp/auth_callback",
		identity: {
			kind: "registered",
			body: {
				client_name: "Claude",
				redirect_uris: ["https://claude.com/api/mcp/auth_callback"],
				token_endpoint_auth_method: "none",
			},
			accepted: ["https://claude.com/api/mcp/auth_callback"],
		},
		authorize: { state: "{state}" },
		token: { parameters: {}, auth: "none" },
	},
];
