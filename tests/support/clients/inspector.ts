/**
 * The MCP Inspector's command line, as a person runs it: one process for each method, its sign-in kept in a home of
 * its own. It prints the authorization URL, listens for the callback and finishes by itself.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "../browser.ts";
import { freePort, run } from "../processes.ts";
import { node22, packagedTool, type Tool } from "../tools.ts";
import { type Credentials, type McpClient, textOfResult } from "./client.ts";

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

/** Finds what the Inspector stored, wherever in its home it stores it. */
function storedCredentials(home: string): Credentials {
	const found: Record<string, string> = {};
	const collect = (value: unknown): void => {
		if (typeof value === "string" && value.startsWith("{")) {
			try {
				collect(JSON.parse(value));
			} catch {
				// Not JSON after all: a value like any other.
			}
		}
		if (typeof value !== "object" || value === null) return;
		for (const [key, member] of Object.entries(value)) {
			if (typeof member === "string") found[key] = member;
			collect(member);
		}
	};
	for (const file of filesUnder(home))
		if (file.endsWith(".json")) collect(JSON.parse(readFileSync(file, "utf8")));
	return {
		clientId: found["client_id"] ?? "",
		accessToken: found["access_token"] ?? "",
		refreshToken: found["refresh_token"] ?? "",
	};
}

function filesUnder(directory: string): readonly string[] {
	return readdirSync(directory, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name));
}
