/** B. PKCE, codes and tokens (research/oauth.md 5, 16–30). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mintCredential } from "../../src/mint.ts";
import {
	authorizeQuery,
	type Client,
	challengeOf,
	codeFor,
	openBrowser,
	REDIRECT,
	redeem,
	refresh,
	register,
	requestToken,
	signIn,
	signInClient as signInAnew,
	VERIFIER,
} from "../oauth/authority.ts";
import {
	advance,
	expectPage,
	expectRedirect,
	openTarget,
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
	who: Client,
	changes: Readonly<Record<string, string | null>>,
): Promise<Response> {
	return target.send(`/authorize${authorizeQuery(who, changes)}`);
}

test("16: no code challenge, public or confidential", async () => {
	const confidential = await register(target, {
		token_endpoint_auth_method: "client_secret_basic",
	});
	for (const who of [client, confidential])
		expectRedirect(
			await authorize(who, { code_challenge: null }),
			REDIRECT,
			"invalid_request",
		);
});

test("17: another challenge method, or none", async () => {
	for (const method of [null, "plain", "S512", "s256", "S256 "])
		expectRedirect(
			await authorize(client, { code_challenge_method: method }),
			REDIRECT,
			"invalid_request",
			String(method),
		);
});

test("18: a challenge or a verifier of the wrong length or alphabet", async () => {
	for (const challenge of ["a".repeat(42), "a".repeat(44), "+".repeat(43)])
		expectRedirect(
			await authorize(client, { code_challenge: challenge }),
			REDIRECT,
			"invalid_request",
			challenge,
		);
	for (const verifier of ["a".repeat(42), "a".repeat(129), "é".repeat(43)]) {
		const code = await codeFor(target, client, {
			code_challenge: challengeOf(verifier),
		});
		const answer = await redeem(target, client, code, {
			code_verifier: verifier,
		});
		expect(answer.error, verifier).toBe("invalid_grant");
	}
});

test("19: wrong verifiers cost nothing until the fifth", async () => {
	const patient = await codeFor(target, client);
	const missing = await redeem(target, client, patient, {
		code_verifier: null,
	});
	expect(missing.error).toBe("invalid_request");
	for (let tries = 0; tries < 4; tries++)
		expect(
			(
				await redeem(target, client, patient, {
					code_verifier: "w".repeat(43),
				})
			).error,
		).toBe("invalid_grant");
	expect((await redeem(target, client, patient)).status).toBe(200);
	const burnt = await codeFor(target, client);
	for (let tries = 0; tries < 5; tries++)
		await redeem(target, client, burnt, { code_verifier: "w".repeat(43) });
	expect((await redeem(target, client, burnt)).error).toBe("invalid_grant");
});

test("20: a code used twice ends what it gave", async () => {
	const code = await codeFor(target, client);
	const tokens = await redeem(target, client, code);
	expect(await target.use(tokens.access_token)).toBe(200);
	expect((await redeem(target, client, code)).error).toBe("invalid_grant");
	expect(await target.use(tokens.access_token)).toBe(401);
	const again = await refresh(target, client, tokens.refresh_token);
	expect(again.error).toBe("invalid_grant");
});

test("21: a made-up code with a good beginning ends nothing", async () => {
	const code = await codeFor(target, client);
	const tokens = await redeem(target, client, code);
	for (const made of [
		`${code.slice(0, -10)}AAAAAAAAAA`,
		`${code}x`,
		code.slice(0, -1),
		mintCredential("code"),
	])
		expect((await redeem(target, client, made)).error).toBe("invalid_grant");
	expect(await target.use(tokens.access_token)).toBe(200);
});

test("22: another client's code", async () => {
	const other = await register(target);
	const code = await codeFor(target, client);
	expect((await redeem(target, other, code)).error).toBe("invalid_grant");
	expect((await redeem(target, client, code)).status).toBe(200);
});

test("23: one code redeemed by many at once succeeds once", async () => {
	const code = await codeFor(target, client);
	const answers = await Promise.all(
		Array.from({ length: 8 }, () => redeem(target, client, code)),
	);
	expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
	expect(answers.filter(({ error }) => error === "invalid_grant")).toHaveLength(
		7,
	);
});

test("24: a code after two minutes", async () => {
	const code = await codeFor(target, client);
	advance(121);
	expect((await redeem(target, client, code)).error).toBe("invalid_grant");
});

test("25: an attacker's code in the victim's client", async () => {
	const code = await codeFor(target, client, {
		code_challenge: challengeOf("attacker".repeat(6)),
	});
	const answer = await redeem(target, client, code, {
		code_verifier: VERIFIER,
	});
	expect(answer.error).toBe("invalid_grant");
});

test("26: a token in the query or the body is not read", async () => {
	const { tokens } = await signInAnew(target);
	const inQuery = await target.send(
		`/mcp?access_token=${tokens.access_token}`,
		{ method: "POST", body: "{}" },
	);
	expect(inQuery.status).toBe(401);
	const inBody = await target.send("/mcp", {
		method: "POST",
		body: new URLSearchParams({ access_token: tokens.access_token }),
	});
	expect(inBody.status).toBe(401);
	expect(inBody.headers.get("WWW-Authenticate")).not.toContain("error=");
});

test("27: no page tells another site where it is, or loads anything from one", async () => {
	const browser = openBrowser(target);
	await signIn(browser);
	for (const path of [
		`/authorize${authorizeQuery(client)}`,
		"/authorize?client_id=x",
		"/clients",
		"/",
	]) {
		const response = await browser.get(path);
		expect(response.headers.get("Referrer-Policy"), path).toBe("no-referrer");
		expect(response.headers.get("Cache-Control"), path).toBe("no-store");
		const html = await response.text();
		expect(html, path).not.toMatch(/(src|href)="(https?:)?\/\//);
	}
});

test("28: one kind of credential in the place of another", async () => {
	const { client: own, tokens } = await signInAnew(target);
	const code = await codeFor(target, own);
	for (const token of [
		tokens.refresh_token,
		code,
		mintCredential("clientSecret"),
		mintCredential("apiKey"),
		mintCredential("login"),
	])
		expect(await target.use(token)).toBe(401);
	for (const token of [tokens.access_token, code])
		expect((await refresh(target, own, token)).error).toBe("invalid_grant");
	for (const token of [tokens.access_token, tokens.refresh_token])
		expect((await redeem(target, own, token)).error).toBe("invalid_grant");
	const keyed = await target.send("/api/keys", {
		headers: { Authorization: `Bearer ${tokens.access_token}` },
	});
	expect(keyed.status).toBe(401);
});

test("29: a token with a changed character, a wrong checksum, or 10 MB", async () => {
	const { tokens } = await signInAnew(target);
	const token = tokens.access_token;
	const flip = (at: number): string =>
		token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
	for (const bad of [
		flip(8),
		flip(30),
		flip(token.length - 1),
		`${token}A`,
		"",
	])
		expect(await target.use(bad), bad.length.toString()).toBe(401);
	const began = performance.now();
	const huge = await target.use("A".repeat(10_000_000)).catch(() => 0);
	expect([0, 400, 401, 413, 431]).toContain(huge);
	expect(performance.now() - began).toBeLessThan(2000);
	expect(await target.use(token)).toBe(200);
});

test("a request that is no good names no code, token or verifier", async () => {
	const canary = mintCredential("code");
	const answer = await target.send("/token", {
		method: "POST",
		body: new URLSearchParams({
			grant_type: "authorization_code",
			client_id: client.client_id,
			code: canary,
			code_verifier: VERIFIER,
		}),
	});
	const text = await answer.text();
	for (const secret of [canary, VERIFIER]) expect(text).not.toContain(secret);
	await expectPage(await target.send(`/authorize?client_id=${canary}`));
	const odd = await requestToken(target, { grant_type: canary });
	expect(JSON.stringify(odd)).not.toContain(canary);
});
