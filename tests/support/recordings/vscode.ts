import { FIRST_CALL, RESEARCH, type Recording } from "./recording.ts";

const COMMON = {
	client: "Visual Studio Code",
	sources: [
		RESEARCH,
		"microsoft/vscode src/vs/base/common/oauth.ts: comparison of resource, order of documents, registration body",
		"microsoft/vscode 278512: another port than registered",
	],
	unverified: ["program name", "protocol revision", "name in the registration"],
	agent: "Visual Studio Code/1.108.0",
	endpoint: "/mcp",
	discovery: [
		FIRST_CALL,
		{
			send: "GET {resource_metadata}",
			headers: { Accept: "application/json" },
			status: 200,
			reads: "resource",
			resource: "same URL",
		},
		{
			send: "GET {issuer}/.well-known/oauth-authorization-server",
			headers: { Accept: "application/json" },
			status: 200,
			reads: "server",
		},
	],
	authorize: { state: "{state}", scope: "{scope}", resource: "{resource}" },
	token: { parameters: { resource: "{resource}" }, auth: "none" },
	mcp: {
		revision: "2025-11-25",
		clientInfo: { name: "Visual Studio Code", version: "1.108.0" },
		capabilities: {
			roots: { listChanged: true },
			sampling: {},
			elicitation: { form: {}, url: {} },
		},
		stream: true,
	},
	refresh: { parameters: { resource: "{resource}" } },
} as const;

/** Prefers port 33418 and takes a random one when that is in use; or is answered through its own web site. */
export const vscode: readonly Recording[] = [
	{
		...COMMON,
		way: "by its document, answered through vscode.dev",
		identity: {
			kind: "document",
			url: "https://vscode.dev/oauth/client-metadata.json",
		},
		redirectUri: "https://vscode.dev/redirect",
	},
	{
		...COMMON,
		way: "registered with four callbacks, answered at a random port with a trailing slash",
		identity: {
			kind: "registered",
			body: {
				client_name: "Visual Studio Code",
				client_uri: "https://code.visualstudio.com",
				grant_types: [
					"authorization_code",
					"refresh_token",
					"urn:ietf:params:oauth:grant-type:device_code",
				],
				response_types: ["code"],
				redirect_uris: [
					"https://insiders.vscode.dev/redirect",
					"https://vscode.dev/redirect",
					"http://127.0.0.1/",
					"http://127.0.0.1:33418/",
				],
				scope: "{scope}",
				token_endpoint_auth_method: "none",
				application_type: "native",
			},
			accepted: [
				"https://insiders.vscode.dev/redirect",
				"https://vscode.dev/redirect",
				"http://127.0.0.1/",
				"http://127.0.0.1:33418/",
			],
		},
		redirectUri: "http://127.0.0.1:{port}/",
	},
	{
		...COMMON,
		way: "at an address with a trailing slash, which must come back as it was pasted",
		endpoint: "/mcp/",
		identity: {
			kind: "document",
			url: "https://vscode.dev/oauth/client-metadata.json",
		},
		redirectUri: "http://127.0.0.1:33418/",
	},
];
