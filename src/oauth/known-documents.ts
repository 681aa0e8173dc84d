/**
 * Client documents of known vendors, bundled for when the live one cannot be fetched: a client chooses its document
 * once, at discovery, and has nothing to fall back to. Data: what oauth.md 3.2 states, as of 2026-11; for ChatGPT what
 * several gateways in the open have seen: its callback carries the id of its document.
 */

type KnownDocument = {
	readonly client_id: string;
	readonly client_name: string;
	readonly redirect_uris: readonly string[];
};

const KNOWN: readonly KnownDocument[] = [
	{
		client_id: "https://claude.ai/oauth/mcp-oauth-client-metadata",
		client_name: "Claude",
		redirect_uris: [
			"https://claude.ai/api/mcp/auth_callback",
			"https://claude.com/api/mcp/auth_callback",
		],
	},
	{
		client_id: "https://claude.ai/oauth/claude-code-client-metadata",
		client_name: "Claude Code",
		redirect_uris: ["http://localhost/callback", "http://127.0.0.1/callback"],
	},
	{
		client_id: "https://vscode.dev/oauth/client-metadata.json",
		client_name: "Visual Studio Code",
		redirect_uris: [
			"https://vscode.dev/redirect",
			"https://insiders.vscode.dev/redirect",
			"http://127.0.0.1/",
			"http://127.0.0.1:33418/",
		],
	},
	{
		client_id: "https://github.com/copilot/cli/client-metadata.json",
		client_name: "GitHub Copilot CLI",
		redirect_uris: ["http://127.0.0.1:33418/"],
	},
	{
		client_id: "https://zed.dev/oauth/client-metadata.json",
		client_name: "Zed",
		redirect_uris: ["http://127.0.0.1/callback"],
	},
	{
		client_id: "https://goose-docs.ai/oauth/client-metadata.json",
		client_name: "Goose",
		redirect_uris: ["http://127.0.0.1/oauth_callback"],
	},
	{
		client_id: "https://opencode.ai/oauth/opencode/client.json",
		client_name: "opencode",
		redirect_uris: [
			"http://127.0.0.1/callback",
			"http://localhost/callback",
			"http://127.0.0.1:19876/mcp/oauth/callback",
		],
	},
	{
		client_id: "https://grok.com/oauth/mcp-client.json",
		client_name: "Grok",
		redirect_uris: ["https://grok.com/connectors-oauth-exchange-code/"],
	},
];

/** Codex and ChatGPT have one document for each server they connect to; the id is in the callback too. */
const WITH_ID =
	/^https:\/\/chatgpt\.com\/oauth\/(codex\/)?([A-Za-z0-9_-]{1,64})\/client\.json$/;

/** The bundled document of this URL, as its vendor would serve it; null when there is none. */
export function knownDocument(url: string): KnownDocument | null {
	const [, codex, id] = WITH_ID.exec(url) ?? [];
	if (codex !== undefined)
		return {
			client_id: url,
			client_name: "Codex",
			redirect_uris: [`http://127.0.0.1/callback/${id}`],
		};
	if (id !== undefined && id !== "codex")
		return {
			client_id: url,
			client_name: "ChatGPT",
			redirect_uris: [
				`https://chatgpt.com/connector/oauth/${id}`,
				"https://chatgpt.com/connector_platform_oauth_redirect",
			],
		};
	return KNOWN.find((document) => document.client_id === url) ?? null;
}
