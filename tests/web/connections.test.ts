/** How clients are told of the gateway: what their links and commands come to. */
import { expect, test } from "bun:test";
import { listClientWays } from "../../src/web/setup/connections.ts";

const ENDPOINT = "https://gate.example.org/mcp";
const ways = new Map(listClientWays(ENDPOINT).map((way) => [way.id, way]));

test("every client has a way, and each way names the endpoint", () => {
	expect([...ways.keys()]).toEqual([
		...["claude", "chatgpt", "cursor", "vscode"],
		...["claude-code", "codex", "gemini", "other"],
	]);
	for (const { link, copy, steps } of ways.values()) {
		expect(steps.length).toBeGreaterThan(0);
		if (copy !== null) expect(copy).toContain(ENDPOINT);
		expect(link === null && copy === null).toBe(false);
	}
});

test("the links carry the endpoint as their clients read it", () => {
	const claude = new URL(ways.get("claude")?.link?.url ?? "");
	expect(claude.searchParams.get("connectorUrl")).toBe(ENDPOINT);
	const cursor = new URL(ways.get("cursor")?.link?.url ?? "");
	const config = cursor.searchParams.get("config") ?? "";
	expect(JSON.parse(Buffer.from(config, "base64").toString())).toEqual({
		url: ENDPOINT,
	});
	const vscode = ways.get("vscode")?.link?.url ?? "";
	expect(JSON.parse(decodeURIComponent(vscode.split("?")[1] ?? ""))).toEqual({
		name: "sallyport",
		type: "http",
		url: ENDPOINT,
	});
});
