/**
 * The token endpoint, in the dialects of the provider table (research/oauth.md 4): each provider is played by a server
 * that answers as its published documents say.
 */
import { afterEach, expect, test } from "bun:test";
import { createEgress } from "../../src/egress.ts";
import { createOAuthFetch } from "../../src/oauth-fetch.ts";
import {
	findProvider,
	listProviders,
	type Provider,
	quirksOf,
} from "../../src/upstream/providers.ts";
import {
	exchangeCode,
	quoted,
	refreshTokens,
	revokeToken,
	TokenRefusal,
	type TokenSource,
} from "../../src/upstream/token-requests.ts";
import { LOOPBACK } from "../support/connections.ts";

type Asked = {
	readonly path: string;
	readonly headers: Headers;
	readonly body: string;
};

let server: ReturnType<typeof Bun.serve> | null = null;
const asked: Asked[] = [];

afterEach(() => {
	void server?.stop(true);
	asked.length = 0;
});

/** A provider of the table, moved to a server that answers its token endpoint with this. */
function play(
	name: string,
	answer: () => Response,
): { readonly provider: Provider; readonly source: TokenSource } {
	server = Bun.serve({
		hostname: "127.0.0.1",
		port: 0,
		fetch: async (request) => {
			asked.push({
				path: new URL(request.url).pathname,
				headers: request.headers,
				body: await request.text(),
			});
			return answer();
		},
	});
	const origin = `http://127.0.0.1:${server.port}`;
	const provider = findProvider(name, origin) as Provider;
	const egress = createEgress({ allowPrivate: LOOPBACK, onlySecure: true });
	return {
		provider,
		source: {
			fetch: createOAuthFetch(egress, "test/0"),
			metadata: {
				issuer: origin,
				authorization_endpoint: provider.authorize,
				token_endpoint: provider.token,
			},
			provider,
			resource: null,
			client: { clientId: "app-1", secret: "s:e c/r", method: provider.auth },
		},
	};
}

function trade(source: TokenSource): ReturnType<typeof exchangeCode> {
	return exchangeCode(
		source,
		new URLSearchParams({ code: "c1" }),
		"https://gate.example.org/connect/x/callback",
		source.provider?.pkce ? "verifier-1" : null,
	);
}

function form(): Readonly<Record<string, string>> {
	return Object.fromEntries(new URLSearchParams(asked[0]?.body));
}

test("GitHub says no with 200", async () => {
	const { source } = play("github", () =>
		Response.json({
			error: "bad_verification_code",
			error_description: "The code passed is incorrect or expired.",
		}),
	);
	const failure = await trade(source).catch((error: unknown) => error);
	expect(failure).toBeInstanceOf(TokenRefusal);
	expect((failure as TokenRefusal).error).toBe("bad_verification_code");
});

test("GitHub is asked for JSON, takes the secret in the body, and lists scopes with commas", async () => {
	const { source } = play("github", () =>
		Response.json({
			access_token: "gho_1",
			scope: "repo,gist",
			token_type: "bearer",
		}),
	);
	expect(await trade(source)).toMatchObject({
		accessToken: "gho_1",
		refreshToken: null,
		expiresInSeconds: null,
		scopes: ["repo", "gist"],
	});
	expect(asked[0]?.headers.get("accept")).toBe("application/json");
	expect(asked[0]?.headers.get("authorization")).toBeNull();
	expect(form()).toMatchObject({
		grant_type: "authorization_code",
		client_id: "app-1",
		client_secret: "s:e c/r",
		code_verifier: "verifier-1",
	});
});

test("a form is understood where JSON was asked for", async () => {
	const { source } = play(
		"github",
		() => new Response("access_token=gho_2&scope=repo&token_type=bearer"),
	);
	expect((await trade(source)).accessToken).toBe("gho_2");
});

test("Slack says no with ok: false, and a person's token is inside", async () => {
	let no = true;
	const { source } = play("slack", () =>
		Response.json(
			no
				? { ok: false, error: "invalid_code" }
				: {
						ok: true,
						authed_user: {
							id: "U1",
							access_token: "xoxp-1",
							scope: "search:read,chat:write",
							token_type: "user",
						},
					},
		),
	);
	expect(
		((await trade(source).catch((e: unknown) => e)) as TokenRefusal).error,
	).toBe("invalid_code");
	no = false;
	expect(await trade(source)).toMatchObject({
		accessToken: "xoxp-1",
		account: "U1",
		scopes: ["search:read", "chat:write"],
	});
});

test("37signals speaks the fifth draft: type instead of grant_type, and no PKCE", async () => {
	const { source } = play("basecamp", () =>
		Response.json({
			access_token: "bc",
			refresh_token: "r",
			expires_in: 1209600,
		}),
	);
	expect(await trade(source)).toMatchObject({
		accessToken: "bc",
		refreshToken: "r",
		expiresInSeconds: 1209600,
	});
	expect(form()["type"]).toBe("web_server");
	expect(form()["grant_type"]).toBeUndefined();
	expect(form()["code_verifier"]).toBeUndefined();
	asked.length = 0;
	await refreshTokens(source, "r");
	expect(form()).toMatchObject({ type: "refresh", refresh_token: "r" });
});

test("Notion wants JSON, and the client in Basic", async () => {
	const { source } = play("notion", () =>
		Response.json({ access_token: "ntn", workspace_name: "Ada's" }),
	);
	expect(await trade(source)).toMatchObject({ account: "Ada's" });
	expect(asked[0]?.headers.get("content-type")).toBe("application/json");
	expect(JSON.parse(asked[0]?.body ?? "")).toMatchObject({ code: "c1" });
	expect(
		Buffer.from(
			asked[0]?.headers.get("authorization")?.slice("Basic ".length) ?? "",
			"base64",
		).toString(),
	).toBe("app-1:s%3Ae%20c%2Fr");
});

test("Stripe's secret is the user of Basic", async () => {
	const { source } = play("stripe", () =>
		Response.json({ access_token: "sk" }),
	);
	await trade(source);
	expect(
		Buffer.from(
			asked[0]?.headers.get("authorization")?.slice("Basic ".length) ?? "",
			"base64",
		).toString(),
	).toBe("s:e c/r:");
});

test("Figma renews elsewhere, and keeps its refresh token", async () => {
	const { source } = play("figma", () =>
		Response.json({ access_token: "f2", expires_in: 10 }),
	);
	expect((await refreshTokens(source, "r1")).refreshToken).toBeNull();
	expect(asked[0]?.path).toBe("/v1/oauth/refresh");
});

test("a token is revoked where the provider takes that, and nowhere else", async () => {
	const { source } = play("discord", () => new Response(null, { status: 200 }));
	expect(await revokeToken(source, "t", "access_token")).toBe(true);
	expect(asked[0]?.path).toBe("/api/oauth2/token/revoke");
	void server?.stop(true);
	const other = play("github", () => new Response(null));
	expect(await revokeToken(other.source, "t", "access_token")).toBe(false);
});

test("every provider is https, and its names are unique", () => {
	const providers = listProviders();
	for (const { authorize, token } of providers)
		for (const url of [authorize, token]) expect(url).toStartWith("https://");
	expect(new Set(providers.map(({ name }) => name)).size).toBe(
		providers.length,
	);
	expect(providers.length).toBeGreaterThanOrEqual(18);
});

test("Microsoft is never told a resource, and hides that it checks PKCE", () => {
	expect(quirksOf("https://login.microsoftonline.com/common/v2.0")).toEqual({
		refusesResource: true,
		hidesPkce: true,
	});
	expect(quirksOf("https://login.microsoftonline.com.evil.example")).toEqual({
		refusesResource: false,
		hidesPkce: false,
	});
});

test("what a service says is shown short, on one line, and without what may be a token", () => {
	expect(quoted("no\n\u202egood")).toBe("no good");
	expect(quoted(`at https://x.example/cb?token=${"a".repeat(40)} now`)).toBe(
		"at … now",
	);
	expect(quoted("x ".repeat(500)).length).toBeLessThanOrEqual(200);
	expect(quoted({})).toBe("");
});
