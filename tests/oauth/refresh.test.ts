/** Refresh token rotation. Numbers are rows of the attack list (research/oauth.md 5 C); the policy is its 1.5. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { openFor } from "../../src/vault.ts";
import {
	type Authority,
	codeFor,
	judge,
	openAuthority,
	redeem,
	refresh,
	register,
	signInClient,
} from "./authority.ts";

let authority: Authority;

beforeEach(async () => {
	authority = await openAuthority();
});
afterEach(() => authority.stop());

const REFUSED = { status: 400, error: "invalid_grant" };

test("each refresh gives a new pair, and the earlier access token lives on to its own end", async () => {
	const { client, tokens } = await signInClient(authority);
	const next = await refresh(authority, client, tokens.refresh_token);
	expect(next).toMatchObject({ status: 200, scope: "mcp", expires_in: 28800 });
	expect(next.refresh_token).not.toBe(tokens.refresh_token);
	expect(next.access_token).not.toBe(tokens.access_token);
	expect(judge(authority, tokens.access_token).ok).toBe(true);
	expect(judge(authority, next.access_token).ok).toBe(true);
	const third = await refresh(authority, client, next.refresh_token);
	expect(third.status).toBe(200);
});

// 31
test("a lost answer is given again, however late, while its refresh token was not used", async () => {
	const { client, tokens } = await signInClient(authority);
	const lost = await refresh(authority, client, tokens.refresh_token);
	authority.advance(3600);
	const again = await refresh(authority, client, tokens.refresh_token);
	expect(again.refresh_token).toBe(lost.refresh_token);
	expect(again.access_token).toBe(lost.access_token);
	expect(again.expires_in).toBe(28800 - 3600);
	authority.advance(8 * 3600);
	const late = await refresh(authority, client, tokens.refresh_token);
	expect(late.refresh_token).toBe(lost.refresh_token);
	expect(late.access_token).not.toBe(lost.access_token);
	expect(judge(authority, late.access_token).ok).toBe(true);
});

// 32
test("twenty refreshes at once are one rotation, and all get the same pair", async () => {
	const { client, tokens } = await signInClient(authority);
	const answers = await Promise.all(
		Array.from({ length: 20 }, () =>
			refresh(authority, client, tokens.refresh_token),
		),
	);
	expect(
		new Set(
			answers.map((a) => `${a.status} ${a.refresh_token} ${a.access_token}`),
		).size,
	).toBe(1);
	const rows = authority.db.query("SELECT 1 FROM refresh_tokens").all();
	expect(rows).toHaveLength(2);
});

test("within a minute an older token gives its successor again, although that was used", async () => {
	const { client, tokens } = await signInClient(authority);
	const second = await refresh(authority, client, tokens.refresh_token);
	const third = await refresh(authority, client, second.refresh_token);
	authority.advance(60);
	const again = await refresh(authority, client, tokens.refresh_token);
	expect(again.refresh_token).toBe(second.refresh_token);
	// And that one leads on to the newest: a slow process catches up.
	const caughtUp = await refresh(authority, client, again.refresh_token);
	expect(caughtUp.refresh_token).toBe(third.refresh_token);
});

// 33
test("an older token is refused without consequence for ten minutes", async () => {
	const { client, tokens } = await signInClient(authority);
	const second = await refresh(authority, client, tokens.refresh_token);
	const third = await refresh(authority, client, second.refresh_token);
	for (const wait of [61, 539]) {
		authority.advance(wait);
		expect(
			await refresh(authority, client, tokens.refresh_token),
		).toMatchObject(REFUSED);
	}
	expect(judge(authority, third.access_token).ok).toBe(true);
	expect((await refresh(authority, client, third.refresh_token)).status).toBe(
		200,
	);
});

// 34, 35: RFC 9700 4.14.2
test("a token older than that ends its whole family, and no other grant of the same client", async () => {
	const { client, tokens } = await signInClient(authority);
	const other = await redeem(
		authority,
		client,
		await codeFor(authority, client),
	);
	const second = await refresh(authority, client, tokens.refresh_token);
	const third = await refresh(authority, client, second.refresh_token);
	expect(judge(authority, third.access_token).ok).toBe(true);
	authority.advance(601);
	expect(await refresh(authority, client, tokens.refresh_token)).toMatchObject(
		REFUSED,
	);
	for (const { access_token } of [tokens, second, third])
		expect(judge(authority, access_token).ok).toBe(false);
	for (const { refresh_token } of [tokens, second, third])
		expect(await refresh(authority, client, refresh_token)).toMatchObject(
			REFUSED,
		);
	expect(judge(authority, other.access_token).ok).toBe(true);
	expect((await refresh(authority, client, other.refresh_token)).status).toBe(
		200,
	);
	const audit = authority.db
		.query("SELECT action, detail FROM audit WHERE action = 'grant.revoke'")
		.all();
	expect(audit).toEqual([
		{ action: "grant.revoke", detail: "refresh token reused" },
	]);
});

// 36: RFC 6749 6
test("a narrower scope works, a wider one does not, what means nothing is ignored, and the next may widen back", async () => {
	const { client, tokens } = await signInClient(authority);
	const narrow = await refresh(authority, client, tokens.refresh_token, {
		scope: "mcp:memory offline_access",
	});
	expect(narrow).toMatchObject({ status: 200, scope: "mcp:memory" });
	const unknown = await refresh(authority, client, narrow.refresh_token, {
		scope: "mcp:reading mcp:nowhere",
	});
	expect(unknown).toMatchObject({ status: 200, scope: "mcp" });
	const back = await refresh(authority, client, unknown.refresh_token);
	expect(back.scope).toBe("mcp");

	const partial = await signInClient(authority, { scope: "mcp:memory" });
	expect(partial.tokens.scope).toBe("mcp:memory");
	for (const scope of ["mcp", "mcp:files", "mcp:memory mcp:files"])
		expect(
			await refresh(authority, partial.client, partial.tokens.refresh_token, {
				scope,
			}),
		).toMatchObject({ status: 400, error: "invalid_scope" });
	// None of these used the token up.
	const good = await refresh(
		authority,
		partial.client,
		partial.tokens.refresh_token,
	);
	expect(good).toMatchObject({ status: 200, scope: "mcp:memory" });
});

// 37: RFC 8707 2.2
test("another resource is an invalid target and rotates nothing", async () => {
	const { client, tokens } = await signInClient(authority);
	for (const resource of [
		"https://gw.example/mcp/memory",
		"https://evil.example/mcp",
	])
		expect(
			await refresh(authority, client, tokens.refresh_token, { resource }),
		).toMatchObject({ status: 400, error: "invalid_target" });
	expect(authority.db.query("SELECT 1 FROM refresh_tokens").all()).toHaveLength(
		1,
	);
	const same = await refresh(authority, client, tokens.refresh_token, {
		resource: "https://GW.example/mcp/",
	});
	expect(same.status).toBe(200);
});

test("another client's refresh token is refused and nothing changes", async () => {
	const { client, tokens } = await signInClient(authority);
	const other = await register(authority);
	expect(await refresh(authority, other, tokens.refresh_token)).toMatchObject(
		REFUSED,
	);
	expect((await refresh(authority, client, tokens.refresh_token)).status).toBe(
		200,
	);
});

// 38
test("a refresh after the user was disabled is refused", async () => {
	const { client, tokens } = await signInClient(authority);
	authority.db.run("UPDATE users SET disabled_at = 1");
	expect(await refresh(authority, client, tokens.refresh_token)).toMatchObject(
		REFUSED,
	);
});

// 38
test("a refresh of a client that was deleted is an invalid client", async () => {
	const { client, tokens } = await signInClient(authority);
	authority.db.run("DELETE FROM clients");
	expect(await refresh(authority, client, tokens.refresh_token)).toMatchObject({
		status: 401,
		error: "invalid_client",
	});
});

test("a refresh token ends after 30 days unused, and a family after a year", async () => {
	const DAY = 24 * 3600;
	const { client, tokens } = await signInClient(authority);
	const idle = await signInClient(authority);
	let token = tokens.refresh_token;
	for (let month = 0; month < 12; month++) {
		authority.advance(30 * DAY - 1);
		const next = await refresh(authority, client, token);
		expect(next.status).toBe(200);
		token = next.refresh_token;
	}
	expect(
		await refresh(authority, idle.client, idle.tokens.refresh_token),
	).toMatchObject(REFUSED);
	authority.advance(6 * DAY);
	expect(await refresh(authority, client, token)).toMatchObject(REFUSED);
});

// 40
test("a sealed successor opens only for the token it succeeds", async () => {
	const { client, tokens } = await signInClient(authority);
	const next = await refresh(authority, client, tokens.refresh_token);
	const row = authority.db
		.query<{ sealed: Uint8Array; hash: Uint8Array }, []>(
			"SELECT successor_sealed AS sealed, hash FROM refresh_tokens WHERE successor_sealed IS NOT NULL",
		)
		.get();
	if (!row) throw new Error("nothing was sealed");
	expect(openFor(tokens.refresh_token, row.sealed)).toContain(
		next.refresh_token,
	);
	expect(openFor(next.refresh_token, row.sealed)).toBeNull();
	expect(
		openFor(Buffer.from(row.hash).toString("latin1"), row.sealed),
	).toBeNull();
});

// 107
test("the database holds no credential in clear", async () => {
	const { client, tokens } = await signInClient(authority);
	await refresh(authority, client, tokens.refresh_token);
	const dump = Buffer.from(authority.db.serialize()).toString("latin1");
	expect(dump).toContain("owner@example.org");
	expect(dump).not.toMatch(/sp_(at|rt|ac|cs|li|su)_/);
	expect(dump).not.toContain("correct horse");
});
