/** Token revocation. @see RFC 7009; numbers are rows of the attack list (research/oauth.md 5) */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
	type Authority,
	type Client,
	judge,
	openAuthority,
	refresh,
	register,
	signInClient,
} from "./authority.ts";

let authority: Authority;

beforeAll(async () => {
	authority = await openAuthority();
});
afterAll(() => authority.stop());

function revoke(
	client: Client,
	fields: Record<string, string>,
): Promise<Response> {
	return authority.send("/revoke", {
		method: "POST",
		body: new URLSearchParams({ client_id: client.client_id, ...fields }),
	});
}

test("a revoked access token is dead at once, and its grant lives", async () => {
	const { client, tokens } = await signInClient(authority);
	expect(judge(authority, tokens.access_token).ok).toBe(true);
	expect((await revoke(client, { token: tokens.access_token })).status).toBe(
		200,
	);
	expect(judge(authority, tokens.access_token).ok).toBe(false);
	expect((await refresh(authority, client, tokens.refresh_token)).status).toBe(
		200,
	);
});

test("a revoked refresh token takes its whole grant with it, whatever the hint says", async () => {
	const { client, tokens } = await signInClient(authority);
	expect(judge(authority, tokens.access_token).ok).toBe(true);
	const { status } = await revoke(client, {
		token: tokens.refresh_token,
		token_type_hint: "access_token",
	});
	expect(status).toBe(200);
	expect(judge(authority, tokens.access_token).ok).toBe(false);
	expect(await refresh(authority, client, tokens.refresh_token)).toMatchObject({
		error: "invalid_grant",
	});
});

// 117
test("what is not the client's own gets the same answer and no effect", async () => {
	const { tokens } = await signInClient(authority);
	const other = await register(authority);
	for (const token of [
		tokens.access_token,
		tokens.refresh_token,
		"garbage",
		"x".repeat(9000),
	])
		expect((await revoke(other, { token })).status).toBe(200);
	authority.bearer.invalidate();
	expect(judge(authority, tokens.access_token).ok).toBe(true);
	expect(
		(await revoke({ client_id: "cli_unknown" }, { token: "x" })).status,
	).toBe(401);
	expect((await revoke(other, {})).status).toBe(400);
});
