/** Codes at the token endpoint, and who may redeem them. Numbers are rows of the attack list (research/oauth.md 5). */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mintCredential } from "../../src/mint.ts";
import {
	type Authority,
	type Client,
	challengeOf,
	codeFor,
	judge,
	openAuthority,
	REDIRECT,
	redeem,
	refresh,
	register,
	requestToken,
	signInClient,
	VERIFIER,
} from "./authority.ts";

let authority: Authority;
let client: Client;

beforeAll(async () => {
	authority = await openAuthority();
	client = await register(authority);
});
afterAll(() => authority.stop());

function isGood(token: string): boolean {
	authority.bearer.invalidate();
	return judge(authority, token).ok;
}

// RFC 6749 5.1
test("a code becomes tokens, in an answer that is never stored and can be read from any origin", async () => {
	const tokens = await redeem(
		authority,
		client,
		await codeFor(authority, client),
	);
	expect(tokens).toMatchObject({
		status: 200,
		token_type: "Bearer",
		expires_in: 28800,
		scope: "mcp",
	});
	expect(tokens.access_token).toMatch(/^sp_at_[\w-]{49}$/);
	expect(tokens.refresh_token).toMatch(/^sp_rt_[\w-]{49}$/);
	expect(tokens.headers.get("Cache-Control")).toBe("no-store");
	expect(tokens.headers.get("Content-Type")).toBe("application/json");
	expect(tokens.headers.get("Access-Control-Allow-Origin")).toBe("*");
	expect(tokens.headers.get("Access-Control-Allow-Credentials")).toBeNull();
	expect(isGood(tokens.access_token)).toBe(true);
});

// 12, 19, 37
test("a request that does not fit leaves the code for the one that does", async () => {
	const code = await codeFor(authority, client);
	for (const [changes, error] of [
		[{ redirect_uri: "http://localhost:1/callback" }, "invalid_grant"],
		[{ resource: "https://gw.example/mcp/memory" }, "invalid_target"],
		[{ resource: "https://evil.example/" }, "invalid_target"],
		[{ code_verifier: null }, "invalid_request"],
		[{ code_verifier: "w".repeat(43) }, "invalid_grant"],
		[{ code_verifier: "short" }, "invalid_grant"],
		[{ code_verifier: "v".repeat(129) }, "invalid_grant"],
		[{ grant_type: "password" }, "unsupported_grant_type"],
		[{ grant_type: null }, "invalid_request"],
		[{ code: null }, "invalid_request"],
	] as const) {
		const refused = await redeem(authority, client, code, changes);
		expect(refused, JSON.stringify(changes)).toMatchObject({
			status: 400,
			error,
		});
	}
	expect((await redeem(authority, client, code)).status).toBe(200);
});

// OAuth 2.1 draft 10.2: a client need not repeat the redirect URI, RFC 6749 4.1.3: if it does it must be the same
test("the redirect URI and the resource may be left out at the token endpoint", async () => {
	const code = await codeFor(authority, client, {
		resource: "https://gw.example/mcp/memory",
	});
	const tokens = await redeem(authority, client, code, { redirect_uri: null });
	expect(tokens).toMatchObject({ status: 200, scope: "mcp:memory" });
});

// 19
test("five wrong verifiers burn a code", async () => {
	const code = await codeFor(authority, client);
	for (let attempt = 0; attempt < 5; attempt++)
		await redeem(authority, client, code, { code_verifier: "w".repeat(43) });
	expect(await redeem(authority, client, code)).toMatchObject({
		status: 400,
		error: "invalid_grant",
	});
});

// 18: RFC 7636 4.1
test("a verifier of 128 characters is taken", async () => {
	const verifier = "Az09-._~".repeat(16);
	const code = await codeFor(authority, client, {
		code_challenge: challengeOf(verifier),
	});
	expect(
		(await redeem(authority, client, code, { code_verifier: verifier })).status,
	).toBe(200);
});

// 20: OAuth 2.1 draft 4.1.3
test("a code that is used twice ends every token of its grant, and no other grant's", async () => {
	const other = await signInClient(authority);
	const code = await codeFor(authority, client);
	const tokens = await redeem(authority, client, code);
	// Cached by the bearer: the revocation must be immediate all the same.
	expect(judge(authority, tokens.access_token).ok).toBe(true);
	expect(await redeem(authority, client, code)).toMatchObject({
		status: 400,
		error: "invalid_grant",
	});
	expect(judge(authority, tokens.access_token).ok).toBe(false);
	expect(await refresh(authority, client, tokens.refresh_token)).toMatchObject({
		error: "invalid_grant",
	});
	expect(isGood(other.tokens.access_token)).toBe(true);
});

// 21
test("a made-up code has no effect on anything", async () => {
	const { client: own, tokens } = await signInClient(authority);
	for (const code of [
		mintCredential("code"),
		"sp_ac_",
		`sp_ac_${"a".repeat(49)}`,
		"x".repeat(10_000),
	])
		expect(await redeem(authority, own, code)).toMatchObject({
			status: 400,
			error: "invalid_grant",
		});
	expect(isGood(tokens.access_token)).toBe(true);
});

// 22
test("another client's code is refused and stays good for its own", async () => {
	const other = await register(authority);
	const code = await codeFor(authority, client);
	expect(await redeem(authority, other, code)).toMatchObject({
		error: "invalid_grant",
	});
	const tokens = await redeem(authority, client, code);
	expect(tokens.status).toBe(200);
	// Also once it is used: another client proves nothing by presenting it.
	await redeem(authority, other, code);
	expect(isGood(tokens.access_token)).toBe(true);
});

// 23
test("of two redemptions at once exactly one succeeds", async () => {
	const code = await codeFor(authority, client);
	const both = await Promise.all([
		redeem(authority, client, code),
		redeem(authority, client, code),
	]);
	expect(both.map(({ status }) => status).sort()).toEqual([200, 400]);
});

// 24
test("a code ends after two minutes", async () => {
	const good = await codeFor(authority, client);
	authority.advance(119);
	expect((await redeem(authority, client, good)).status).toBe(200);
	const late = await codeFor(authority, client);
	authority.advance(120);
	expect(await redeem(authority, client, late)).toMatchObject({
		error: "invalid_grant",
	});
});

// 28
test("no credential passes for another kind", async () => {
	const { client: own, tokens } = await signInClient(authority);
	const code = await codeFor(authority, own);
	expect(judge(authority, tokens.refresh_token).ok).toBe(false);
	expect(judge(authority, code).ok).toBe(false);
	for (const text of [tokens.access_token, code])
		expect(await refresh(authority, own, text)).toMatchObject({
			error: "invalid_grant",
		});
	for (const text of [tokens.access_token, tokens.refresh_token])
		expect(await redeem(authority, own, text)).toMatchObject({
			error: "invalid_grant",
		});
});

// 38
test("a disabled user's code is refused", async () => {
	const apart = await openAuthority();
	const own = await register(apart);
	const code = await codeFor(apart, own);
	apart.db.run("UPDATE users SET disabled_at = 1");
	expect(await redeem(apart, own, code)).toMatchObject({
		error: "invalid_grant",
	});
	apart.stop();
});

function basic(id: string, secret: string, scheme = "Basic"): string {
	const encode = (text: string): string =>
		encodeURIComponent(text).replaceAll("%20", "+");
	return `${scheme} ${btoa(`${encode(id)}:${encode(secret)}`)}`;
}

test("a confidential client proves itself in the header or in the body", async () => {
	for (const method of ["client_secret_basic", "client_secret_post"]) {
		const own = await register(authority, {
			token_endpoint_auth_method: method,
		});
		expect(own.client_secret).toStartWith("sp_cs_");
		const secret = own.client_secret ?? "";
		const inBody = await redeem(authority, own, await codeFor(authority, own), {
			client_secret: secret,
		});
		expect(inBody.status).toBe(200);
		for (const scheme of ["Basic", "basic", "BASIC"]) {
			const inHeader = await requestToken(
				authority,
				{
					grant_type: "authorization_code",
					code: await codeFor(authority, own),
					code_verifier: VERIFIER,
					redirect_uri: REDIRECT,
				},
				{ Authorization: basic(own.client_id, secret, scheme) },
			);
			expect(inHeader.status).toBe(200);
		}
	}
});

// 41, 42, 43, 45: RFC 6749 2.3 and 5.2
test("a client that does not prove itself is told nothing but that", async () => {
	const own = await register(authority, {
		token_endpoint_auth_method: "client_secret_basic",
	});
	const secret = own.client_secret ?? "";
	const wrong = `${secret.slice(0, -1)}${secret.endsWith("A") ? "B" : "A"}`;
	const code = await codeFor(authority, own);
	const good = basic(own.client_id, secret);
	const bodies = new Set<string>();
	for (const [fields, authorization] of [
		// 41: two methods at once
		[{ client_id: own.client_id, client_secret: secret }, good],
		[{ client_id: client.client_id }, good],
		// 42: a public client with a secret, a confidential one without
		[{ client_id: client.client_id, client_secret: "x" }, null],
		[{}, basic(client.client_id, "x")],
		[{ client_id: own.client_id }, null],
		// 43: broken headers
		[{}, "Basic !!!"],
		[{}, "Basic"],
		[{}, `Basic ${btoa("nocolon")}`],
		[{}, `Basic ${btoa(`${own.client_id}:%zz`)}`],
		[{}, `Basic ${Buffer.from([0xff, 0xfe, 0x3a]).toString("base64")}`],
		[{}, `Bearer ${secret}`],
		[{}, basic(own.client_id, wrong)],
		// 45: unknown client, wrong secret
		[{ client_id: own.client_id, client_secret: wrong }, null],
		[{ client_id: "cli_unknown", client_secret: wrong }, null],
		[{ client_id: "cli_unknown" }, null],
		[{}, null],
	] as const) {
		const response = await authority.send("/token", {
			method: "POST",
			body: new URLSearchParams({
				grant_type: "authorization_code",
				code,
				code_verifier: VERIFIER,
				...fields,
			}),
			headers: authorization === null ? {} : { Authorization: authorization },
		});
		expect(response.status, `${JSON.stringify(fields)} ${authorization}`).toBe(
			401,
		);
		expect(response.headers.get("WWW-Authenticate")).toBe(
			authorization === null ? null : 'Basic realm="sallyport"',
		);
		bodies.add(await response.text());
	}
	expect(bodies.size).toBe(1);
	expect([...bodies][0]).toContain('"invalid_client"');
	// Nothing of this touched the code.
	const redeemed = await redeem(authority, own, code, {
		client_secret: secret,
	});
	expect(redeemed.status).toBe(200);
});

// 44
test("one client at one address may ask 60 times a minute", async () => {
	const apart = await openAuthority({ address: () => "192.0.2.1" });
	const own = await register(apart);
	for (let count = 0; count < 60; count++)
		expect((await redeem(apart, own, "x")).status).toBe(400);
	const refused = await redeem(apart, own, "x");
	expect(refused.status).toBe(429);
	expect(refused.headers.get("Retry-After")).toBe("1");
	apart.advance(1);
	expect((await redeem(apart, own, "x")).status).toBe(400);
	apart.stop();
});

// 46, 47, 48
test("bodies that are not one plain form are refused", async () => {
	const form = `grant_type=refresh_token&client_id=${client.client_id}&refresh_token=x`;
	const post = (type: string | null, body: string): Promise<Response> =>
		authority.send("/token", {
			method: "POST",
			body: new TextEncoder().encode(body),
			headers: type === null ? {} : { "Content-Type": type },
		});
	const plain = "application/x-www-form-urlencoded";
	for (const [type, body, status] of [
		["application/json", "{}", 415],
		[`application/json, ${plain}`, form, 415],
		[`${plain}, application/json`, form, 415],
		[null, form, 415],
		["multipart/form-data; boundary=x", form, 415],
		[`${plain}; charset=utf-16`, form, 415],
		[plain, `${form}&client_id=${client.client_id}`, 400],
		[plain, `${form}&resource=a&resource=b`, 400],
		[plain, `${form}&x=${"y".repeat(20_000)}`, 413],
		[plain, `${form}&${"a=1&".repeat(200)}`, 400],
	] as const) {
		const response = await post(type, body);
		expect(response.status, `${type} ${body.slice(0, 80)}`).toBe(status);
		const { error } = (await response.json()) as { error: string };
		expect(error).toBe(
			body.includes("resource=a") ? "invalid_target" : "invalid_request",
		);
	}
	// A charset is no other media type, and names of Object's own are no parameters.
	for (const [type, body] of [
		[`${plain}; charset=UTF-8`, form],
		[plain, `${form}&__proto__=x&constructor=y`],
	] as const)
		expect(await (await post(type, body)).json()).toMatchObject({
			error: "invalid_grant",
		});
});

// 102, 103
test("the token endpoint answers preflight, and no other method than POST", async () => {
	const preflight = await authority.send("/token", {
		method: "OPTIONS",
		headers: { Origin: "https://inspector.example" },
	});
	expect(preflight.status).toBe(204);
	expect(preflight.headers.get("Access-Control-Allow-Origin")).toBe("*");
	for (const method of ["GET", "PUT", "DELETE"]) {
		const response = await authority.send("/token", { method });
		expect(response.status).toBe(405);
		expect(response.headers.get("Allow")).toBe("POST, OPTIONS");
	}
});

test("no code, token, secret or verifier is ever logged", async () => {
	const own = await register(authority, {
		token_endpoint_auth_method: "client_secret_post",
	});
	const code = await codeFor(authority, own);
	const secret = own.client_secret ?? "";
	const tokens = await redeem(authority, own, code, { client_secret: secret });
	await redeem(authority, own, code, { client_secret: secret });
	const log = authority.log.join("");
	expect(log).toContain("code refused");
	expect(log).not.toMatch(/sp_(at|rt|ac|cs|li)_/);
	for (const canary of [code, secret, tokens.access_token, VERIFIER])
		expect(log).not.toContain(canary);
});
