/** G. Mix-up, audience, scopes (research/oauth.md 5: 88, 92, 96, 97). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
	allow,
	authorizeQuery,
	type Client,
	REDIRECT,
	redeem,
	register,
	signInClient,
} from "../oauth/authority.ts";
import {
	expectAsked,
	expectRedirect,
	openTarget,
	statusOf,
	type Target,
} from "./target.ts";

setDefaultTimeout(30_000);

let target: Target;
let client: Client;

beforeAll(async () => {
	target = await openTarget();
	client = await register(target);
});
afterAll(() => target?.stop());

function authorize(
	changes: Readonly<Record<string, string | null>>,
): Promise<Response> {
	return target.send(`/authorize${authorizeQuery(client, changes)}`);
}

// RFC 9207 2
test("88: every answer to a client names the issuer, once", async () => {
	const query = authorizeQuery(client);
	for (const url of [
		await allow(target, query),
		await allow(target, query, undefined, "deny"),
		expectRedirect(
			await authorize({ code_challenge: null }),
			REDIRECT,
			"invalid_request",
		),
	])
		expect(url.searchParams.getAll("iss")).toEqual([target.issuer]);
});

test("92: a token of one endpoint at another, however it is spelled", async () => {
	const { tokens } = await signInClient(target, {
		resource: `${target.issuer}/mcp/a`,
	});
	const token = tokens.access_token;
	expect(await target.use(token, "/mcp/a")).toBe(200);
	for (const path of ["/mcp", "/mcp/", "/", "/mcp/ab"])
		expect(await target.use(token, path), path).toBe(401);
	// Not by fetch, which would make these plain before they are sent.
	for (const path of [
		"/mcp/a/../ab",
		"/mcp/a/%2e%2e/ab",
		"/mcp/a%2f..%2fab",
		"/MCP/A",
		"/MCP/ab",
		"/mcp/A",
		"/mcp//ab",
		"//mcp/ab",
		"/mcp/a;x",
		"/mcp/%61b",
	]) {
		const host = new URL(target.issuer).host;
		const answer = await target.raw(
			`POST ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
		);
		expect([401, 404], path).toContain(statusOf(answer));
	}
});

test("92: a token of everything is not one of a single endpoint", async () => {
	const { tokens } = await signInClient(target);
	expect(await target.use(tokens.access_token)).toBe(200);
	expect(await target.use(tokens.access_token, "/mcp/a")).toBe(401);
});

test("96: a resource that is not ours, or not quite", async () => {
	const { host, port } = new URL(target.issuer);
	for (const resource of [
		`${target.issuer}/mcp#f`,
		`${target.issuer}/mcp?x=1`,
		"https://evil.example/mcp",
		`https://${host}/mcp`,
		`http://user@${host}/mcp`,
		`http://localhost:${Number(port) + 1}/mcp`,
		`http://localhost.:${port}/mcp`,
		`${target.issuer}/mcp/none`,
		`${target.issuer}/MCP`,
		`${target.issuer}/mcp//`,
		"/mcp",
		"mcp",
	])
		expectRedirect(
			await authorize({ resource }),
			REDIRECT,
			"invalid_target",
			resource,
		);
	for (const resource of [
		`${target.issuer}/mcp`,
		`${target.issuer}/mcp/`,
		target.issuer,
		`HTTP://LOCALHOST:${port}/mcp/a`,
	])
		expectAsked(await authorize({ resource }), resource);
});

test("97: a scope that is unknown, repeated, enormous or oddly separated", async () => {
	for (const [scope, granted] of [
		["admin owner *", "mcp"],
		["openid email profile", "mcp"],
		["mcp:a mcp:a mcp:a", "mcp:a"],
		["mcp:a admin", "mcp:a"],
		["mcp:none mcp:a", "mcp:a"],
		["mcp:A mcp:a", "mcp:a"],
	] as const) {
		const sent = await allow(target, authorizeQuery(client, { scope }));
		const code = sent.searchParams.get("code") ?? "";
		expect((await redeem(target, client, code)).scope, scope).toBe(granted);
	}
	for (const scope of [
		"mcp:a\tmcp:ab",
		"mcp:a\nmcp:ab",
		'"mcp"',
		Array.from({ length: 600 }, (_, at) => `s${at}`).join(" "),
	])
		expectRedirect(
			await authorize({ scope }),
			REDIRECT,
			"invalid_scope",
			scope.slice(0, 40),
		);
	const huge = await authorize({ scope: "mcp ".repeat(10_000) });
	expect([303, 400, 414, 431]).toContain(huge.status);
});
