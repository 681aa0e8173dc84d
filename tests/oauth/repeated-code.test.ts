/**
 * The very same redemption sent twice in a moment is one redemption with one answer (ChatGPT does that, demands.md 18);
 * anything else that comes with a used code is proof of a leak (OAuth 2.1 4.1.3). Decision 16.
 */
import { afterEach, beforeEach, expect, test } from "bun:test";
import {
	type Authority,
	type Client,
	codeFor,
	judge,
	openAuthority,
	redeem,
	refresh,
	register,
	type TokenAnswer,
} from "./authority.ts";

let authority: Authority;
let client: Client;
let address = "192.0.2.1";
let code = "";
let first: TokenAnswer;

beforeEach(async () => {
	address = "192.0.2.1";
	authority = await openAuthority({ address: () => address });
	client = await register(authority);
	code = await codeFor(authority, client);
	first = await redeem(authority, client, code);
});
afterEach(() => authority.stop());

function isGood(): boolean {
	authority.bearer.invalidate();
	return judge(authority, first.access_token).ok;
}

async function expectReplay(answer: Promise<TokenAnswer>): Promise<void> {
	expect((await answer).error).toBe("invalid_grant");
	expect(isGood()).toBe(false);
}

test("the same request gets the same tokens, and no others are made", async () => {
	const second = await redeem(authority, client, code);
	expect(second.status).toBe(200);
	expect(second.access_token).toBe(first.access_token);
	expect(second.refresh_token).toBe(first.refresh_token);
	for (const table of ["access_tokens", "refresh_tokens"])
		expect(
			authority.db.query(`SELECT count(*) AS n FROM ${table}`).get(),
		).toEqual({ n: 1 });
	expect(isGood()).toBe(true);
});

test("from another address, or another program, it is a replay", async () => {
	address = "198.51.100.1";
	await expectReplay(redeem(authority, client, code));
});

test("with another verifier it is a replay", () =>
	expectReplay(
		redeem(authority, client, code, { code_verifier: "w".repeat(43) }),
	));

test("after ten seconds it is a replay", () => {
	authority.advance(11);
	return expectReplay(redeem(authority, client, code));
});

test("once the access token was used it is a replay", () => {
	authority.timeline.isFirstUse(
		authority.db.query<{ id: string }, []>("SELECT id FROM grants").get()?.id ??
			null,
	);
	return expectReplay(redeem(authority, client, code));
});

test("once the refresh token was used it is a replay", async () => {
	await refresh(authority, client, first.refresh_token);
	await expectReplay(redeem(authority, client, code));
});

test("what is kept of the answer cannot be opened with the database, and goes with the code", async () => {
	const kept = authority.db
		.query<{ sealed: Uint8Array }, []>(
			"SELECT answer_sealed AS sealed FROM codes",
		)
		.get()?.sealed;
	expect(Buffer.from(kept ?? []).includes(first.access_token)).toBe(false);
	expect(kept?.length).toBeGreaterThan(100);
});
