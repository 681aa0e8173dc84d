/** Credentials at a protected resource. Numbers are rows of the attack list (research/oauth.md 5). */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mintCredential } from "../../src/mint.ts";
import {
	createApiKey,
	listApiKeys,
	revokeApiKey,
} from "../../src/store/api-keys.ts";
import { deleteClient } from "../../src/store/clients.ts";
import { deleteAccessToken } from "../../src/store/tokens.ts";
import { listUsers } from "../../src/store/users.ts";
import {
	type Authority,
	judge,
	openAuthority,
	signInClient,
} from "./authority.ts";

let authority: Authority;

beforeEach(async () => {
	authority = await openAuthority();
});
afterEach(() => authority.stop());

function challenge(
	path: string,
	authorization?: string,
	resource = path,
): string | null {
	const verdict = authority.bearer.judge(
		new Request(`https://gw.example${path}`, {
			method: "HEAD",
			headers:
				authorization === undefined ? {} : { Authorization: authorization },
		}),
		`https://gw.example${resource}`,
	);
	if (verdict.ok) return null;
	expect(verdict.response.status).toBe(401);
	return verdict.response.headers.get("WWW-Authenticate");
}

const DOCUMENT = "https://gw.example/.well-known/oauth-protected-resource";

// RFC 9728 5.1, RFC 6750 3
test("without a credential the challenge names the document and no error", () => {
	expect(challenge("/mcp")).toBe(
		`Bearer resource_metadata="${DOCUMENT}/mcp", scope="mcp"`,
	);
	expect(challenge("/mcp/memory")).toBe(
		`Bearer resource_metadata="${DOCUMENT}/mcp/memory", scope="mcp:memory"`,
	);
	expect(challenge("/mcp", "Basic eDp5")).not.toContain("error");
});

test("an alias is challenged with the document of its own spelling", () => {
	expect(challenge("/mcp/", undefined, "/mcp")).toContain(`${DOCUMENT}/mcp/"`);
	expect(challenge("/", undefined, "/mcp")).toContain(`${DOCUMENT}/"`);
	expect(challenge("/mcp/memory/", undefined, "/mcp/memory")).toContain(
		`${DOCUMENT}/mcp/memory/"`,
	);
});

// 29
test("a credential that is wrong in any way gets the same answer", async () => {
	const { tokens } = await signInClient(authority);
	const good = tokens.access_token;
	const flipped = `${good.slice(0, 20)}${good[20] === "A" ? "B" : "A"}${good.slice(21)}`;
	const expected = `Bearer error="invalid_token", resource_metadata="${DOCUMENT}/mcp", scope="mcp"`;
	for (const authorization of [
		`Bearer ${flipped}`,
		`Bearer ${good.slice(0, -1)}`,
		`Bearer ${good}x`,
		`Bearer ${good} x`,
		`Bearer ${good}, Bearer ${good}`,
		`Bearer ${"x".repeat(10_000)}`,
		`Bearer ${mintCredential("access")}`,
		`Bearer ${mintCredential("apiKey")}`,
		"Bearer",
		"Bearer eyJhbGciOiJub25lIn0.e30.",
	])
		expect(challenge("/mcp", authorization), authorization.slice(0, 40)).toBe(
			expected,
		);
	expect(challenge("/mcp", `Bearer ${good}`)).toBeNull();
	expect(challenge("/mcp", `bearer ${good}`)).toBeNull();
});

// 26: RFC 6750 2.2 and 2.3 are not supported
test("a token in the query is never read", async () => {
	const { tokens } = await signInClient(authority);
	expect(
		challenge(`/mcp?access_token=${tokens.access_token}`, undefined, "/mcp"),
	).toBe(`Bearer resource_metadata="${DOCUMENT}/mcp", scope="mcp"`);
});

// 92: RFC 8707 2, RFC 9700 2.3
test("a token works at exactly the resource it was granted for", async () => {
	const all = (await signInClient(authority)).tokens.access_token;
	const one = (
		await signInClient(authority, { resource: "https://gw.example/mcp/memory" })
	).tokens.access_token;
	expect(judge(authority, one, "/mcp/memory").ok).toBe(true);
	expect(judge(authority, all, "/mcp").ok).toBe(true);
	for (const path of [
		"/mcp",
		"/mcp/files",
		"/mcp/memoryx",
		"/mcp/memor",
		"/MCP/memory",
	])
		expect(judge(authority, one, path).ok, path).toBe(false);
	for (const path of ["/mcp/memory", "/mcp/files", "/mcpx"])
		expect(judge(authority, all, path).ok, path).toBe(false);
});

// 97
test("the caller has the scopes that were granted, whatever was asked for", async () => {
	const callerOf = async (
		changes: Record<string, string>,
	): Promise<unknown> => {
		const { tokens } = await signInClient(authority, changes);
		const path = new URL(changes["resource"] ?? "https://gw.example/mcp")
			.pathname;
		const verdict = judge(authority, tokens.access_token, path);
		return verdict.ok ? verdict.caller.scopes : null;
	};
	const slug = { resource: "https://gw.example/mcp/memory" };
	expect(await callerOf({})).toEqual(["mcp"]);
	expect(await callerOf({ scope: "openid email profile" })).toEqual(["mcp"]);
	expect(await callerOf({ scope: "mcp offline_access admin" })).toEqual([
		"mcp",
	]);
	expect(await callerOf({ scope: "mcp:memory mcp:memory" })).toEqual([
		"mcp:memory",
	]);
	expect(await callerOf({ scope: "mcp:memory mcp:unknown" })).toEqual([
		"mcp:memory",
	]);
	expect(await callerOf({ scope: "mcp:memory mcp" })).toEqual(["mcp"]);
	expect(await callerOf(slug)).toEqual(["mcp:memory"]);
	expect(await callerOf({ ...slug, scope: "mcp offline_access" })).toEqual([
		"mcp:memory",
	]);
	expect(await callerOf({ ...slug, scope: "mcp:files" })).toEqual([
		"mcp:memory",
	]);
});

test("a caller is who the token was granted to", async () => {
	const { client, tokens } = await signInClient(authority);
	const verdict = judge(authority, tokens.access_token);
	expect(verdict).toMatchObject({
		ok: true,
		caller: {
			userId: listUsers(authority.db)[0]?.id,
			role: "owner",
			clientId: client.client_id,
			grantId: expect.stringMatching(/^grt_/),
		},
	});
});

test("an access token ends after eight hours, cached or not", async () => {
	const { tokens } = await signInClient(authority);
	authority.advance(8 * 3600 - 1);
	expect(judge(authority, tokens.access_token).ok).toBe(true);
	authority.advance(1);
	expect(judge(authority, tokens.access_token).ok).toBe(false);
});

test("a disabled user is out within seconds, and at once after invalidate", async () => {
	const { tokens } = await signInClient(authority);
	expect(judge(authority, tokens.access_token).ok).toBe(true);
	authority.db.run("UPDATE users SET disabled_at = 1");
	authority.advance(5);
	expect(judge(authority, tokens.access_token).ok).toBe(false);
	authority.db.run("UPDATE users SET disabled_at = NULL");
	expect(judge(authority, tokens.access_token).ok).toBe(true);
	authority.db.run("UPDATE users SET disabled_at = 1");
	authority.bearer.invalidate();
	expect(judge(authority, tokens.access_token).ok).toBe(false);
});

test("an API key acts as its user at every endpoint until it is revoked", () => {
	const owner = listUsers(authority.db)[0];
	const text = mintCredential("apiKey");
	const key = createApiKey(
		authority.db,
		authority.vault.mac(text),
		{ userId: owner?.id ?? "", name: "script" },
		authority.now(),
	);
	for (const path of ["/mcp", "/mcp/memory"])
		expect(judge(authority, text, path)).toEqual({
			ok: true,
			caller: {
				userId: owner?.id ?? "",
				role: "owner",
				clientId: `key:${key.id}`,
				grantId: null,
				scopes: ["mcp"],
			},
		});
	revokeApiKey(authority.db, key.id, authority.now());
	authority.bearer.invalidate();
	expect(judge(authority, text).ok).toBe(false);
	expect(listApiKeys(authority.db)).toEqual([]);
});

test("a caller that was let in is alive until its token, grant or key has ended or its user is disabled", async () => {
	const { client, tokens } = await signInClient(authority);
	const verdict = judge(authority, tokens.access_token);
	if (!verdict.ok) throw new Error("the token was just issued");
	const alive = (): boolean => authority.bearer.isAlive(verdict.caller);
	expect(alive()).toBe(true);
	authority.db.run("UPDATE users SET disabled_at = 1");
	expect(alive()).toBe(false);
	authority.db.run("UPDATE users SET disabled_at = NULL");
	expect(alive()).toBe(true);
	const { tokens: others } = await signInClient(authority);
	const other = judge(authority, others.access_token);
	if (!other.ok) throw new Error("the token was just issued");
	deleteAccessToken(authority.db, authority.vault.mac(others.access_token));
	expect(authority.bearer.isAlive(other.caller)).toBe(false);
	expect(alive()).toBe(true);
	deleteClient(authority.db, client.client_id);
	expect(alive()).toBe(false);
	const key = createApiKey(
		authority.db,
		authority.vault.mac("key"),
		{ userId: verdict.caller.userId, name: "script" },
		authority.now(),
	);
	const caller = {
		...verdict.caller,
		grantId: null,
		clientId: `key:${key.id}`,
	};
	expect(authority.bearer.isAlive(caller)).toBe(true);
	revokeApiKey(authority.db, key.id, authority.now());
	expect(authority.bearer.isAlive(caller)).toBe(false);
});

test("when things were last used is written down together, at the latest when the gateway stops", async () => {
	const { tokens } = await signInClient(authority);
	const lastUsed = (): unknown =>
		authority.db.query("SELECT last_used_at AS at FROM grants").get();
	judge(authority, tokens.access_token);
	expect(lastUsed()).toEqual({ at: null });
	authority.bearer.stop();
	expect(lastUsed()).toEqual({ at: authority.now() });
});
