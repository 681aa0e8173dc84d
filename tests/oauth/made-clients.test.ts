/** Clients that an administrator made: what they may do alone, and that nobody else may. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { SignJWT } from "jose";
import { makeClient } from "../../src/ops/clients.ts";
import { sweep } from "../../src/ops/sweep.ts";
import { findUserByEmail } from "../../src/store/users.ts";
import {
	type Authority,
	type Client,
	judge,
	OWNER,
	openAuthority,
	register,
	requestToken,
	signInClient,
	type TokenAnswer,
} from "./authority.ts";

let authority: Authority;

beforeEach(async () => {
	authority = await openAuthority();
});
afterEach(() => authority.stop());

function ownerId(): string {
	return findUserByEmail(authority.db, OWNER.email)?.id ?? "";
}

function make(
	fields: Partial<Parameters<typeof makeClient>[1]> = {},
): Client & { readonly client_secret: string } {
	const { client, secret } = makeClient(
		authority.deps,
		{
			name: "nightly",
			redirectUris: [],
			confidential: true,
			jwks: null,
			userId: ownerId(),
			introspects: [],
			...fields,
		},
		"test",
	);
	return { client_id: client.id, client_secret: secret ?? "" };
}

function ask(
	client: Client,
	changes: Readonly<Record<string, string | null>> = {},
): Promise<TokenAnswer> {
	return requestToken(authority, {
		grant_type: "client_credentials",
		...client,
		...changes,
	});
}

// RFC 6749 4.4
test("a made client acts as the user chosen for it, without a refresh token", async () => {
	const tokens = await ask(make());
	expect(tokens).toMatchObject({ status: 200, scope: "mcp" });
	expect(tokens.refresh_token).toBeUndefined();
	const verdict = judge(authority, tokens.access_token);
	expect(verdict.ok && verdict.caller).toMatchObject({ userId: ownerId() });
	expect(judge(authority, tokens.access_token, "/mcp/memory").ok).toBe(false);
});

test("it can ask for one server only", async () => {
	const client = make();
	const narrow = await ask(client, { scope: "mcp:memory" });
	expect(narrow.scope).toBe("mcp:memory");
	const bound = await ask(client, {
		resource: "https://gw.example/mcp/memory",
	});
	expect(judge(authority, bound.access_token, "/mcp/memory").ok).toBe(true);
	const elsewhere = await ask(client, { resource: "https://evil.example/" });
	expect(elsewhere.error).toBe("invalid_target");
});

test("nobody else may act without a person", async () => {
	const registered = await register(authority, {
		token_endpoint_auth_method: "client_secret_post",
	});
	const answer = await requestToken(authority, {
		grant_type: "client_credentials",
		client_id: registered.client_id,
		client_secret: registered.client_secret ?? "",
	});
	expect([answer.status, answer.error]).toEqual([400, "unauthorized_client"]);
	const redirectUris = ["https://chat.example/cb"];
	const secretless = make({ confidential: false, userId: null, redirectUris });
	expect((await ask({ client_id: secretless.client_id })).error).toBe(
		"unauthorized_client",
	);
	const impersonal = make({ userId: null, redirectUris });
	expect((await ask(impersonal)).error).toBe("unauthorized_client");
	expect((await ask(make(), { client_secret: "sp_cs_wrong" })).error).toBe(
		"invalid_client",
	);
});

test("it stops with its user, and its tokens too", async () => {
	const client = make();
	const { access_token } = await ask(client);
	authority.db.run("UPDATE users SET disabled_at = 1");
	authority.bearer.invalidate();
	expect(judge(authority, access_token).ok).toBe(false);
	expect((await ask(client)).error).toBe("unauthorized_client");
});

test("a client in a loop keeps a hundred tokens and one grant", async () => {
	const client = make();
	const first = await ask(client);
	for (let at = 0; at < 100; at++) {
		authority.advance(1);
		await ask(client);
	}
	const count = (table: string): number =>
		authority.db.query(`SELECT 1 FROM ${table}`).all().length;
	expect([count("access_tokens"), count("grants")]).toEqual([100, 1]);
	authority.bearer.invalidate();
	expect(judge(authority, first.access_token).ok).toBe(false);
});

test("a made client is not swept away for being unused", async () => {
	const client = make();
	authority.advance(400 * 24 * 3600);
	sweep(authority.db, authority.now());
	expect((await ask(client)).status).toBe(200);
});

describe("a client that signs (RFC 7523)", () => {
	const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
	const jwks = {
		keys: [{ ...pair.publicKey.export({ format: "jwk" }), alg: "ES256" }],
	};
	let client: Client;
	let serial = 0;

	beforeEach(() => {
		const { client_id } = make({ confidential: false, jwks });
		client = { client_id };
	});

	function claims(): Record<string, unknown> {
		return {
			iss: client.client_id,
			sub: client.client_id,
			aud: "https://gw.example/token",
			exp: authority.now() + 60,
			jti: `j${serial++}`,
		};
	}

	function sign(
		payload: Record<string, unknown>,
		key = pair.privateKey,
		alg = "ES256",
	): Promise<string> {
		return new SignJWT(payload).setProtectedHeader({ alg }).sign(key);
	}

	function prove(
		assertion: string,
		changes: Readonly<Record<string, string | null>> = {},
	): Promise<TokenAnswer> {
		return ask(client, {
			client_assertion_type:
				"urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
			client_assertion: assertion,
			...changes,
		});
	}

	test("proves itself, also by the assertion alone, each time with another", async () => {
		const assertion = await sign(claims());
		expect((await prove(assertion)).status).toBe(200);
		expect((await prove(assertion)).error).toBe("invalid_client");
		const alone = await prove(
			await sign({ ...claims(), aud: "https://gw.example" }),
			{ client_id: null },
		);
		expect(alone.status).toBe(200);
	});

	test("is refused when anything about the assertion is off", async () => {
		const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
		const now = authority.now();
		const { jti: _, ...unnamed } = claims();
		const { exp: __, ...endless } = claims();
		for (const [what, assertion] of Object.entries({
			"another key": await sign(claims(), other.privateKey),
			"another audience": await sign({
				...claims(),
				aud: "https://evil.example",
			}),
			"another issuer": await sign({ ...claims(), iss: "cli_other" }),
			"another subject": await sign({ ...claims(), sub: "cli_other" }),
			"no id": await sign(unnamed),
			"no end": await sign(endless),
			"an end that is past": await sign({ ...claims(), exp: now - 60 }),
			"an end that is far": await sign({ ...claims(), exp: now + 3600 }),
			"not begun": await sign({ ...claims(), nbf: now + 120 }),
			"no signature": `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify(claims()))}.`,
			"the public key as a shared one": await new SignJWT(claims())
				.setProtectedHeader({ alg: "HS256" })
				.sign(new TextEncoder().encode(JSON.stringify(jwks.keys[0]))),
			garbage: "x",
			"too long": "x".repeat(5000),
		}))
			expect((await prove(assertion)).error, what).toBe("invalid_client");
		const typeless = await prove(await sign(claims()), {
			client_assertion_type: null,
		});
		expect(typeless.error).toBe("invalid_client");
		const twice = await prove(await sign(claims()), { client_secret: "x" });
		expect(twice.error).toBe("invalid_client");
		expect((await ask(client)).error).toBe("invalid_client");
		const secret = await ask(client, { client_secret: "" });
		expect(secret.error).toBe("invalid_client");
	});

	test("does not make a client with a secret out of one without", async () => {
		const { client_id } = make();
		const answer = await prove(
			await sign({ ...claims(), iss: client_id, sub: client_id }),
			{ client_id },
		);
		expect(answer.error).toBe("invalid_client");
	});

	test("cannot be made with private keys", () => {
		const keys = [pair.privateKey.export({ format: "jwk" })];
		for (const bad of [{ keys }, { keys: [] }, { keys: [{ kty: "oct" }] }])
			expect(() => make({ confidential: false, jwks: bad as never })).toThrow(
				"public key",
			);
	});
});

describe("introspection (RFC 7662)", () => {
	async function look(
		token: string,
		client: Client,
	): Promise<[number, Record<string, unknown>]> {
		const response = await authority.send("/introspect", {
			method: "POST",
			body: new URLSearchParams({ token, ...client }),
		});
		return [response.status, (await response.json()) as never];
	}

	test("is not there until a client may use it", async () => {
		expect((await look("x", make()))[0]).toBe(404);
		const document = await authority.send(
			"/.well-known/oauth-authorization-server",
		);
		expect(await document.json()).not.toHaveProperty("introspection_endpoint");
	});

	// 118
	test("shows tokens of its own resources only, and nothing to others", async () => {
		const looker = make({ introspects: ["/mcp/memory"], userId: null });
		const own = await signInClient(authority, {
			resource: "https://gw.example/mcp/memory",
		});
		const foreign = await signInClient(authority);
		const [status, shown] = await look(own.tokens.access_token, looker);
		expect(status).toBe(200);
		expect(shown).toMatchObject({
			active: true,
			scope: "mcp:memory",
			aud: "https://gw.example/mcp/memory",
			sub: ownerId(),
		});
		for (const token of [
			foreign.tokens.access_token,
			own.tokens.refresh_token,
			"sp_at_made-up",
		])
			expect(await look(token, looker)).toEqual([200, { active: false }]);
		expect((await look(own.tokens.access_token, make()))[0]).toBe(401);
		expect((await look(own.tokens.access_token, own.client))[0]).toBe(401);
	});
});
