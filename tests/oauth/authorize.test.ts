/** The authorization request. Numbers are rows of the attack list (research/oauth.md 5). */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
	type Authority,
	allow,
	authorizeQuery,
	type Browser,
	type Client,
	openAuthority,
	openBrowser,
	REDIRECT,
	register,
	signIn,
} from "./authority.ts";

let authority: Authority;
let client: Client;
let browser: Browser;

beforeAll(async () => {
	authority = await openAuthority();
	client = await register(authority);
	browser = openBrowser(authority);
	await signIn(browser);
});
afterAll(() => authority.stop());

async function ask(
	changes: Readonly<Record<string, string | null>>,
	extra = "",
): Promise<Response> {
	return browser.get(`/authorize${authorizeQuery(client, changes)}${extra}`);
}

/** The parameters an error was sent back with; fails when it was a page. */
async function errorOf(
	changes: Readonly<Record<string, string | null>>,
	extra = "",
): Promise<Record<string, string>> {
	const response = await ask(changes, extra);
	expect(response.status).toBe(303);
	const location = new URL(response.headers.get("Location") ?? "");
	expect(`${location.origin}${location.pathname}`).toBe(REDIRECT);
	return Object.fromEntries(location.searchParams);
}

// 1, 2, 3, 8, 9, 11
test("an unknown redirect URI is never redirected to", async () => {
	for (const redirect_uri of [
		"https://evil.example/cb",
		"http://127.0.0.1:8787/callback",
		"http://localhost:8787/callback/",
		"http://localhost:8787/callback?x=1",
		"https://localhost:8787/callback",
		"http://localhost.evil.example:8787/callback",
		"javascript:alert(1)",
	]) {
		const response = await ask({ redirect_uri });
		expect(response.status, redirect_uri).toBe(400);
		expect(response.headers.get("Location")).toBeNull();
		expect(response.headers.get("Content-Type")).toStartWith("text/html");
		expect(await response.text()).not.toContain("evil");
	}
});

// 7
test("a client on this computer may use another port than it registered", async () => {
	const sent = await allow(
		authority,
		authorizeQuery(client, { redirect_uri: "http://localhost:58135/callback" }),
		browser,
	);
	expect(sent.host).toBe("localhost:58135");
});

// 11: RFC 6749 3.1.2.3
test("without a redirect URI the only registered one is used, and with two there is a page", async () => {
	expect((await ask({ redirect_uri: null })).status).toBe(200);
	const two = await register(authority, {
		redirect_uris: [REDIRECT, "http://127.0.0.1/"],
	});
	const response = await browser.get(
		`/authorize${authorizeQuery(two, { redirect_uri: null })}`,
	);
	expect(response.status).toBe(400);
});

test("an unknown client is told to the person, not to an address it names", async () => {
	for (const client_id of ["cli_unknown", null, "__proto__"])
		expect((await ask({ client_id })).status).toBe(400);
});

// 14, 16, 17, 18, 88: OAuth 2.1 4.1.2.1, RFC 9207 2
test("once the redirect URI is trusted an error goes there with state and issuer", async () => {
	for (const [changes, error] of [
		[{ code_challenge: null }, "invalid_request"],
		[{ code_challenge_method: null }, "invalid_request"],
		[{ code_challenge_method: "plain" }, "invalid_request"],
		[{ code_challenge_method: "S512" }, "invalid_request"],
		[{ code_challenge_method: "s256" }, "invalid_request"],
		[{ code_challenge: "a".repeat(42) }, "invalid_request"],
		[{ code_challenge: "a".repeat(44) }, "invalid_request"],
		[{ code_challenge: `${"a".repeat(42)}=` }, "invalid_request"],
		[{ response_type: null }, "invalid_request"],
		[{ response_type: "token" }, "unsupported_response_type"],
		[{ response_mode: "fragment" }, "invalid_request"],
		[{ request: "x" }, "request_not_supported"],
		[{ request_uri: "https://x" }, "request_uri_not_supported"],
		[{ scope: "mcp\tadmin" }, "invalid_scope"],
		[{ scope: "x".repeat(3000) }, "invalid_scope"],
		[{ resource: "https://evil.example/mcp" }, "invalid_target"],
	] as const) {
		const sent = await errorOf(changes);
		expect(sent, JSON.stringify(changes)).toMatchObject({
			error,
			state: "s t&te",
			iss: "https://gw.example",
		});
		expect(sent["error_description"]).toMatch(/^[\x20-\x7e]+$/);
	}
});

// 47
test("a parameter that stands twice is refused", async () => {
	expect((await errorOf({}, "&state=other"))["error"]).toBe("invalid_request");
	expect(
		(
			await errorOf(
				{ resource: "https://gw.example/mcp" },
				"&resource=https://gw.example/mcp",
			)
		)["error"],
	).toBe("invalid_target");
	for (const twice of ["&client_id=x", "&redirect_uri=https://evil.example"])
		expect((await ask({}, twice)).status).toBe(400);
});

test("a request that is too long is refused before anything is looked up", async () => {
	expect((await ask({ state: "x".repeat(9000) })).status).toBe(400);
});

// 96: RFC 8707 2
test("a resource of ours in any spelling is taken, any other is an invalid target", async () => {
	for (const resource of [
		null,
		"https://gw.example/mcp",
		"https://gw.example/mcp/",
		"HTTPS://GW.example/mcp",
		"https://gw.example:443/mcp",
		"https://gw.example",
		"https://gw.example/",
		"https://gw.example/mcp/memory",
		"https://gw.example/mcp/memory/",
	])
		expect((await ask({ resource })).status, String(resource)).toBe(200);
	for (const resource of [
		"https://gw.example/mcp#f",
		"https://gw.example/mcp#",
		"https://gw.example/mcp?x=1",
		"https://gw.example/MCP",
		"https://gw.example/mcp//",
		"https://gw.example/mcp/unknown",
		"https://gw.example/mcp/memory/../files",
		"https://gw.example/mcp/mem%6fry",
		"http://gw.example/mcp",
		"https://gw.example:444/mcp",
		"https://user@gw.example/mcp",
		"https://evil.example/mcp",
		"https://gw.example.evil.example/mcp",
		"https://gw.example\\@evil.example/mcp",
		"/mcp",
		"mcp",
		"javascript:alert(1)",
	])
		expect((await errorOf({ resource }))["error"], resource).toBe(
			"invalid_target",
		);
});

test("without a login the person signs in first and comes back to the same request", async () => {
	const stranger = openBrowser(authority);
	const query = authorizeQuery(client);
	const first = await stranger.get(`/authorize${query}`);
	expect(first.status).toBe(303);
	const login = first.headers.get("Location") ?? "";
	expect(login).toStartWith("/login?next=%2Fauthorize%3F");
	const html = await (await stranger.get(login)).text();
	const fields = Object.fromEntries(
		[...html.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g)].map(
			([, name = "", value = ""]) => [name, value.replaceAll("&amp;", "&")],
		),
	);
	const back = await stranger.post("/login", {
		...fields,
		email: "OWNER@example.org ",
		password: "correct horse battery",
	});
	expect(back.headers.get("Location")).toBe(`/authorize${query}`);
	expect((await stranger.get(`/authorize${query}`)).status).toBe(200);
});

test("the answer carries code, state and issuer; a refusal carries the error", async () => {
	const allowed = await allow(authority, authorizeQuery(client), browser);
	expect(allowed.searchParams.get("code")).toStartWith("sp_ac_");
	expect(allowed.searchParams.get("state")).toBe("s t&te");
	expect(allowed.searchParams.getAll("iss")).toEqual(["https://gw.example"]);
	const denied = await allow(
		authority,
		authorizeQuery(client),
		browser,
		"deny",
	);
	expect(denied.searchParams.get("error")).toBe("access_denied");
	expect(denied.searchParams.get("code")).toBeNull();
	expect(denied.searchParams.get("iss")).toBe("https://gw.example");
});
