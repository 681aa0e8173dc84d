/**
 * How each client is told of this gateway: a link that opens it, a command, or the lines of its file. Data, after what
 * the vendors document; where a vendor documents no link, the steps by hand stand alone.
 */

export type ClientWay = {
	readonly id: string;
	readonly name: string;
	/** Opens the client with everything filled in; null: there is no such link. */
	readonly link: { readonly label: string; readonly url: string } | null;
	/** What to do by hand, step by step. */
	readonly steps: readonly string[];
	/** What to copy. */
	readonly copy: string | null;
	/** Whether it connects from a data centre, and so needs a name that the whole internet knows. */
	readonly needsPublic: boolean;
};

const NAME = "sallyport";

/** The clients that people use most, each with how it connects to this endpoint. */
export function listClientWays(endpoint: string): readonly ClientWay[] {
	const config = JSON.stringify({ url: endpoint });
	const cursor = new URLSearchParams({
		name: NAME,
		config: Buffer.from(config).toString("base64"),
	});
	const vscode = encodeURIComponent(
		JSON.stringify({ name: NAME, type: "http", url: endpoint }),
	);
	const claude = new URLSearchParams({
		modal: "add-custom-connector",
		connectorName: NAME,
		connectorUrl: endpoint,
	});
	return [
		{
			id: "claude",
			name: "Claude",
			link: {
				label: "Open in Claude",
				url: `https://claude.ai/customize/connectors?${claude}`,
			},
			steps: [
				"Or in Claude on the web or the desktop: Settings, Connectors, Add custom connector.",
				"Paste the address above, then choose Connect.",
			],
			copy: null,
			needsPublic: true,
		},
		{
			id: "chatgpt",
			name: "ChatGPT",
			link: { label: "Open ChatGPT", url: "https://chatgpt.com/plugins" },
			steps: [
				"Choose +, then Add custom MCP server.",
				"Paste the address above, and choose OAuth.",
			],
			copy: null,
			needsPublic: true,
		},
		{
			id: "cursor",
			name: "Cursor",
			link: {
				label: "Open in Cursor",
				url: `cursor://anysphere.cursor-deeplink/mcp/install?${cursor}`,
			},
			steps: ["Or put this into ~/.cursor/mcp.json:"],
			copy: JSON.stringify(
				{ mcpServers: { [NAME]: { url: endpoint } } },
				null,
				2,
			),
			needsPublic: false,
		},
		{
			id: "vscode",
			name: "VS Code",
			link: {
				label: "Open in VS Code",
				url: `vscode:mcp/install?${vscode}`,
			},
			steps: ["Or in a terminal:"],
			copy: `code --add-mcp '${JSON.stringify({ name: NAME, type: "http", url: endpoint })}'`,
			needsPublic: false,
		},
		{
			id: "claude-code",
			name: "Claude Code",
			link: null,
			steps: ["In a terminal; then /mcp in Claude Code to sign in:"],
			copy: `claude mcp add --transport http --scope user ${NAME} ${endpoint}`,
			needsPublic: false,
		},
		{
			id: "codex",
			name: "Codex",
			link: null,
			steps: ["In a terminal:"],
			copy: `codex mcp add ${NAME} --url ${endpoint}`,
			needsPublic: false,
		},
		{
			id: "gemini",
			name: "Gemini CLI",
			link: null,
			steps: ["In a terminal:"],
			copy: `gemini mcp add --transport http ${NAME} ${endpoint}`,
			needsPublic: false,
		},
		{
			id: "other",
			name: "Anything else",
			link: null,
			steps: ["Most read one of these two shapes from a file:"],
			copy: `${JSON.stringify({ mcpServers: { [NAME]: { type: "http", url: endpoint } } }, null, 2)}

${JSON.stringify({ servers: { [NAME]: { type: "http", url: endpoint } } }, null, 2)}`,
			needsPublic: false,
		},
	];
}
