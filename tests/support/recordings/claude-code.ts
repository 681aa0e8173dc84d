import { RESEARCH, type Recording, SDK_DISCOVERY } from "./recording.ts";

const COMMON = {
	client: "Claude Code",
	sources: [
		RESEARCH,
		"anthropics/claude-code 42301, 55067; elmohq/elmo 684 (captured)",
	],
	unverified: ["protocol revision", "version"],
	agent: "claude-code/2.1.59 (cli)",
	endpoint: "/mcp",
	discovery: SDK_DISCOVERY,
	redirectUri: "http://localhost:{port}/callback",
	authorize: { state: "{state}", scope: "{scope}", resource: "{resource}" },
	token: { parameters: { resource: "{resource}" }, auth: "none" },
	mcp: {
		revision: "2025-11-25",
		clientInfo: { name: "claude-code", version: "2.1.59" },
		capabilities: { roots: {}, elicitation: {} },
		stream: true,
	},
	refresh: { parameters: { resource: "{resource}" } },
} as const;

/** The port changes with each sign-in, and stands neither in the document nor in an old registration. */
export const claudeCode: readonly Recording[] = [
	{
		...COMMON,
		way: "by its document, at a random port",
		identity: {
			kind: "document",
			url: "https://claude.ai/oauth/claude-code-client-metadata",
		},
	},
	{
		...COMMON,
		way: "registered at another port than it uses",
		identity: {
			kind: "registered",
			body: {
				client_name: "Claude Code (sallyport)",
				redirect_uris: ["http://localhost:3118/callback"],
				grant_types: ["authorization_code", "refresh_token"],
				response_types: ["code"],
				token_endpoint_auth_method: "none",
				application_type: "native",
			},
			accepted: ["http://localhost:3118/callback"],
		},
	},
];
