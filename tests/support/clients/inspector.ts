/**
 * The MCP Inspector's command line, as a person runs it: one process for each method, its sign-in kept in a home of
 * its own. It prints the authorization URL, listens for the callback and finishes by itself.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "../browser.ts";
import { freePort, run } from "../processes.ts";
import { node22, packagedTool, type Tool } from "../tools.ts";
import { type McpClient, textOfResult } from "./client.ts";
import { storedCredentials } from "./stored.ts";

const PROGRAM = "clients/launcher/build/index.js";
const CALL_TIMEOUT_MS = 60_000;

/** What the Inspector needs to run. */
export function inspectorTools(): readonly Tool[] {
	return [node22(), packagedTool("@modelcontextprotocol/inspector", PROGRAM)];
}

/** An Inspector for one endpoint, with an empty home. */
export function createInspector(
	endpoint: string,
	era: "modern" | "legacy",
): McpClient {
	const home = mkdtempSync(join(tmpdir(), "sallyport-inspector-"));
	const [node, program] = inspectorTools().map((tool) => tool.path ?? "");
	let redirectUri = "";

	/** Runs one method; `browser` null: a sign-in is a failure. */
	async function invoke(
		browser: Browser | null,
		...args: readonly string[]
	): Promise<unknown> {
		redirectUri ||= `http://127.0.0.1:${await freePort()}/oauth/callback`;
		const output = join(home, "result.json");
		rmSync(output, { force: true });
		const running = run(
			[
				node ?? "",
				program ?? "",
				"--cli",
				endpoint,
				"--transport",
				"http",
				"--protocol-era",
				era,
				"--callback-url",
				redirectUri,
				"--format",
				"json",
				"--output",
				output,
				...(browser ? [] : ["--stored-auth-only"]),
				...args,
			],
			{
				env: {
					HOME: home,
					MCP_INSPECTOR_SECRET_STORE: "file",
					// Without a terminal it asks for a sign-in only when told that it may open a browser; this one does nothing.
					MCP_AUTO_OPEN_ENABLED: "true",
					BROWSER: "true",
				},
			},
		);
		if (browser) {
			const [, url] = await running.printed(
				/navigate to: (\S+)/i,
				CALL_TIMEOUT_MS,
			);
			const callback = await browser.authorize(url as string, redirectUri);
			await (await fetch(callback)).text();
		}
		const code = await running.exited;
		if (code !== 0)
			throw new Error(`the Inspector ended with ${code}: ${running.output()}`);
		return JSON.parse(readFileSync(output, "utf8"));
	}

	async function listTools(
		browser: Browser | null,
	): Promise<readonly string[]> {
		const result = (await invoke(browser, "--method", "tools/list")) as {
			tools: readonly { name: string }[];
		};
		return result.tools.map((tool) => tool.name);
	}

	return {
		name: `Inspector (${era})`,
		signIn: async (browser) => void (await listTools(browser)),
		listTools: () => listTools(null),
		callTool: async (name, args = {}) =>
			textOfResult(
				await invoke(
					null,
					"--method",
					"tools/call",
					"--tool-name",
					name,
					"--tool-args-json",
					JSON.stringify(args),
				),
			),
		credentials: () => storedCredentials(home),
		revision: async () =>
			(
				(await invoke(null, "--method", "initialize")) as {
					protocolVersion?: string;
				}
			).protocolVersion,
		async close() {
			rmSync(home, { recursive: true, force: true });
		},
	};
}
