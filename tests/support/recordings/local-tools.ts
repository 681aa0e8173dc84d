/** Programs on a person's computer that are answered at a port of theirs. */
import {
	FIRST_CALL,
	RESEARCH,
	type Recording,
	SDK_DISCOVERY,
} from "./recording.ts";

const SIGN_IN = {
	endpoint: "/mcp",
	authorize: { state: "{state}", scope: "{scope}", resource: "{resource}" },
	token: { parameters: { resource: "{resource}" }, auth: "none" },
	refresh: { parameters: { resource: "{resource}" } },
} as const;

/** Its document names port 33418; it listens wherever it can. */
export const copilotCli: readonly Recording[] = [
	{
		...SIGN_IN,
		client: "GitHub Copilot CLI",
		way: "by its document, at another port than the document's",
		sources: [RESEARCH, "github/copilot-cli 4793"],
		unverified: ["program name", "discovery", "protocol revision"],
		agent: "copilot-cli/1.0.0",
		discovery: SDK_DISCOVERY,
		identity: {
			kind: "document",
			url: "https://github.com/copilot/cli/client-metadata.json",
		},
		redirectUri: "http://127.0.0.1:{port}/",
		mcp: {
			revision: "2025-06-18",
			clientInfo: { name: "github-copilot-cli", version: "1.0.0" },
			capabilities: {},
		},
	},
];

const ZED = {
	...SIGN_IN,
	client: "Zed",
	sources: [RESEARCH, "zed-industries/zed crates/context_server/src/oauth.rs"],
	unverified: ["program name", "protocol revision"],
	agent: "Zed/0.220.0 (linux; x86_64)",
	discovery: SDK_DISCOVERY,
	redirectUri: "http://127.0.0.1:{port}/callback",
	mcp: {
		revision: "2025-11-25",
		clientInfo: { name: "Zed", version: "0.220.0" },
		capabilities: {},
	},
} as const;

export const zed: readonly Recording[] = [
	{
		...ZED,
		way: "by its document",
		identity: {
			kind: "document",
			url: "https://zed.dev/oauth/client-metadata.json",
		},
	},
	{
		...ZED,
		way: "registered, without saying that it refreshes",
		identity: {
			kind: "registered",
			body: {
				client_name: "Zed",
				redirect_uris: ["http://127.0.0.1:{port}/callback"],
				grant_types: ["authorization_code"],
				response_types: ["code"],
				token_endpoint_auth_method: "none",
			},
			accepted: ["http://127.0.0.1:{port}/callback"],
		},
	},
];

const GOOSE = {
	...SIGN_IN,
	client: "Goose",
	sources: [RESEARCH, "block/goose crates/goose/src/oauth/mod.rs (on rmcp)"],
	unverified: [
		"program name",
		"protocol revision",
		"scope and resource (rmcp's)",
	],
	agent: "goose/1.32.0",
	discovery: [
		FIRST_CALL,
		{
			send: "GET {issuer}/.well-known/oauth-protected-resource/mcp",
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
	redirectUri: "http://127.0.0.1:{port}/oauth_callback",
	mcp: {
		revision: "2025-06-18",
		clientInfo: { name: "goose", version: "1.32.0" },
		capabilities: { sampling: {} },
	},
	// At every start it refreshes first, and signs in anew when that fails.
	refresh: { parameters: {} },
} as const;

export const goose: readonly Recording[] = [
	{
		...GOOSE,
		way: "by its document",
		identity: {
			kind: "document",
			url: "https://goose-docs.ai/oauth/client-metadata.json",
		},
	},
	{
		...GOOSE,
		way: "registered",
		identity: {
			kind: "registered",
			body: {
				client_name: "goose",
				redirect_uris: ["http://127.0.0.1:{port}/oauth_callback"],
				grant_types: ["authorization_code", "refresh_token"],
				token_endpoint_auth_method: "none",
				response_types: ["code"],
			},
			accepted: ["http://127.0.0.1:{port}/oauth_callback"],
		},
	},
];

export const gemini: readonly Recording[] = [
	{
		...SIGN_IN,
		client: "Gemini CLI",
		way: "asking with HEAD, and for every scope",
		sources: [
			RESEARCH,
			"google-gemini/gemini-cli packages/core/src/mcp/oauth-provider.ts, oauth-utils.ts",
		],
		unverified: ["program name", "protocol revision"],
		agent: "GeminiCLI/0.40.0 (linux; x64)",
		discovery: [
			{ send: "HEAD {endpoint}", status: 401, reads: "challenge" },
			{
				send: "GET {issuer}/.well-known/oauth-protected-resource/mcp",
				status: 200,
				reads: "resource",
				resource: "same origin and path",
			},
			{
				send: "GET {issuer}/.well-known/oauth-protected-resource",
				status: 200,
				reads: "resource",
				resource: "same origin and path",
			},
			{
				send: "GET {issuer}/.well-known/oauth-authorization-server",
				status: 200,
				reads: "server",
			},
		],
		identity: {
			kind: "registered",
			body: {
				client_name: "Gemini CLI MCP Client",
				redirect_uris: ["http://localhost:7777/oauth/callback"],
				grant_types: ["authorization_code", "refresh_token"],
				response_types: ["code"],
				token_endpoint_auth_method: "none",
				scope: "{scopes_supported}",
			},
			accepted: ["http://localhost:7777/oauth/callback"],
		},
		redirectUri: "http://localhost:7777/oauth/callback",
		authorize: {
			state: "{state}",
			scope: "{scopes_supported}",
			resource: "{resource}",
		},
		mcp: {
			revision: "2025-06-18",
			clientInfo: { name: "gemini-cli-mcp-client", version: "0.40.0" },
			capabilities: {},
		},
		refresh: {
			parameters: { scope: "{scopes_supported}", resource: "{resource}" },
		},
	},
];

const OPENCODE = {
	...SIGN_IN,
	client: "OpenCode",
	sources: [RESEARCH, "anomalyco/opencode 47743; elmohq/elmo 684"],
	unverified: ["program name", "protocol revision"],
	agent: "opencode/1.2.0",
	discovery: SDK_DISCOVERY,
	redirectUri: "http://127.0.0.1:19876/mcp/oauth/callback",
	mcp: {
		revision: "2025-11-25",
		clientInfo: { name: "opencode", version: "1.2.0" },
		capabilities: {},
	},
} as const;

export const openCode: readonly Recording[] = [
	{
		...OPENCODE,
		way: "by its document",
		identity: {
			kind: "document",
			url: "https://opencode.ai/oauth/opencode/client.json",
		},
	},
	{
		...OPENCODE,
		way: "registered without an application type",
		identity: {
			kind: "registered",
			body: {
				client_name: "opencode",
				client_uri: "https://opencode.ai",
				redirect_uris: ["http://127.0.0.1:19876/mcp/oauth/callback"],
				grant_types: ["authorization_code", "refresh_token"],
				response_types: ["code"],
				token_endpoint_auth_method: "none",
			},
			accepted: ["http://127.0.0.1:19876/mcp/oauth/callback"],
		},
	},
];

export const mcpRemote: readonly Recording[] = [
	{
		...SIGN_IN,
		client: "mcp-remote",
		way: "asking for openid email profile",
		sources: [
			RESEARCH,
			"geelen/mcp-remote src/lib; the package itself runs in tests/e2e/clients.test.ts",
		],
		unverified: ["software_id"],
		agent: "node",
		discovery: SDK_DISCOVERY,
		identity: {
			kind: "registered",
			body: {
				client_name: "MCP CLI Client",
				client_uri: "https://github.com/modelcontextprotocol/mcp-cli",
				redirect_uris: ["http://localhost:{port}/oauth/callback"],
				grant_types: ["authorization_code", "refresh_token"],
				response_types: ["code"],
				token_endpoint_auth_method: "none",
				software_id: "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
				software_version: "0.15.1",
				scope: "openid email profile",
			},
			accepted: ["http://localhost:{port}/oauth/callback"],
		},
		redirectUri: "http://localhost:{port}/oauth/callback",
		authorize: {
			state: "{state}",
			scope: "openid email profile",
			resource: "{resource}",
		},
		mcp: {
			revision: "2025-06-18",
			clientInfo: { name: "mcp-remote", version: "0.15.1" },
			capabilities: {},
			stream: true,
		},
		refresh: { parameters: { resource: "{resource}" }, stale: true },
	},
];

export const inspector: readonly Recording[] = [
	{
		...SIGN_IN,
		client: "MCP Inspector",
		way: "registered, with an empty scope, its documents read by a page of another origin",
		sources: [
			RESEARCH,
			"modelcontextprotocol/inspector core/auth; the program itself runs in tests/e2e/clients.test.ts",
		],
		unverified: [
			"its page may not call /mcp itself, because a foreign Origin is refused there: it does through its backend",
		],
		agent: "node",
		discovery: [
			FIRST_CALL,
			{
				send: "OPTIONS {resource_metadata}",
				headers: {
					Origin: "http://localhost:6274",
					"Access-Control-Request-Method": "GET",
					"Access-Control-Request-Headers": "mcp-protocol-version",
				},
				status: 204,
			},
			{
				send: "GET {resource_metadata}",
				headers: {
					Origin: "http://localhost:6274",
					"MCP-Protocol-Version": "{revision}",
				},
				status: 200,
				reads: "resource",
				resource: "prefix",
			},
			{
				send: "GET {issuer}/.well-known/oauth-authorization-server",
				headers: { Origin: "http://localhost:6274" },
				status: 200,
				reads: "server",
			},
		],
		identity: {
			kind: "registered",
			body: {
				client_name: "MCP Inspector",
				client_uri: "https://github.com/modelcontextprotocol/inspector",
				redirect_uris: ["http://localhost:6274/oauth/callback"],
				grant_types: ["authorization_code", "refresh_token"],
				response_types: ["code"],
				token_endpoint_auth_method: "none",
				application_type: "native",
				scope: "",
			},
			accepted: ["http://localhost:6274/oauth/callback"],
		},
		redirectUri: "http://localhost:6274/oauth/callback",
		authorize: { state: "{state}", scope: "", resource: "{resource}" },
		mcp: {
			revision: "2026-07-28",
			clientInfo: { name: "inspector-client", version: "2.12.0" },
			capabilities: {},
		},
	},
];
