import {
	FIRST_CALL,
	type Probe,
	RESEARCH,
	type Recording,
} from "./recording.ts";

/** rmcp looks by the challenge, by the path, and at the root. */
const DISCOVERY: readonly Probe[] = [
	{ send: "GET {endpoint}", status: 401, reads: "challenge" },
	FIRST_CALL,
	{
		send: "GET {resource_metadata}",
		status: 200,
		reads: "resource",
		resource: "prefix",
	},
	{
		send: "GET {issuer}/.well-known/oauth-authorization-server/mcp",
		status: 200,
		reads: "server",
	},
	{
		send: "GET {issuer}/.well-known/oauth-authorization-server",
		status: 200,
		reads: "server",
	},
];

const COMMON = {
	client: "Codex",
	sources: [
		RESEARCH,
		"openai/codex perform_oauth_login.rs; 30460, 31573, 33354; exceptionless/Exceptionless 2404",
		"public gateways' notes: GET of the endpoint first",
	],
	unverified: ["program name", "protocol revision"],
	agent: "codex_cli_rs/0.150.0",
	endpoint: "/mcp",
	discovery: DISCOVERY,
	authorize: {
		state: "{state}",
		scope: "openid profile email offline_access",
		resource: "{resource}",
	},
	token: { parameters: { resource: "{resource}" }, auth: "none" },
	mcp: {
		revision: "2025-06-18",
		clientInfo: { name: "codex-mcp-client", version: "0.150.0" },
		capabilities: { elicitation: {} },
	},
	refresh: { parameters: {}, stale: true },
} as const;

/** Several processes share one sign-in, so one of them refreshes with what another has used already. */
export const codex: readonly Recording[] = [
	{
		...COMMON,
		way: "by the document of this server (0.148 and later)",
		identity: {
			kind: "document",
			url: "https://chatgpt.com/oauth/codex/{codex_id}/client.json",
		},
		redirectUri: "http://127.0.0.1:{port}/callback/{codex_id}",
	},
	{
		...COMMON,
		way: "registered (before 0.148)",
		identity: {
			kind: "registered",
			body: {
				client_name: "Codex",
				redirect_uris: ["http://127.0.0.1:{port}/callback/{codex_id}"],
				grant_types: ["authorization_code", "refresh_token"],
				token_endpoint_auth_method: "none",
				response_types: ["code"],
				application_type: "native",
			},
			accepted: ["http://127.0.0.1:{port}/callback/{codex_id}"],
		},
		redirectUri: "http://127.0.0.1:{port}/callback/{codex_id}",
	},
];
