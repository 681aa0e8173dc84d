/**
 * Clients that are known by name, how each is recognised, and what is known to go wrong with it. Data: what
 * oauth.md 3.2 and demands.md state, as of 2026-11; a new client or a new bug is a row. A note is shown when an
 * attempt of that client stopped where the note says.
 */
import type { StepName } from "../store/timeline.ts";

/** Something known about a client. */
export type ClientNote = {
	/** The step after which, or at which, it stops; null: whenever it stops. */
	readonly at: StepName | null;
	/** What happens and why, and what helps. */
	readonly text: string;
};

export type KnownClient = {
	readonly name: string;
	/** `hosted`: its requests come from its vendor's machines, so the gateway must be on the public internet. */
	readonly place: "hosted" | "local" | "server";
	/** What a client id, a redirect URI, the name it gives itself or its program's name look like. */
	readonly ids?: RegExp;
	readonly redirects?: RegExp;
	readonly names?: RegExp;
	readonly agents?: RegExp;
	readonly notes: readonly ClientNote[];
};

/** The first that fits counts. */
export const KNOWN_CLIENTS: readonly KnownClient[] = [
	{
		name: "Claude Code",
		place: "local",
		ids: /^https:\/\/claude\.ai\/oauth\/claude-code-client-metadata$/,
		names: /^Claude Code\b/i,
		agents: /claude-code|claude-cli/i,
		notes: [
			{
				at: "code",
				text: "It waits for the answer on a port of this computer. Behind SSH or in a container the browser cannot reach that port: forward it, and choose it with --callback-port.",
			},
			{
				at: "refresh",
				text: "Before 2.1.59 it does not refresh by itself: update it, or sign in again with /mcp.",
			},
		],
	},
	{
		name: "Claude",
		place: "hosted",
		ids: /^https:\/\/claude\.ai\/oauth\/mcp-oauth-client-metadata$/,
		redirects: /^https:\/\/claude\.(ai|com)\/api\/mcp\/auth_callback$/,
		names: /^Claude(\.ai)?$/i,
		agents: /^(Claude-User|python-httpx\/)/i,
		notes: [
			{
				at: "metadata",
				text: "Claude gives up without a word when something between it and the gateway answers in the gateway's place: a bot rule or firewall in front (it asks from 160.79.104.0/21), a certificate that is not publicly trusted, or a port other than 443.",
			},
			{
				at: "registration",
				text: "Claude registers anew at every connection, sometimes twice within two seconds; the second registration that is never used is harmless.",
			},
			{
				at: "code",
				text: "Claude got its code and never redeemed it. That is a fault on its side that many gateways see (anthropics/claude-ai-mcp 653 and 540). Remove the connector in Claude, add it anew, and try from the web once.",
			},
			{
				at: "token",
				text: "Claude has its token and never called. That is a fault on its side that many gateways see (anthropics/claude-ai-mcp 597 and 690). Remove the connector, wait a few minutes, add it anew.",
			},
			{
				at: "refresh",
				text: "Claude refreshes unreliably and does not always ask its person to sign in again: disconnect and connect the connector in its settings.",
			},
		],
	},
	{
		name: "Codex",
		place: "local",
		ids: /^https:\/\/chatgpt\.com\/oauth\/codex\//,
		names: /^Codex\b/i,
		redirects: /^http:\/\/127\.0\.0\.1(:\d+)?\/callback\/[A-Za-z0-9_-]{12}$/,
		agents: /codex/i,
		notes: [
			{
				at: "code",
				text: "Codex 0.143 to 0.147 drops the issuer from the answer and then refuses it (openai/codex 31573): update it to 0.148 or later.",
			},
			{
				at: "refresh",
				text: "Several Codex processes share one sign-in and may present tokens of an earlier generation; for ten minutes that is forgiven. After that: codex mcp login.",
			},
		],
	},
	{
		name: "ChatGPT",
		place: "hosted",
		ids: /^https:\/\/chatgpt\.com\/oauth\//,
		redirects: /^https:\/\/chatgpt\.com\/connector/,
		names: /^ChatGPT\b/i,
		agents: /ChatGPT|openai-mcp/i,
		notes: [
			{
				at: "metadata",
				text: "ChatGPT says “error fetching OAuth configuration” when it cannot reach the gateway from the internet on port 443, or when something in front of it answers with a page.",
			},
			{
				at: "authorize",
				text: "ChatGPT's own document is not bundled, so the gateway must be able to reach https://chatgpt.com; without outgoing https give it a client id: sallyport clients add chatgpt --redirect-uri URI.",
			},
			{
				at: "token",
				text: "For a client made by hand leave the secret field in ChatGPT empty unless the client was made with a secret.",
			},
		],
	},
	{
		name: "Cursor",
		place: "local",
		redirects: /^cursor:|^https:\/\/www\.cursor\.com\//,
		names: /^Cursor\b/i,
		agents: /^Cursor\//i,
		notes: [
			{
				at: "registration",
				text: "Cursor registers three callbacks at once and can only use those that were accepted; all three are.",
			},
			{
				at: "code",
				text: "The answer goes to port 8787 of this computer, or to a cursor: link that the browser must be allowed to open. If another program holds the port, end it and connect again.",
			},
		],
	},
	{
		name: "GitHub Copilot CLI",
		place: "local",
		ids: /^https:\/\/github\.com\/copilot\/cli\//,
		names: /Copilot CLI/i,
		agents: /copilot-cli/i,
		notes: [],
	},
	{
		name: "Visual Studio Code",
		place: "local",
		ids: /^https:\/\/(insiders\.)?vscode\.dev\/oauth\//,
		redirects: /^https:\/\/(insiders\.)?vscode\.dev\/redirect/,
		names: /Visual Studio Code/i,
		agents: /Visual Studio Code|VSCode/i,
		notes: [
			{
				at: "metadata",
				text: "VS Code refuses to go on when the address in its configuration is not letter for letter the one that the gateway names: paste it from the gateway's page, without a query and with the same trailing slash.",
			},
		],
	},
	{
		name: "Zed",
		place: "local",
		ids: /^https:\/\/zed\.dev\/oauth\//,
		names: /^Zed\b/i,
		agents: /^Zed\//i,
		notes: [
			{
				at: "metadata",
				text: "Zed does not sign in at a private address written as a number, such as https://192.168.1.5: give the gateway a name.",
			},
		],
	},
	{
		name: "Goose",
		place: "local",
		ids: /^https:\/\/goose-docs\.ai\/oauth\//,
		redirects: /\/oauth_callback$/,
		names: /^goose\b/i,
		agents: /^goose/i,
		notes: [
			{
				at: "consent",
				text: "Goose waits five minutes for the answer: decide before that, or start again.",
			},
		],
	},
	{
		name: "LibreChat",
		place: "server",
		redirects: /\/api\/mcp\/[^/]+\/oauth\/callback$/,
		names: /^LibreChat\b/i,
		agents: /^LibreChat/i,
		notes: [
			{
				at: "registration",
				text: "The callback of your own LibreChat is on a host that nobody can know in advance: let it in once with sallyport clients approve, or make it a client with sallyport clients add.",
			},
		],
	},
	{
		name: "n8n",
		place: "server",
		redirects: /\/oauth2(-credential)?\/callback$/,
		names: /^n8n\b/i,
		agents: /^n8n|axios/i,
		notes: [
			{
				at: "registration",
				text: "A self-hosted n8n answers at its own host: let it in once with sallyport clients approve.",
			},
			{
				at: "authorize",
				text: "n8n cloud may register one callback and use another (n8n-io/n8n 21791): make it a client with both, with sallyport clients add.",
			},
		],
	},
	{
		name: "MCP Inspector",
		place: "local",
		names: /MCP Inspector/i,
		redirects: /:627[46]\/oauth\/callback/,
		agents: /inspector/i,
		notes: [],
	},
	{
		name: "Gemini CLI",
		place: "local",
		names: /^Gemini CLI|^Qwen/i,
		agents: /gemini-cli|GeminiCLI/i,
		notes: [
			{
				at: "metadata",
				text: "Gemini CLI compares the address without its query: leave any ?… out of the configuration.",
			},
		],
	},
	{
		name: "mcp-remote",
		place: "local",
		names: /^MCP CLI|mcp-remote/i,
		agents: /mcp-remote/i,
		notes: [
			{
				at: "consent",
				text: "mcp-remote waits 30 seconds for the answer by default; if that was too short, start it again: the sign-in page comes back.",
			},
			{
				at: "token",
				text: "Two mcp-remote processes for one server overwrite each other's sign-in. End all of them, delete ~/.mcp-auth, and start one.",
			},
			{
				at: "refresh",
				text: "Several mcp-remote processes race for one stored token. Delete ~/.mcp-auth and sign in again if it does not recover.",
			},
		],
	},
	{
		name: "OpenCode",
		place: "local",
		ids: /^https:\/\/opencode\.ai\/oauth\//,
		names: /^opencode\b/i,
		agents: /^opencode/i,
		notes: [
			{
				at: "code",
				text: "OpenCode listens on port 19876 for the answer: another program on that port keeps it from arriving.",
			},
		],
	},
	{
		name: "Grok",
		place: "hosted",
		ids: /^https:\/\/grok\.com\/oauth\//,
		redirects: /^https:\/\/(grok\.com|console\.x\.ai)\/connectors-oauth/,
		names: /^Grok\b/i,
		agents: /grok/i,
		notes: [
			{
				at: "authorize",
				text: "Grok's callback ends with a slash, and must be registered with it.",
			},
		],
	},
];

/** What is known of a client beside its id. */
export type ClientLooks = {
	readonly id: string | null;
	readonly name: string;
	readonly redirectUris: readonly string[];
	readonly agents: readonly string[];
};

/** Which known client this is: by its id, then its callbacks, then the name it gives itself, then its program. */
export function knownClientOf(looks: ClientLooks): KnownClient | null {
	const fits = (test: (known: KnownClient) => boolean): KnownClient | null =>
		KNOWN_CLIENTS.find(test) ?? null;
	return (
		fits(({ ids }) => looks.id !== null && ids?.test(looks.id) === true) ??
		fits(({ redirects }) =>
			looks.redirectUris.some((uri) => redirects?.test(uri) === true),
		) ??
		fits(({ names }) => names?.test(looks.name) === true) ??
		fits(({ agents }) =>
			looks.agents.some((agent) => agents?.test(agent) === true),
		)
	);
}

/** The known client that a person means by a word. */
export function knownClientNamed(word: string): KnownClient | null {
	const wanted = word.toLowerCase();
	return (
		KNOWN_CLIENTS.find(({ name }) => name.toLowerCase() === wanted) ??
		KNOWN_CLIENTS.find(({ name }) => name.toLowerCase().includes(wanted)) ??
		null
	);
}

/** The known client whose program calls itself so. */
export function vendorOfAgent(agent: string): string | null {
	return (
		KNOWN_CLIENTS.find(({ agents }) => agents?.test(agent) === true)?.name ??
		null
	);
}
