/** The official SDK v2 client, in each of its ways to choose an era, with its own OAuth. */
import {
	Client,
	type OAuthClientProvider,
	StreamableHTTPClientTransport,
	UnauthorizedError,
	type VersionNegotiationMode,
} from "@modelcontextprotocol/client";
import { type Browser, createBrowser, type Person } from "../browser.ts";
import type { Reach } from "../reach.ts";
import { type McpClient, textOfResult } from "./client.ts";
import { createProvider } from "./provider.ts";

export type Sdk2Client = McpClient & { readonly sdk: () => Client };

export type Sdk2Options = {
	readonly mode: VersionNegotiationMode;
	readonly clientMetadataUrl?: string;
	/** How it gets at hosts that are not in DNS. */
	readonly reach?: Reach;
};

/** A v2 client for one endpoint. */
export function createSdk2Client(
	endpoint: string,
	options: Sdk2Options,
): Sdk2Client {
	const provider = createProvider({
		clientName: "SDK v2 test",
		...(options.clientMetadataUrl && {
			clientMetadataUrl: options.clientMetadataUrl,
		}),
	});
	let client: Client | undefined;
	let transport: StreamableHTTPClientTransport | undefined;

	async function connect(): Promise<void> {
		client = new Client(
			{ name: "sdk2", version: "1.0.0" },
			{ versionNegotiation: { mode: options.mode } },
		);
		transport = new StreamableHTTPClientTransport(new URL(endpoint), {
			authProvider: provider as OAuthClientProvider,
			...(options.reach && { fetch: options.reach }),
		});
		await client.connect(transport);
	}

	function connected(): Client {
		if (!client) throw new Error("not connected");
		return client;
	}

	return {
		name: `SDK v2 (${typeof options.mode === "string" ? options.mode : `pinned ${options.mode.pin}`})`,
		async signIn(browser) {
			try {
				await connect();
			} catch (error) {
				if (!(error instanceof UnauthorizedError)) throw error;
				await transport?.finishAuth(await provider.visit(browser));
				await connect();
			}
		},
		async listTools() {
			const { tools } = await connected().listTools(undefined, {
				cacheMode: "bypass",
			});
			return tools.map((tool) => tool.name);
		},
		callTool: async (name, args = {}) =>
			textOfResult(await connected().callTool({ name, arguments: args })),
		credentials: provider.credentials,
		revision: async () => connected().getNegotiatedProtocolVersion(),
		sdk: connected,
		close: async () => client?.close(),
	};
}

/** A modern client that is signed in at this endpoint. */
export async function signedIn(
	endpoint: string,
	person: Person,
	mode: VersionNegotiationMode = { pin: "2026-07-28" },
	browser: Browser = createBrowser(person),
): Promise<Sdk2Client> {
	const client = createSdk2Client(endpoint, { mode });
	await client.signIn(browser);
	return client;
}
