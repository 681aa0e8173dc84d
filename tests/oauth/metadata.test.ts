/** Discovery documents. @see RFC 9728, RFC 8414, research/oauth.md 3.1 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Authority, openAuthority } from "./authority.ts";

let authority: Authority;

beforeAll(async () => {
	authority = await openAuthority();
});
afterAll(() => authority.stop());

async function read(
	path: string,
	init?: RequestInit,
): Promise<[number, Record<string, unknown>]> {
	const response = await authority.send(path, init);
	expect(response.headers.get("Content-Type")).toBe("application/json");
	expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
	return [response.status, (await response.json()) as Record<string, unknown>];
}

// RFC 9728 3.3: `resource` is identical to the URL the document was made for
test("each endpoint has one document whose resource is the pasted URL, byte for byte", async () => {
	const root = "/.well-known/oauth-protected-resource";
	for (const [path, resource, scope] of [
		[`${root}/mcp`, "https://gw.example/mcp", "mcp"],
		[`${root}/mcp/`, "https://gw.example/mcp/", "mcp"],
		[root, "https://gw.example/mcp", "mcp"],
		[`${root}/`, "https://gw.example/", "mcp"],
		[`${root}/mcp/memory`, "https://gw.example/mcp/memory", "mcp:memory"],
		[`${root}/mcp/memory/`, "https://gw.example/mcp/memory/", "mcp:memory"],
	] as const) {
		const [status, body] = await read(path);
		expect(status, path).toBe(200);
		expect(body).toEqual({
			resource,
			authorization_servers: ["https://gw.example"],
			scopes_supported: [scope],
			bearer_methods_supported: ["header"],
			resource_name: "Sallyport",
		});
	}
});

// 106
test("what is not there is a JSON 404, never a page", async () => {
	for (const path of [
		"/.well-known/oauth-protected-resource/mcp/unknown",
		"/.well-known/oauth-protected-resource/MCP",
		"/.well-known/oauth-protected-resource//mcp",
		"/.well-known/oauth-protected-resource/mcp/memory/x",
		"/.well-known/oauth-protected-resource/login",
		"/.well-known/oauth-authorization-server/mcp/unknown",
		"/.well-known/oauth-authorization-server/tenant",
		"/.well-known/openid-configuration/x",
	])
		expect((await read(path))[0], path).toBe(404);
});

// RFC 8414 3.3, RFC 9207 3, MCP 2026-07-28 authorization
test("the authorization server's document is the same wherever clients look", async () => {
	const root = "/.well-known/oauth-authorization-server";
	const [status, document] = await read(root);
	expect(status).toBe(200);
	expect(document).toMatchObject({
		issuer: "https://gw.example",
		authorization_endpoint: "https://gw.example/authorize",
		token_endpoint: "https://gw.example/token",
		registration_endpoint: "https://gw.example/register",
		revocation_endpoint: "https://gw.example/revoke",
		response_types_supported: ["code"],
		grant_types_supported: [
			"authorization_code",
			"refresh_token",
			"client_credentials",
		],
		code_challenge_methods_supported: ["S256"],
		token_endpoint_auth_methods_supported: [
			"none",
			"client_secret_basic",
			"client_secret_post",
			"private_key_jwt",
		],
		client_id_metadata_document_supported: true,
		authorization_response_iss_parameter_supported: true,
	});
	for (const path of [`${root}/mcp`, `${root}/mcp/`, `${root}/mcp/memory`])
		expect((await read(path))[1]).toEqual(document);
	const [, openid] = await read("/.well-known/openid-configuration");
	expect(openid).toMatchObject({
		...document,
		subject_types_supported: ["public"],
	});
	expect(await read("/.well-known/jwks.json")).toEqual([200, { keys: [] }]);
});

// 98
test("the issuer comes from the configuration, never from a request", async () => {
	const [, document] = await read("/.well-known/oauth-authorization-server", {
		headers: { Host: "evil.example", "X-Forwarded-Host": "evil.example" },
	});
	expect(JSON.stringify(document)).not.toContain("evil");
});
