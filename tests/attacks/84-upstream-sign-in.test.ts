/**
 * Signing in to servers that want OAuth (research/oauth.md 5: 56, 84, 86, 89–91, 113, and connections of 116). The
 * services are ours, and as bad as each attack wants them.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
	type Browser,
	csrfOf,
	OWNER,
	openBrowser,
	signIn,
} from "../oauth/authority.ts";
import { answered, connectTo, leave } from "../support/connecting.ts";
import {
	type OAuthService,
	type OAuthServiceOptions,
	refusal,
	startOAuthService,
} from "../support/oauth-service.ts";
import { openTarget, type Target } from "./target.ts";

setDefaultTimeout(60_000);

const MEMBER = { email: "mallory@example.org", password: "a password of hers" };
const TOKEN_LIKE = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl";
const PROTECTED = "/.well-known/oauth-protected-resource/mcp";
const METADATA = "/.well-known/oauth-authorization-server";

let target: Target;
let browser: Browser;
const services: OAuthService[] = [];
let count = 0;

beforeAll(async () => {
	target = await openTarget();
	await target.gateway.addUser(MEMBER.email, MEMBER.password);
	browser = openBrowser(target);
	await signIn(browser, OWNER);
});

afterAll(async () => {
	await target?.stop();
	for (const service of services) service.stop();
});

/** A service behind the gateway. @param spoil what is wrong with it from the start */
async function put(
	options: OAuthServiceOptions = {},
	spoil: (service: OAuthService) => void = () => {},
): Promise<{ readonly slug: string; readonly service: OAuthService }> {
	const service = startOAuthService(options);
	services.push(service);
	spoil(service);
	const slug = `s${++count}`;
	await target.gateway.cli(["servers", "add", slug, "--url", service.url]);
	return { slug, service };
}

async function statusOf(slug: string): Promise<string | undefined> {
	const { connections } = JSON.parse(
		await target.gateway.cli(["connections", "list", "--json"]),
	) as { connections: { serverName: string; status: string }[] };
	return connections.find(({ serverName }) => serverName === slug)?.status;
}

test("56: nobody is sent to a service before they agreed, nor let back in who did not go out", async () => {
	const { slug, service } = await put();
	const page = await browser.get(`/connect/${slug}`);
	expect(page.status).toBe(200);
	expect(page.headers.get("Location")).toBeNull();
	const csrf = csrfOf(await page.text());
	expect(service.at("/register")).toHaveLength(0);
	// Another site's page cannot press the button.
	const pressed = await browser.post(
		`/connect/${slug}`,
		{ csrf, do: "sign-in" },
		{ "Sec-Fetch-Site": "cross-site", Origin: "https://evil.example" },
	);
	expect(pressed.status).toBe(403);
	const { onward } = await leave(browser, slug);
	const back = await answered(onward as URL);
	const nobody = await openBrowser(target).get(back);
	expect(nobody.status).toBe(403);
	// The attacker's own account, put into the victim's browser.
	const victim = openBrowser(target);
	await signIn(victim, MEMBER);
	const planted = await victim.get(back);
	expect(planted.status).toBe(403);
	expect(service.at("/token")).toHaveLength(0);
	expect((await browser.get(back)).status).toBe(200);
});

test.each([
	["resource metadata at the cloud's own address", "http://169.254.169.254/x"],
	["resource metadata in a private network", "https://10.9.9.9/x"],
	["resource metadata in clear", "http://93.184.215.14/x"],
	["resource metadata that is a file", "file:///etc/passwd"],
])("84: %s", async (_, url) => {
	const { slug, service } = await put({}, (bad) =>
		bad.on(
			"/mcp",
			() =>
				new Response(null, {
					status: 401,
					headers: { "www-authenticate": `Bearer resource_metadata="${url}"` },
				}),
		),
	);
	const { onward, page } = await leave(browser, slug);
	expect(onward).toBeNull();
	expect(page).not.toContain("Sign in at");
	expect(service.at("/authorize")).toHaveLength(0);
});

test.each([
	[
		"an internal authorization server",
		PROTECTED,
		"authorization_servers",
		["https://10.9.9.9"],
	],
	[
		"an authorization server in clear",
		PROTECTED,
		"authorization_servers",
		["http://93.184.215.14"],
	],
	[
		"an internal token endpoint",
		METADATA,
		"token_endpoint",
		"https://10.9.9.9/token",
	],
	[
		"a token endpoint in clear",
		METADATA,
		"token_endpoint",
		"http://93.184.215.14/token",
	],
	[
		"a script as the authorization endpoint",
		METADATA,
		"authorization_endpoint",
		"javascript:alert(1)",
	],
	[
		"an authorization endpoint in clear",
		METADATA,
		"authorization_endpoint",
		"http://93.184.215.14/authorize",
	],
	[
		"an internal authorization endpoint",
		METADATA,
		"authorization_endpoint",
		"https://10.9.9.9/authorize",
	],
	[
		"data as the authorization endpoint",
		METADATA,
		"authorization_endpoint",
		"data:text/html,x",
	],
] as const)("84: %s", async (_, path, member, value) => {
	const { slug, service } = await put({}, (bad) =>
		bad.on(path, () =>
			Response.json({
				resource: bad.url,
				authorization_servers: [bad.origin],
				issuer: bad.origin,
				authorization_endpoint: `${bad.origin}/authorize`,
				token_endpoint: `${bad.origin}/token`,
				code_challenge_methods_supported: ["S256"],
				registration_endpoint: `${bad.origin}/register`,
				[member]: value,
			}),
		),
	);
	const { onward } = await leave(browser, slug);
	expect(onward).toBeNull();
	expect(service.at("/token")).toHaveLength(0);
	expect(service.at("/register")).toHaveLength(0);
});

test.each([
	[
		"a page",
		() => new Response("<html>", { headers: { "content-type": "text/html" } }),
	],
	[
		"200 that says no",
		() => Response.json({ ok: false, error: "invalid_code" }),
	],
	["30 MB", () => new Response("x".repeat(30 * 1024 * 1024))],
	[
		"a token of another type",
		() => Response.json({ access_token: "t", token_type: "dpop" }),
	],
	[
		"a life below nothing",
		() =>
			Response.json({
				access_token: "t",
				token_type: "Bearer",
				expires_in: -5,
			}),
	],
	[
		"a life that is no number",
		() =>
			Response.json({
				access_token: "t",
				token_type: "Bearer",
				expires_in: "soon",
			}),
	],
	[
		"a token with a line break",
		() =>
			Response.json({ access_token: "t\r\nX-Evil: 1", token_type: "Bearer" }),
	],
	["a list", () => Response.json([])],
	["nothing", () => new Response(null, { status: 200 })],
	["500", () => new Response("oops", { status: 500 })],
] as const)("86: a token endpoint that answers %s", async (_, answer) => {
	const { slug, service } = await put();
	service.on("/token", answer);
	const { status, page } = await connectTo(browser, slug);
	expect(status).toBeGreaterThanOrEqual(400);
	expect(status).toBeLessThan(600);
	expect(page).not.toContain("internal error");
	expect(await statusOf(slug)).toBe("not_connected");
});

test.each([undefined, "3600", 3600, 99_999_999_999])(
	"86: a life of %p is a life",
	async (expiresIn) => {
		const { slug } = await put(expiresIn === undefined ? {} : { expiresIn });
		expect((await connectTo(browser, slug)).status).toBe(200);
		expect(await statusOf(slug)).toBe("connected");
	},
);

test("86: fewer scopes than were asked for are what was granted", async () => {
	const { slug, service } = await put({ scope: "read write" });
	service.on("/token", () =>
		Response.json({ access_token: "t1", token_type: "bearer", scope: "read" }),
	);
	expect((await connectTo(browser, slug)).status).toBe(200);
	const { connections } = JSON.parse(
		await target.gateway.cli(["connections", "list", "--json"]),
	) as { connections: { serverName: string; scope: string }[] };
	expect(connections.find(({ serverName }) => serverName === slug)?.scope).toBe(
		"read",
	);
});

test.each([
	[
		"no iss where it was promised",
		{ authorization_response_iss_parameter_supported: true },
		{},
	],
	[
		"another issuer's iss",
		{ authorization_response_iss_parameter_supported: true },
		{ iss: "https://evil.example" },
	],
	[
		"an iss that nobody promised, of another",
		{},
		{ iss: "https://evil.example" },
	],
	["an iss that differs by a slash", {}, { iss: "/" }],
] as const)("89: %s", async (_, metadata, extra) => {
	const { slug, service } = await put({
		metadata,
		answer: (origin) =>
			"iss" in extra && extra.iss === "/" ? { iss: `${origin}/` } : extra,
	});
	const { status, page } = await connectTo(browser, slug);
	expect(status).toBe(403);
	expect(page).not.toContain("evil.example");
	expect(service.at("/token")).toHaveLength(0);
});

test("89: an error under another issuer's name is not shown", async () => {
	const { slug } = await put();
	const { onward } = await leave(browser, slug);
	const state = onward?.searchParams.get("state") ?? "";
	const response = await browser.get(
		`/connect/${slug}/callback?${new URLSearchParams({ state, iss: "https://evil.example", error: "x", error_description: "call 0800 now" })}`,
	);
	expect(response.status).toBe(403);
	expect(await response.text()).not.toContain("0800");
});

test("89: a state of another connection, used twice, or made up", async () => {
	const one = await put();
	const other = await put();
	const first = await answered((await leave(browser, one.slug)).onward as URL);
	const crossed = first.replace(one.slug, other.slug);
	expect((await browser.get(crossed)).status).toBe(403);
	expect((await browser.get(first)).status).toBe(200);
	expect((await browser.get(first)).status).toBe(403);
	const invented = await browser.get(
		`/connect/${one.slug}/callback?code=c&state=${"A".repeat(43)}`,
	);
	expect(invented.status).toBe(403);
	expect(one.service.at("/token")).toHaveLength(1);
	expect(other.service.at("/token")).toHaveLength(0);
});

test("90: metadata whose issuer is another than the URL that led to it", async () => {
	for (const issuer of ["https://evil.example", "http://127.0.0.1:1"]) {
		const { slug } = await put({ metadata: { issuer } });
		const { onward, page } = await leave(browser, slug);
		expect(onward).toBeNull();
		expect(page).not.toContain("evil.example");
	}
});

test("91: one service's answer is of no use at another's callback", async () => {
	const honest = await put();
	const evil = await put();
	const honestUri = new URL(
		(await leave(browser, honest.slug)).onward as URL,
	).searchParams.get("redirect_uri");
	const { onward } = await leave(browser, evil.slug);
	expect(onward?.searchParams.get("redirect_uri")).not.toBe(honestUri);
	expect(onward?.searchParams.get("redirect_uri")).toEndWith(
		`/connect/${evil.slug}/callback`,
	);
	// The honest service's code, sent by the evil one to its own callback with its own state.
	const stolen = new URL(
		await answered((await leave(browser, honest.slug)).onward as URL),
		target.issuer,
	).searchParams.get("code");
	const state = onward?.searchParams.get("state") ?? "";
	await browser.get(
		`/connect/${honest.slug}/callback?${new URLSearchParams({ code: stolen ?? "", state })}`,
	);
	expect(evil.service.at("/token")).toHaveLength(0);
	expect(honest.service.at("/token")).toHaveLength(0);
});

test("113: an error of a service that holds a token shows it nowhere", async () => {
	const { slug, service } = await put();
	service.on("/token", () =>
		refusal(
			"invalid_grant",
			`token ${TOKEN_LIKE} at https://x/?t=${TOKEN_LIKE}`,
		),
	);
	const { page } = await connectTo(browser, slug);
	expect(page).toContain("invalid_grant");
	expect(page).not.toContain(TOKEN_LIKE);
	const state = (await leave(browser, slug)).onward?.searchParams.get("state");
	const refused = await browser.get(
		`/connect/${slug}/callback?${new URLSearchParams({ state: state ?? "", error: TOKEN_LIKE, error_description: `<b>${TOKEN_LIKE}</b>` })}`,
	);
	const shown = await refused.text();
	expect(shown).not.toContain(TOKEN_LIKE);
	expect(shown).not.toContain("<b>");
	for (const text of [
		target.gateway.logs(),
		await target.gateway.cli(["servers", "show", slug, "--json"]),
		await target.gateway.cli(["connections", "list", "--json"]),
		await (await browser.get(`/connect/${slug}`)).text(),
		await (await browser.get("/connections")).text(),
	])
		expect(text).not.toContain(TOKEN_LIKE);
});

test("116: a connection that is removed is gone here and at the service", async () => {
	const { slug, service } = await put({ refreshes: true });
	await connectTo(browser, slug);
	const [access] = service.tokens;
	const page = await (await browser.get("/connections")).text();
	const response = await browser.post("/connections", {
		csrf: csrfOf(page),
		disconnect: slug,
	});
	expect(response.status).toBe(303);
	expect(await statusOf(slug)).toBe("not_connected");
	const revoked = service.at("/revoke").map(({ form }) => form.get("token"));
	expect(revoked).toContain(access as string);
	expect(revoked.some((token) => token?.startsWith("refresh-"))).toBe(true);
});

test("116: a user or a server that is removed takes the connections along, at the services too", async () => {
	const { slug, service } = await put();
	const person = { email: "leaver@example.org", password: "a password of his" };
	await target.gateway.addUser(person.email, person.password);
	const theirs = openBrowser(target);
	await signIn(theirs, person);
	await connectTo(theirs, slug);
	await connectTo(browser, slug);
	const [first, second] = service.tokens;
	await target.gateway.cli(["users", "remove", person.email, "--yes"]);
	await target.gateway.cli(["servers", "remove", slug, "--yes"]);
	const revoked = service.at("/revoke").map(({ form }) => form.get("token"));
	expect(revoked).toContain(first as string);
	expect(revoked).toContain(second as string);
	expect((await browser.get(`/connect/${slug}`)).status).toBe(404);
});
