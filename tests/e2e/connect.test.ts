/**
 * A person connects to a server: shown the page by whichever means their client has, on it, and afterwards. The clients
 * are requests written by hand; the SDKs go the same ways in `tests/conformance/client.test.ts`.
 *
 * @see architecture.md 5, J3 and J4; specification 2026-07-28, client/elicitation ("URL Mode")
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { META } from "../../src/protocol.ts";
import { sha256 } from "../fixtures/repertoire.ts";
import {
	type Browser,
	csrfOf,
	openBrowser,
	signIn,
} from "../oauth/authority.ts";
import { connectTo, leave } from "../support/connecting.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	type OAuthService,
	startOAuthService,
} from "../support/oauth-service.ts";
import { fixtureCommand } from "../support/processes.ts";
import {
	openLegacySession,
	type RpcMessage,
	sendModern,
	type WireAnswer,
} from "../support/wire.ts";

setDefaultTimeout(60_000);

const MEMBER = { email: "ada@example.org", password: "a password of a member" };

let gateway: Gateway;
let browser: Browser;
let key: string;
const services: OAuthService[] = [];

beforeAll(async () => {
	gateway = await startGateway();
	await gateway.addUser(MEMBER.email, MEMBER.password);
	const { url } = gateway;
	browser = openBrowser({
		issuer: url,
		send: (path, init = {}) =>
			fetch(new URL(path, url), { ...init, redirect: "manual" }),
	});
	await signIn(browser, gateway.owner);
	key = String(
		JSON.parse(await gateway.cli(["keys", "create", "wire", "--json"])).key,
	);
}, 60_000);

afterAll(async () => {
	await gateway?.stop();
	for (const service of services) service.stop();
});

async function put(
	slug: string,
	options: Parameters<typeof startOAuthService>[0] = {},
): Promise<OAuthService> {
	const service = startOAuthService(options);
	services.push(service);
	await gateway.cli(["servers", "add", slug, "--url", service.url]);
	return service;
}

function call(
	slug: string,
	name: string,
	more: Record<string, unknown> = {},
	elicitation: Record<string, unknown> | null = null,
): Promise<WireAnswer> {
	return sendModern(gateway.endpoint(slug), key, "tools/call", {
		name,
		arguments: {},
		...more,
		_meta: { [META.clientCapabilities]: elicitation ? { elicitation } : {} },
	});
}

function textOf(answer: WireAnswer): string {
	const result = answer.last?.result as
		| { content?: readonly { text?: string }[] }
		| undefined;
	return result?.content?.[0]?.text ?? "";
}

test("a client that cannot be asked gets the link, in the error and in the instructions", async () => {
	await put("plain");
	const link = `${gateway.url}/connect/plain`;
	const answer = await call("plain", "whose");
	expect(answer.last?.result).toMatchObject({ isError: true });
	expect(textOf(answer)).toBe(
		`plain needs you to sign in there first: open ${link} and try again`,
	);
	const discovered = await sendModern(
		gateway.endpoint(),
		key,
		"server/discover",
	);
	expect(String(discovered.last?.result?.["instructions"])).toContain(link);
	const formOnly = await call("plain", "whose", {}, { form: {} });
	expect(textOf(formOnly)).toContain(link);
});

test("a modern client is asked to show the page, and its call goes on when its person is back", async () => {
	await put("modern");
	const asked = await call("modern", "whose", {}, { url: {} });
	const { resultType, inputRequests, requestState } = (asked.last?.result ??
		{}) as {
		resultType: string;
		inputRequests: Record<string, unknown>;
		requestState: string;
	};
	expect(resultType).toBe("input_required");
	expect(Object.values(inputRequests)).toEqual([
		{
			method: "elicitation/create",
			params: {
				mode: "url",
				url: `${gateway.url}/connect/modern`,
				message: "modern needs you to sign in there first",
			},
		},
	]);
	const [name = ""] = Object.keys(inputRequests);
	const again = call(
		"modern",
		"whose",
		{ requestState, inputResponses: { [name]: { action: "accept" } } },
		{ url: {} },
	);
	expect((await connectTo(browser, "modern")).status).toBe(200);
	expect(textOf(await again)).toStartWith("access-");
});

test("a person who declines is not asked again, and a state of another call opens nothing", async () => {
	await put("declined");
	const asked = await call("declined", "whose", {}, { url: {} });
	const { inputRequests, requestState } = (asked.last?.result ?? {}) as {
		inputRequests: Record<string, unknown>;
		requestState: string;
	};
	const [name = ""] = Object.keys(inputRequests);
	const declined = await call(
		"declined",
		"whose",
		{ requestState, inputResponses: { [name]: { action: "decline" } } },
		{ url: {} },
	);
	expect(declined.last?.result).toMatchObject({ isError: true });
	const other = await call(
		"declined",
		"another",
		{ requestState, inputResponses: { [name]: { action: "accept" } } },
		{ url: {} },
	);
	expect(other.last?.result?.["resultType"]).toBe("input_required");
});

test("a legacy client that can show pages is asked on the call's own stream", async () => {
	await put("legacy");
	const endpoint = gateway.endpoint("legacy");
	const session = await openLegacySession(endpoint, key, undefined, {
		elicitation: { url: {} },
	});
	const stream = await session.open("tools/call", {
		name: "whose",
		arguments: {},
	});
	const question = (await stream.next()) as RpcMessage;
	expect(question.method).toBe("elicitation/create");
	expect(question.params).toMatchObject({
		mode: "url",
		url: `${gateway.url}/connect/legacy`,
	});
	expect(typeof question.params?.["elicitationId"]).toBe("string");
	await connectTo(browser, "legacy");
	await session.answer(question, { action: "accept" });
	const rest = [await stream.next(), await stream.next()];
	expect(rest.map((message) => message?.method)).toContain(
		"notifications/elicitation/complete",
	);
	expect(JSON.stringify(rest)).toMatch(/"text":"access-/);
	stream.close();
});

test("a secret of one's own that is missing is given on the same page, and never shown again", async () => {
	const [command, ...args] = fixtureCommand("env", "stdio");
	await gateway.cli([
		...["servers", "add", "mine", "--command", command],
		...["--slot", "TOKEN=env:TOKEN,personal", "--", ...args],
	]);
	const missing = await call("mine", "environment");
	expect(textOf(missing)).toContain(`${gateway.url}/connect/mine`);
	const page = await (await browser.get("/connect/mine")).text();
	expect(page).toContain('type="password"');
	const canary = "canary-of-the-connect-page-1234";
	const saved = await browser.post("/connect/mine", {
		csrf: csrfOf(page),
		do: "secrets",
		"secret:TOKEN": canary,
	});
	expect(saved.status).toBe(303);
	expect(textOf(await call("mine", "environment"))).toContain(sha256(canary));
	for (const path of ["/connect/mine", "/connections"])
		expect(await (await browser.get(path)).text()).not.toContain(canary);
	expect(
		await gateway.cli(["secrets", "list", "mine", "--json"]),
	).not.toContain(canary);
});

test("a program's personal slot is filled by signing in at a provider of the table", async () => {
	const service = startOAuthService({});
	services.push(service);
	service.on("/login/oauth/authorize", ({ query }) => {
		const back = new URL(query.get("redirect_uri") ?? "");
		back.searchParams.set("code", "gh");
		back.searchParams.set("state", query.get("state") ?? "");
		return Response.redirect(back.href, 302);
	});
	service.on("/login/oauth/access_token", () =>
		Response.json({
			access_token: "gho_filled",
			scope: "repo",
			token_type: "bearer",
		}),
	);
	service.on("/user", () => Response.json({ login: "ada" }));
	const [command, ...args] = fixtureCommand("env", "stdio");
	await gateway.cli([
		...["servers", "add", "gh", "--command", command],
		...["--slot", "GITHUB_TOKEN=env:GITHUB_TOKEN,personal", "--", ...args],
	]);
	await gateway.cli(
		[
			...["connections", "add", "gh", "--provider", "github"],
			...["--issuer", service.origin, "--client-id", "Iv1.x"],
			...["--client-secret-file", "-", "--slot", "GITHUB_TOKEN"],
			...["--scope", "repo read:org"],
		],
		"a secret of the gateway",
	);
	const { page } = await connectTo(browser, "gh");
	expect(page).toContain("is connected");
	const [authorized] = service.at("/login/oauth/authorize");
	expect(authorized?.query.get("scope")).toBe("repo read:org");
	expect(authorized?.query.get("prompt")).toBe("select_account");
	expect(textOf(await call("gh", "environment"))).toContain(
		sha256("gho_filled"),
	);
	const listed = await gateway.cli(["connections", "list", "--json"]);
	expect(listed).toContain('"account":"ada"');
	expect(listed).not.toContain("gho_filled");
	// Another account in silence: refused, and the first one stays.
	service.on("/user", () => Response.json({ login: "mallory" }));
	const other = await connectTo(browser, "gh");
	expect(other.status).toBe(409);
	expect(textOf(await call("gh", "environment"))).toContain(
		sha256("gho_filled"),
	);
});

test("where nobody may register, the page says what to register, and an administrator gives it there", async () => {
	const service = await put("closed", {
		metadata: {
			registration_endpoint: undefined,
			token_endpoint_auth_methods_supported: ["client_secret_basic"],
		},
	});
	const member = openBrowser({
		issuer: gateway.url,
		send: (path, init = {}) =>
			fetch(new URL(path, gateway.url), { ...init, redirect: "manual" }),
	});
	await signIn(member, MEMBER);
	const seen = await (await member.get("/connect/closed")).text();
	expect(seen).toContain(`${gateway.url}/connect/closed/callback`);
	expect(seen).not.toContain("client-secret");
	const page = await (await browser.get("/connect/closed")).text();
	const saved = await browser.post("/connect/closed", {
		csrf: csrfOf(page),
		do: "client",
		"client-id": "by-hand",
		"client-secret": "of the gateway",
	});
	expect(saved.status).toBe(303);
	const refused = await member.post("/connect/closed", {
		csrf: csrfOf(seen),
		do: "client",
		"client-id": "mine",
	});
	expect(refused.status).toBe(403);
	expect((await connectTo(member, "closed")).status).toBe(200);
	const sent = service.at("/token")[0]?.headers.get("authorization") ?? "";
	expect(Buffer.from(sent.replace("Basic ", ""), "base64").toString()).toBe(
		"by-hand:of%20the%20gateway",
	);
});

test("the command line lists, renews and ends connections, and says who must sign in", async () => {
	const service = await put("cli", { expiresIn: 1000, refreshes: true });
	expect(await gateway.cli(["servers", "show", "cli"])).toContain(
		"needs_sign_in",
	);
	const added = await gateway.cli(["connections", "add", "cli"]);
	expect(added).toContain(`${gateway.url}/connect/cli`);
	await connectTo(browser, "cli");
	expect(await gateway.cli(["connections", "list"])).toMatch(
		/^cli +\S+ +connected/m,
	);
	await gateway.cli(["connections", "refresh", "cli"]);
	expect(
		service.at("/token").map(({ form }) => form.get("grant_type")),
	).toEqual(["authorization_code", "refresh_token"]);
	await gateway.cli(["connections", "remove", "cli", "--yes"]);
	expect(service.at("/revoke").length).toBeGreaterThan(0);
	const refused = await gateway.tryCli(["connections", "refresh", "cli"]);
	expect(refused.code).toBe(3);
});

test("the client document names its own URL and every callback", async () => {
	const response = await fetch(`${gateway.url}/oauth/client-metadata.json`);
	const document = (await response.json()) as Record<string, unknown>;
	expect(document).toMatchObject({
		client_id: `${gateway.url}/oauth/client-metadata.json`,
		token_endpoint_auth_method: "none",
		grant_types: ["authorization_code", "refresh_token"],
	});
	expect(document["redirect_uris"]).toContain(
		`${gateway.url}/connect/plain/callback`,
	);
});

test("a service that does not say it checks PKCE is not signed in to", async () => {
	await put("unsafe", {
		metadata: { code_challenge_methods_supported: undefined },
	});
	const { onward, page } = await leave(browser, "unsafe");
	expect(onward).toBeNull();
	expect(page).toContain("PKCE");
});

test("connections outlive a restart", async () => {
	await put("lasting");
	await connectTo(browser, "lasting");
	const before = textOf(await call("lasting", "whose"));
	await gateway.restart();
	expect(textOf(await call("lasting", "whose"))).toBe(before);
});
