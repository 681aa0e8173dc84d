/**
 * `mcp-remote` as a local client starts it: a process on stdio, from npm, headless. It prints the page that a person
 * opens, listens for the answer on a port of its own, and keeps its sign-in in a home of its own.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import type { Browser } from "../browser.ts";
import { freePort } from "../processes.ts";
import { node22, packagedTool, type Tool } from "../tools.ts";
import { type McpClient, textOfResult } from "./client.ts";
import { storedCredentials } from "./stored.ts";

const PROGRAM = "dist/proxy.js";
const SIGN_IN_TIMEOUT_MS = 30_000;

/** What it needs to run. */
export function mcpRemoteTools(): readonly Tool[] {
	return [node22(), packagedTool("mcp-remote", PROGRAM)];
}

/** One for one endpoint, with an empty home. */
export function createMcpRemote(endpoint: string): McpClient {
	const home = mkdtempSync(join(tmpdir(), "sallyport-mcp-remote-"));
	const [node, program] = mcpRemoteTools().map((tool) => tool.path ?? "");
	const client = new Client({ name: "host", version: "1.0.0" });

	return {
		name: "mcp-remote",
		async signIn(browser) {
			const port = await freePort();
			const transport = new StdioClientTransport({
				command: node ?? "",
				args: [program ?? "", endpoint, String(port)],
				// No DISPLAY and no browser: it prints the address, and goes on.
				env: { HOME: home, PATH: "/nonexistent" },
				stderr: "pipe",
			});
			const connected = client.connect(
				// The SDK's own declarations disagree under exactOptionalPropertyTypes.
				transport as Parameters<Client["connect"]>[0],
			);
			await Promise.race([
				connected,
				printedUrl(transport).then((url) => visit(browser, url, port)),
			]);
			await connected;
		},
		listTools: async () =>
			(await client.listTools()).tools.map(({ name }) => name),
		callTool: async (name, args = {}) =>
			textOfResult(await client.callTool({ name, arguments: args })),
		credentials: () => storedCredentials(home),
		revision: async () => undefined,
		async close() {
			await client.close();
			rmSync(home, { recursive: true, force: true });
		},
	};
}

/** Lets the person decide, and carries the answer to the port it listens on. */
async function visit(
	browser: Browser,
	url: string,
	port: number,
): Promise<void> {
	const redirectUri =
		new URL(url).searchParams.get("redirect_uri") ??
		`http://localhost:${port}/oauth/callback`;
	const sentTo = await browser.authorize(url, redirectUri);
	await (await fetch(sentTo)).text();
}

function printedUrl(transport: StdioClientTransport): Promise<string> {
	return new Promise((resolve, reject) => {
		let output = "";
		const timer = setTimeout(
			() => reject(new Error(`mcp-remote asked for no sign-in: ${output}`)),
			SIGN_IN_TIMEOUT_MS,
		);
		transport.stderr?.on("data", (chunk: Buffer) => {
			output += chunk.toString();
			const url = /by visiting:\s+(https?:\S+)/.exec(output)?.[1];
			if (url === undefined) return;
			clearTimeout(timer);
			resolve(url);
		});
	});
}
