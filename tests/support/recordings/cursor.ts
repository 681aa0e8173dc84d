import { RESEARCH, type Recording, SDK_DISCOVERY } from "./recording.ts";

const APP = "cursor://anysphere.cursor-mcp/oauth/callback";
const WEB = "https://www.cursor.com/agents/mcp/oauth/callback";
const LOOPBACK = "http://localhost:8787/callback";

const COMMON = {
	client: "Cursor",
	sources: [
		RESEARCH,
		"better-auth/better-auth 10946, laravel/mcp 173: the three callbacks in one registration, application_type web",
		"cursor/cursor 3576: no state",
	],
	unverified: ["program name", "protocol revision"],
	agent: "Cursor/2.0.0 (linux x64)",
	endpoint: "/mcp",
	discovery: SDK_DISCOVERY,
	identity: {
		kind: "registered",
		body: {
			client_name: "Cursor",
			redirect_uris: [APP, WEB, LOOPBACK],
			grant_types: ["authorization_code", "refresh_token"],
			response_types: ["code"],
			token_endpoint_auth_method: "none",
			application_type: "web",
		},
		accepted: [APP, WEB, LOOPBACK],
	},
	token: { parameters: { resource: "{resource}" }, auth: "none" },
	mcp: {
		revision: "2025-06-18",
		clientInfo: { name: "cursor-vscode", version: "1.0.0" },
		capabilities: { tools: true, prompts: true, roots: { listChanged: false } },
		stream: true,
	},
	refresh: { parameters: { resource: "{resource}" } },
} as const;

/** Three callbacks at once; which one it uses depends on the build. */
export const cursor: readonly Recording[] = [
	{
		...COMMON,
		way: "answered at its port",
		redirectUri: LOOPBACK,
		authorize: { state: "{state}", resource: "{resource}" },
	},
	{
		...COMMON,
		way: "answered by a link to the app, without a state",
		redirectUri: APP,
		authorize: { resource: "{resource}" },
	},
	{
		...COMMON,
		way: "answered in the cloud",
		redirectUri: WEB,
		authorize: { state: "{state}", resource: "{resource}" },
	},
];
