/**
 * The eight points that decide whether clients connect the first time, by their numbers (research/demands.md 2.1).
 * Whole clients are in `clients.test.ts` and `recorded-clients.test.ts`; these are the points one by one.
 */
import {
	afterAll,
	beforeAll,
	describe,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import { parseConfig } from "../../src/config.ts";
import {
	allow,
	authorizeQuery,
	type Browser,
	type Client,
	formOf,
	openBrowser,
	type Place,
	REDIRECT,
	redeem,
	refresh,
	register,
	signIn,
} from "../oauth/authority.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { fixtureCommand } from "../support/processes.ts";
import { openLegacySession, send, sendModern } from "../support/wire.ts";

setDefaultTimeout(30_000);

let gateway: Gateway;
let place: Place;
let browser: Browser;
let visitors = 0;

beforeAll(async () => {
	gateway = await startGateway({
		flags: ["--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "::1/128"],
	});
	const [command, ...args] = fixtureCommand("modern", "stdio");
	await gateway.cli([
		...["servers", "add", "a", "--command", command],
		...["--", ...args],
	]);
	place = {
		issuer: gateway.url,
		send: (path, init = {}) => {
			const headers = new Headers(init.headers);
			visitors++;
			headers.set("X-Forwarded-For", `10.4.${visitors >> 8}.${visitors & 255}`);
			return fetch(new URL(path, gateway.url), {
				...init,
				headers,
				redirect: "manual",
			});
		},
	};
	browser = openBrowser(place);
	await signIn(browser, gateway.owner);
});
afterAll(() => gateway?.stop());

async function codeFor(
	client: Client,
	changes: Readonly<Record<string, string | null>> = {},
): Promise<string> {
	const sent = await allow(place, authorizeQuery(client, changes), browser);
	return sent.searchParams.get("code") ?? "";
}

async function json(path: string): Promise<Record<string, unknown>> {
	const response = await place.send(path);
	expect(response.status, path).toBe(200);
	expect(response.headers.get("Content-Type"), path).toBe("application/json");
	return (await response.json()) as Record<string, unknown>;
}

describe("1: reached where clients look", () => {
	test("by itself it listens at 443 only, on every address of the machine, IPv4 too", () => {
		const { listen, tls } = parseConfig(["--public-url", "https://gw.example"]);
		expect(tls.mode).toBe("acme");
		expect(listen).toEqual([{ host: "::", port: 443 }]);
		const server = Bun.serve({
			hostname: "::",
			port: 0,
			fetch: () => new Response("both"),
		});
		return fetch(`http://127.0.0.1:${server.port}/`).then(async (answer) => {
			expect(await answer.text()).toBe("both");
			await server.stop(true);
		});
	});

	test("no endpoint redirects, whatever the method and the spelling", async () => {
		for (const path of ["/mcp", "/mcp/", "/mcp/a"])
			for (const method of ["GET", "HEAD", "POST", "DELETE", "OPTIONS"]) {
				const { status } = await place.send(path, { method });
				expect(status, `${method} ${path}`).toBe(
					method === "OPTIONS" ? 204 : 401,
				);
			}
		expect((await place.send("/", { method: "POST" })).status).toBe(401);
	});
});

test("2: the challenge leads to documents whose resource is what tokens are checked against", async () => {
	for (const path of ["/mcp", "/mcp/", "/mcp/a"]) {
		const { headers } = await place.send(path, { method: "POST" });
		const [, document = ""] =
			/^Bearer resource_metadata="([^"]+)"/.exec(
				headers.get("WWW-Authenticate") ?? "",
			) ?? [];
		expect(document).toBe(
			`${gateway.url}/.well-known/oauth-protected-resource${path}`,
		);
		const { resource } = await json(new URL(document).pathname);
		expect(resource).toBe(gateway.url + path);
		const client = await register(place);
		const code = await codeFor(client, { resource: String(resource) });
		const { access_token } = await redeem(place, client, code, {
			resource: String(resource),
		});
		const answer = await sendModern(
			gateway.url + path,
			access_token,
			"tools/list",
		);
		expect(answer.status, path).toBe(200);
	}
	const atRoot = await json("/.well-known/oauth-protected-resource");
	expect(atRoot["resource"]).toBe(`${gateway.url}/mcp`);
});

test("3: the server's metadata, at both of its places at the root", async () => {
	for (const name of ["oauth-authorization-server", "openid-configuration"])
		expect(await json(`/.well-known/${name}`), name).toMatchObject({
			issuer: gateway.url,
			authorization_endpoint: `${gateway.url}/authorize`,
			token_endpoint: `${gateway.url}/token`,
			registration_endpoint: `${gateway.url}/register`,
			code_challenge_methods_supported: ["S256"],
			client_id_metadata_document_supported: true,
			authorization_response_iss_parameter_supported: true,
		});
	const client = await register(place);
	const sent = await allow(place, authorizeQuery(client), browser);
	expect(sent.searchParams.get("iss")).toBe(gateway.url);
});

describe("4: callbacks that are accepted without an administrator", () => {
	const CALLBACKS = [
		"https://claude.ai/api/mcp/auth_callback",
		"https://claude.com/api/mcp/auth_callback",
		"https://chatgpt.com/connector_platform_oauth_redirect",
		"https://chatgpt.com/connector/oauth/vG3-MLZWUV83",
		"cursor://anysphere.cursor-mcp/oauth/callback",
		"https://www.cursor.com/agents/mcp/oauth/callback",
		"http://localhost:8787/callback",
		"https://vscode.dev/redirect",
		"https://insiders.vscode.dev/redirect",
		"http://127.0.0.1:33418/",
		"http://[::1]:1234/cb",
	];
	for (const callback of CALLBACKS)
		test(callback, async () => {
			const client = await register(place, { redirect_uris: [callback] });
			const query = authorizeQuery(client, { redirect_uri: callback });
			const sent = await allow(place, query, browser);
			expect(sent.href.startsWith(`${callback}?code=`)).toBe(true);
		});

	test("any port of this computer, whichever was registered", async () => {
		for (const [registered, used] of [
			["http://localhost/callback", "http://localhost:58135/callback"],
			["http://127.0.0.1:1/callback", "http://127.0.0.1:2/callback"],
			["http://[::1]:1/callback", "http://[::1]:65535/callback"],
		] as const) {
			const client = await register(place, { redirect_uris: [registered] });
			const query = authorizeQuery(client, { redirect_uri: used });
			expect((await allow(place, query, browser)).href).toStartWith(used);
		}
	});
});

describe("5: all kinds of clients", () => {
	test("a public one without a secret, without a state, registered twice", async () => {
		const [first, second] = [await register(place), await register(place)];
		expect(first.client_secret).toBeUndefined();
		expect(first.client_id).not.toBe(second.client_id);
		for (const client of [first, second]) {
			const sent = await allow(
				place,
				authorizeQuery(client, { state: null }),
				browser,
			);
			expect(sent.searchParams.has("state")).toBe(false);
			const code = sent.searchParams.get("code") ?? "";
			expect((await redeem(place, client, code)).status).toBe(200);
		}
	});

	test("a confidential one that an administrator made", async () => {
		const made = JSON.parse(
			await gateway.cli([
				...["clients", "add", "static", "--secret", "--json"],
				...["--redirect-uri", REDIRECT],
			]),
		) as { id: string; secret: string };
		const code = await codeFor({ client_id: made.id });
		const refused = await redeem(place, { client_id: made.id }, code);
		expect(refused.status).toBe(401);
		const { status } = await redeem(place, { client_id: made.id }, code, {
			client_secret: made.secret,
		});
		expect(status).toBe(200);
	});

	test("the token endpoint answers JSON and fast, mistakes included", async () => {
		const started = performance.now();
		const mistakes: readonly RequestInit[] = [
			{ method: "GET" },
			{ method: "POST" },
			{
				method: "POST",
				body: "{}",
				headers: { "Content-Type": "application/json" },
			},
			{ method: "POST", body: new URLSearchParams({ grant_type: "password" }) },
			{
				method: "POST",
				body: new URLSearchParams({
					grant_type: "authorization_code",
					code: "x",
				}),
			},
		];
		for (const mistake of mistakes) {
			const response = await place.send("/token", mistake);
			expect(response.status).toBeGreaterThanOrEqual(400);
			expect(response.headers.get("Content-Type")).toBe("application/json");
			expect(await response.json()).toHaveProperty("error");
		}
		expect(performance.now() - started).toBeLessThan(10_000);
	});
});

describe("6: refreshing", () => {
	test("a lost answer, many at once, and a restart in between", async () => {
		const client = await register(place);
		const first = await redeem(place, client, await codeFor(client));
		const lost = await refresh(place, client, first.refresh_token);
		const again = await refresh(place, client, first.refresh_token);
		expect(again.refresh_token).toBe(lost.refresh_token);
		const many = await Promise.all(
			Array.from({ length: 10 }, () =>
				refresh(place, client, lost.refresh_token),
			),
		);
		expect(new Set(many.map((answer) => answer.refresh_token)).size).toBe(1);
		expect(many.every(({ status }) => status === 200)).toBe(true);
		await gateway.restart();
		const after = await refresh(place, client, many[0]?.refresh_token ?? "");
		expect(after.status).toBe(200);
		const answer = await sendModern(
			gateway.endpoint(),
			after.access_token,
			"tools/list",
		);
		expect(answer.status).toBe(200);
	});
});

describe("7: sessions and addresses", () => {
	test("a session outlives a restart; one that never was is 404, so that clients begin anew", async () => {
		const client = await register(place);
		const { access_token } = await redeem(place, client, await codeFor(client));
		const session = await openLegacySession(gateway.endpoint(), access_token);
		await gateway.restart();
		const known = await openLegacySession(
			gateway.endpoint(),
			access_token,
			session.id,
		);
		expect((await known.request("tools/list")).status).toBe(200);
		const unknown = await openLegacySession(
			gateway.endpoint(),
			access_token,
			`${session.id.slice(0, -1)}${session.id.endsWith("A") ? "B" : "A"}`,
		);
		expect((await unknown.request("tools/list")).status).toBe(404);
	});

	test("MCP answers at /, /mcp and /mcp/", async () => {
		const client = await register(place);
		const { access_token } = await redeem(place, client, await codeFor(client));
		for (const path of ["/", "/mcp", "/mcp/"]) {
			const answer = await sendModern(
				gateway.url + path,
				access_token,
				"tools/list",
			);
			expect(answer.status, path).toBe(200);
		}
		const page = await place.send("/");
		expect(page.status).toBe(303);
	});

	test("the stream of a session is open at once, before there is anything to say", async () => {
		const client = await register(place);
		const { access_token } = await redeem(place, client, await codeFor(client));
		for (const revision of ["2025-06-18", "2025-11-25"]) {
			const opened = await send(
				gateway.endpoint(),
				access_token,
				JSON.stringify({
					jsonrpc: "2.0",
					id: 1,
					method: "initialize",
					params: {
						protocolVersion: revision,
						capabilities: {},
						clientInfo: { name: "t", version: "1" },
					},
				}),
			);
			const abort = new AbortController();
			const started = performance.now();
			const stream = await fetch(gateway.endpoint(), {
				signal: abort.signal,
				headers: {
					Authorization: `Bearer ${access_token}`,
					Accept: "text/event-stream",
					"Mcp-Session-Id": opened.headers.get("Mcp-Session-Id") ?? "",
					"MCP-Protocol-Version": revision,
				},
			});
			expect(stream.status).toBe(200);
			expect(performance.now() - started, revision).toBeLessThan(5000);
			abort.abort();
		}
	});
});

test("8: the browser is redirected to a port or an app, and shown no page in between", async () => {
	for (const callback of [
		"http://localhost:8787/callback",
		"cursor://anysphere.cursor-mcp/oauth/callback",
	]) {
		const client = await register(place, { redirect_uris: [callback] });
		const query = authorizeQuery(client, { redirect_uri: callback });
		const page = await browser.get(`/authorize${query}`);
		const answer = await browser.post(`/authorize${query}`, {
			...formOf(await page.text()),
			decision: "allow",
		});
		expect([302, 303]).toContain(answer.status);
		expect(answer.headers.get("Location")).toStartWith(`${callback}?code=`);
		expect(await answer.text()).toBe("");
	}
});
