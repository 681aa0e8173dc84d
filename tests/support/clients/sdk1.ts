/** The official SDK v1 client (legacy era), with its own OAuth. */
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { type McpClient, textOfResult } from "./client.ts";
import { createProvider } from "./provider.ts";

export type Sdk1Client = McpClient & {
	/** The connected SDK client, for what `McpClient` does not cover. */
	readonly sdk: () => Client;
	readonly sessionId: () => string | undefined;
};

/** A v1 client for one endpoint. */
export function createSdk1Client(endpoint: string): Sdk1Client {
	const provider = createProvider({ clientName: "SDK v1 test" });
	let client: Client | undefined;
	let transport: StreamableHTTPClientTransport | undefined;

	async function connect(): Promise<void> {
		client = new Client({ name: "sdk1", version: "1.0.0" });
		transport = new StreamableHTTPClientTransport(new URL(endpoint), {
			authProvider: provider,
		});
		// The SDK's own declarations disagree under exactOptionalPropertyTypes.
		await client.connect(transport as Parameters<Client["connect"]>[0]);
	}

	function connected(): Client {
		if (!client) throw new Error("not connected");
		return client;
	}

	return {
		name: "SDK v1",
		async signIn(browser) {
			try {
				await connect();
			} catch (error) {
				if (!(error instanceof UnauthorizedError)) throw error;
				const code = (await provider.visit(browser)).get("code");
				if (!code) throw new Error("no code came back");
				await transport?.finishAuth(code);
				await connect();
			}
		},
		async listTools() {
			const names: string[] = [];
			let cursor: string | undefined;
			do {
				const page = await connected().listTools(
					cursor === undefined ? {} : { cursor },
				);
				names.push(...page.tools.map((tool) => tool.name));
				cursor = page.nextCursor;
			} while (cursor !== undefined);
			return names;
		},
		callTool: async (name, args = {}) =>
			textOfResult(await connected().callTool({ name, arguments: args })),
		credentials: provider.credentials,
		revision: async () => transport?.protocolVersion,
		sessionId: () => transport?.sessionId,
		sdk: connected,
		close: async () => client?.close(),
	};
}
