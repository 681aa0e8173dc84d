/** Dynamic Client Registration. Numbers are rows of the attack list (research/oauth.md 5). */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { sweep } from "../../src/ops/sweep.ts";
import {
	type Authority,
	codeFor,
	openAuthority,
	REDIRECT,
	register,
} from "./authority.ts";

let authority: Authority;

beforeEach(async () => {
	authority = await openAuthority();
});
afterEach(() => authority.stop());

function post(body: unknown, type = "application/json"): Promise<Response> {
	return authority.send("/register", {
		method: "POST",
		headers: { "Content-Type": type },
		body: typeof body === "string" ? body : JSON.stringify(body),
	});
}

function count(): number {
	return authority.db.query("SELECT 1 FROM clients").all().length;
}

// RFC 7591 3.2.1
test("a registration answers 201 with what takes effect", async () => {
	const response = await post({
		client_name: "Cursor",
		redirect_uris: [
			"cursor://anysphere.cursor-mcp/oauth/callback",
			"https://www.cursor.com/agents/mcp/oauth/callback",
			"http://localhost:8787/callback",
			"https://evil.example/cb",
		],
		token_endpoint_auth_method: "none",
		application_type: "web",
		grant_types: ["authorization_code", "refresh_token", "urn:x"],
		response_types: ["code"],
	});
	expect(response.status).toBe(201);
	expect(response.headers.get("Cache-Control")).toBe("no-store");
	expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
	const body = (await response.json()) as Record<string, unknown>;
	expect(body).toEqual({
		client_id: expect.stringMatching(/^cli_/),
		client_id_issued_at: authority.now(),
		client_name: "Cursor",
		redirect_uris: [
			"cursor://anysphere.cursor-mcp/oauth/callback",
			"https://www.cursor.com/agents/mcp/oauth/callback",
			"http://localhost:8787/callback",
		],
		grant_types: ["authorization_code", "refresh_token"],
		response_types: ["code"],
		token_endpoint_auth_method: "none",
	});
});

// RFC 7591 2: the default method
test("a client that names no method is confidential and gets a secret once", async () => {
	const response = await post({ redirect_uris: [REDIRECT] });
	const body = (await response.json()) as Record<string, unknown>;
	expect(body["token_endpoint_auth_method"]).toBe("client_secret_basic");
	expect(body["client_secret"]).toMatch(/^sp_cs_/);
	expect(body["client_secret_expires_at"]).toBe(0);
});

// 5, 6, 10
test("a registration without one admissible redirect URI stores nothing", async () => {
	for (const uri of [
		"javascript:alert(1)",
		"http://evil.example/cb",
		"https://*.example/",
		"http://localhost/cb#f",
	]) {
		const response = await post({ redirect_uris: [uri] });
		expect(response.status).toBe(400);
		expect(await response.json()).toMatchObject({
			error: "invalid_redirect_uri",
		});
	}
	expect(count()).toBe(0);
});

// 71, 48
test("metadata of the wrong shape or size is refused", async () => {
	for (const [body, status, error] of [
		["{", 400, "invalid_client_metadata"],
		["[]", 400, "invalid_client_metadata"],
		["null", 400, "invalid_client_metadata"],
		['"x"', 400, "invalid_client_metadata"],
		[{}, 400, "invalid_redirect_uri"],
		[{ redirect_uris: [] }, 400, "invalid_redirect_uri"],
		[{ redirect_uris: REDIRECT }, 400, "invalid_redirect_uri"],
		[
			{ redirect_uris: { 0: REDIRECT, length: 1 } },
			400,
			"invalid_redirect_uri",
		],
		[{ redirect_uris: [[REDIRECT]] }, 400, "invalid_redirect_uri"],
		[{ redirect_uris: [REDIRECT, null] }, 400, "invalid_redirect_uri"],
		[{ redirect_uris: Array(11).fill(REDIRECT) }, 400, "invalid_redirect_uri"],
		[
			{ redirect_uris: [REDIRECT], client_name: 7 },
			400,
			"invalid_client_metadata",
		],
		[
			{ redirect_uris: [REDIRECT], grant_types: "x" },
			400,
			"invalid_client_metadata",
		],
		[
			{ redirect_uris: [REDIRECT], grant_types: ["client_credentials"] },
			400,
			"invalid_client_metadata",
		],
		[
			{ redirect_uris: [REDIRECT], response_types: ["token"] },
			400,
			"invalid_client_metadata",
		],
		[
			{
				redirect_uris: [REDIRECT],
				token_endpoint_auth_method: "private_key_jwt",
			},
			400,
			"invalid_client_metadata",
		],
		[
			{ redirect_uris: [REDIRECT], x: "y".repeat(17_000) },
			413,
			"invalid_request",
		],
	] as const) {
		const response = await post(body);
		expect(response.status, JSON.stringify(body).slice(0, 90)).toBe(status);
		expect(await response.json()).toMatchObject({ error });
	}
	expect(
		(await post("redirect_uris=x", "application/x-www-form-urlencoded")).status,
	).toBe(415);
	expect(count()).toBe(0);
});

// 72, 73: nothing is fetched: this authority's egress fails on any call
test("members that we do not use have no effect", async () => {
	const response = await post(
		`{"redirect_uris":["${REDIRECT}"],"client_id":"cli_mine","client_secret":"mine","skip_consent":true,
		"scope":"admin","jwks_uri":"https://evil.example/jwks","sector_identifier_uri":"https://evil.example/",
		"request_uris":["https://evil.example/"],"software_statement":"x","logo_uri":"https://evil.example/l",
		"backchannel_logout_uri":"https://evil.example/","__proto__":{"kind":"x"},"token_endpoint_auth_method":"none"}`,
	);
	expect(response.status).toBe(201);
	const body = (await response.json()) as Record<string, unknown>;
	expect(body["client_id"]).not.toBe("cli_mine");
	for (const name of [
		"scope",
		"jwks_uri",
		"skip_consent",
		"client_secret",
		"logo_uri",
	])
		expect(body[name]).toBeUndefined();
});

// 70
test("one address may register 20 times an hour", async () => {
	const apart = await openAuthority({ address: () => "2001:db8::1" });
	for (let n = 0; n < 20; n++) await register(apart);
	const refused = await apart.send("/register", {
		method: "POST",
		headers: { "Content-Type": "application/json" },
		body: "{}",
	});
	expect(refused.status).toBe(429);
	expect(Number(refused.headers.get("Retry-After"))).toBe(180);
	apart.advance(180);
	await register(apart);
	apart.stop();
});

// 70
test("a client that nobody allowed anything is forgotten after a day, one that was used is not", async () => {
	const used = await register(authority);
	await codeFor(authority, used);
	await register(authority);
	authority.advance(24 * 3600 - 1);
	sweep(authority.db, authority.now());
	expect(count()).toBe(2);
	authority.advance(3600);
	sweep(authority.db, authority.now());
	expect(authority.db.query("SELECT id FROM clients").all()).toEqual([
		{ id: used.client_id },
	]);
	authority.advance(90 * 24 * 3600);
	sweep(authority.db, authority.now());
	expect(count()).toBe(0);
});
