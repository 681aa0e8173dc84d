/** Signing in with an OpenID provider: who gets in, who does not, and a provider that lies. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createEgress } from "../../src/egress.ts";
import { createProvider, type Provider } from "../../src/people/provider.ts";
import {
	type Authority,
	type Browser,
	csrfOf,
	OWNER,
	openAuthority,
	openBrowser,
	signIn,
} from "../oauth/authority.ts";
import {
	type FakeProvider,
	type Manner,
	startFakeProvider,
} from "../support/identity-provider.ts";

let authority: Authority;
let provider: Provider;
let fake: FakeProvider;
let owner: Browser;

beforeEach(async () => {
	authority = await openAuthority();
	fake = await startFakeProvider(authority.now);
	provider = createProvider({
		...authority.deps,
		egress: createEgress({ allowPrivate: ["127.0.0.0/8"] }),
	});
	await configure();
	owner = openBrowser(authority);
	await signIn(owner);
});
afterEach(async () => {
	authority.stop();
	await fake.stop();
});

function configure(
	changes: Partial<Parameters<Provider["configure"]>[0]> = {},
): Promise<void> {
	return provider.configure({
		issuer: fake.issuer,
		clientId: fake.clientId,
		clientSecret: fake.clientSecret,
		domains: ["example.org"],
		provisions: false,
		...changes,
	});
}

/** Goes to the provider from a page of ours and comes back; returns our answer. */
async function roundTrip(
	browser: Browser,
	path = "/login/provider?next=%2Fclients",
): Promise<Response> {
	const away = await browser.get(path);
	expect(away.headers.get("Location"), await away.clone().text()).toStartWith(
		`${fake.issuer}/authorize?`,
	);
	const back = await fake.visit(away.headers.get("Location") ?? "");
	expect(back.origin + back.pathname).toBe(
		"https://gw.example/login/provider/callback",
	);
	return browser.get(back.pathname + back.search);
}

async function linkOwner(): Promise<void> {
	const asked = await roundTrip(owner, "/account/link");
	const html = await asked.text();
	const offer = /name="offer" value="([^"]+)"/.exec(html)?.[1] ?? "";
	const done = await owner.post("/account/link", { csrf: csrfOf(html), offer });
	expect(done.headers.get("Location")).toBe("/account");
}

test("a linked account signs its person in, with state, nonce and PKCE", async () => {
	await linkOwner();
	const browser = openBrowser(authority);
	const html = await (await browser.get("/login?next=%2Fclients")).text();
	expect(html).toContain(`Sign in with ${new URL(fake.issuer).host}`);
	const back = await roundTrip(browser);
	expect(back.headers.get("Location")).toBe("/clients");
	const account = await (await browser.get("/account")).text();
	expect(account).toContain(OWNER.email);
	expect(account).toContain("by a linked account");
	const asked = fake.asked();
	expect(asked.get("scope")).toBe("openid email");
	for (const name of ["state", "nonce", "code_challenge"])
		expect(asked.get(name), name).toMatch(/^[\w-]{43}$/);
});

test("a link is made by whoever is signed in, on a page of ours, and told", async () => {
	const stale = await owner.get("/account/link");
	expect(stale.status).toBe(303);
	const asked = await roundTrip(owner, "/account/link");
	const html = await asked.text();
	expect(html).toContain(`Link your account at ${new URL(fake.issuer).host}`);
	expect(await (await owner.get("/account")).text()).toContain("Not linked");
	const offer = /name="offer" value="([^"]+)"/.exec(html)?.[1] ?? "";
	// Another person's page, and a form of another site.
	expect((await owner.post("/account/link", { offer })).status).toBe(403);
	authority.advance(600);
	const late = await owner.post("/account/link", { csrf: csrfOf(html), offer });
	expect(late.status).toBe(403);
	await linkOwner();
	const account = await (await owner.get("/account")).text();
	expect(account).toContain(`was linked with ${fake.issuer}`);
	await owner.post("/account/unlink", { csrf: csrfOf(account) });
	const refused = await roundTrip(openBrowser(authority));
	expect(refused.status).toBe(403);
});

test("an address that has an account here signs nobody in before it is linked", async () => {
	const browser = openBrowser(authority);
	const refused = await roundTrip(browser);
	expect(refused.status).toBe(403);
	expect(await refused.text()).toContain("link the two under Account");
	expect(browser.cookies.has("__Host-sp_login")).toBe(false);
});

test("someone new is refused, or becomes a member where that is switched on", async () => {
	fake.behave({ subject: "new", email: "New@Example.org" });
	expect((await roundTrip(openBrowser(authority))).status).toBe(403);
	await configure({ provisions: true });
	const browser = openBrowser(authority);
	expect((await roundTrip(browser)).headers.get("Location")).toBe("/clients");
	const account = await (await browser.get("/account")).text();
	expect(account).toContain("new@example.org, member here");
	expect((await browser.get("/users")).headers.get("Location")).toBeNull();
	// The second time it is the same person.
	expect((await roundTrip(openBrowser(authority))).status).toBe(303);
	expect(authority.db.query("SELECT count(*) AS n FROM users").get()).toEqual({
		n: 2,
	});
	authority.db.run("UPDATE users SET disabled_at = 1 WHERE role = 'member'");
	expect((await roundTrip(openBrowser(authority))).status).toBe(403);
});

test.each<[string, Partial<Manner>]>([
	["an address that is not verified", { isVerified: false }],
	["no address", { claims: { email: undefined } }],
	["an address of another domain", { email: "owner@evil.example" }],
	["an address of a domain below", { email: "owner@sub.example.org" }],
	["a verification in words", { claims: { email_verified: "true" } }],
])(
	"%s signs nobody in, becomes nobody and links nothing",
	async (_, manner) => {
		await configure({ provisions: true });
		fake.behave({ subject: "new", ...manner });
		expect((await roundTrip(openBrowser(authority))).status).toBe(403);
		expect((await roundTrip(owner, "/account/link")).status).toBe(403);
	},
);

test("an account of another address links nothing", async () => {
	fake.behave({ email: "other@example.org" });
	const refused = await roundTrip(owner, "/account/link");
	expect(refused.status).toBe(403);
	expect(await refused.text()).toContain("by another address");
});

test.each<[string, Partial<Manner>]>([
	["another nonce", { claims: { nonce: "x" } }],
	["no nonce", { claims: { nonce: undefined } }],
	["another issuer", { claims: { iss: "https://evil.example" } }],
	["another audience", { claims: { aud: "someone-else" } }],
	[
		"many audiences and another party",
		{ claims: { aud: ["sallyport", "x"], azp: "x" } },
	],
	["no signature", { algorithm: "none" }],
	["the signature of another key", { algorithm: "another key" }],
	[
		"an end in the past",
		{ claims: { exp: 1_799_999_000, iat: 1_799_998_000 } },
	],
	["no subject", { claims: { sub: undefined } }],
	["an answer in another's name", { answerIssuer: "https://evil.example" }],
])("an ID token with %s is refused", async (_, manner) => {
	await linkOwner();
	fake.behave(manner);
	const browser = openBrowser(authority);
	const refused = await roundTrip(browser);
	expect(refused.status).toBe(401);
	expect(browser.cookies.has("__Host-sp_login")).toBe(false);
	expect(await refused.text()).not.toContain("evil");
	// And the right one still signs in.
	fake.behave();
	expect((await roundTrip(openBrowser(authority))).status).toBe(303);
});

test("an answer counts once, in the browser that asked, for ten minutes", async () => {
	await linkOwner();
	const browser = openBrowser(authority);
	const away = async (): Promise<string> => {
		const sent = await browser.get("/login/provider");
		const back = await fake.visit(sent.headers.get("Location") ?? "");
		return back.pathname + back.search;
	};
	const path = await away();
	expect((await openBrowser(authority).get(path)).status).toBe(401);
	expect((await browser.get(path)).status).toBe(303);
	browser.cookies.delete("__Host-sp_login");
	expect((await browser.get(path)).status).toBe(401);
	const late = await away();
	authority.advance(600);
	expect((await browser.get(late)).status).toBe(401);
	for (const made of ["", "?code=x", "?code=x&state=y", "?error=access_denied"])
		expect((await browser.get(`/login/provider/callback${made}`)).status).toBe(
			401,
		);
});

test("an answer to a link is of the person who asked, whoever is signed in by then", async () => {
	const sent = await owner.get("/account/link");
	const back = await fake.visit(sent.headers.get("Location") ?? "");
	authority.db.run(
		"INSERT INTO users (id, email, role, created_at) VALUES ('usr_x', 'x@example.org', 'member', 1)",
	);
	authority.db.run("UPDATE logins SET user_id = 'usr_x'");
	expect((await owner.get(back.pathname + back.search)).status).toBe(401);
});

test("the second step is asked for after the provider too", async () => {
	await linkOwner();
	authority.db.run(
		"INSERT INTO totp SELECT id, x'00', 1, 1 FROM users WHERE role = 'owner'",
	);
	const browser = openBrowser(authority);
	const back = await roundTrip(browser);
	expect(back.headers.get("Location")).toStartWith("/login/second?");
	expect(browser.cookies.has("__Host-sp_login")).toBe(false);
});

test("the provider proves afresh who one is, if it says it asked just now", async () => {
	await linkOwner();
	authority.advance(900);
	const path = "/reauthenticate/provider?next=%2Faccount%2Fpassword";
	fake.behave({ claims: { auth_time: authority.now() - 3600 } });
	expect((await roundTrip(owner, path)).status).toBe(401);
	fake.behave({ claims: { auth_time: undefined } });
	expect((await roundTrip(owner, path)).status).toBe(401);
	fake.behave({ subject: "someone else" });
	expect((await roundTrip(owner, path)).status).toBe(403);
	expect((await owner.get("/account/password")).status).toBe(303);
	fake.behave();
	const proven = await roundTrip(owner, path);
	expect(proven.headers.get("Location")).toBe("/account/password");
	expect(fake.asked().get("prompt")).toBe("login");
	expect((await owner.get("/account/password")).status).toBe(200);
});

test("settings that do not go together are refused, and the secret is sealed", async () => {
	const wrong: readonly Partial<Parameters<Provider["configure"]>[0]>[] = [
		{ issuer: "http://id.example.org" },
		{ issuer: "https://u:p@id.example.org" },
		{ issuer: "javascript:alert(1)" },
		{ issuer: `${fake.issuer}?a=b` },
		{ domains: ["not a domain"] },
		{ domains: [], provisions: true },
		{ clientId: "" },
		{ clientSecret: "a b" },
	];
	for (const changes of wrong)
		expect(configure(changes), JSON.stringify(changes)).rejects.toMatchObject({
			code: "invalid",
		});
	expect(configure({ issuer: "http://127.0.0.1:1" })).rejects.toMatchObject({
		code: "upstream",
	});
	fake.behave({ saysIssuer: "https://evil.example" });
	expect(configure()).rejects.toMatchObject({ code: "upstream" });
	const rows = authority.db.query("SELECT * FROM identity_provider").values();
	const dump = rows
		.flat()
		.map((value) =>
			value instanceof Uint8Array
				? Buffer.from(value).toString("latin1")
				: String(value),
		);
	expect(dump.join("")).not.toContain(fake.clientSecret);
	// A provider on a private network is reached only where such are allowed.
	const strict = createProvider({
		...authority.deps,
		egress: createEgress({ allowPrivate: [] }),
	});
	expect(
		strict.begin({
			purpose: "sign in",
			next: "/",
			binding: "x",
			redirectUri: "https://gw.example/login/provider/callback",
		}),
	).rejects.toMatchObject({ code: "upstream" });
});

test("an administrator sets it on a page, which never shows the secret, and removes it there", async () => {
	const path = "/users/provider";
	const send = async (
		fields: Readonly<Record<string, string>>,
	): Promise<Response> => {
		const csrf = csrfOf(await (await owner.get(path)).text());
		return owner.post(path, { csrf, ...fields });
	};
	await send({ do: "remove" });
	expect(provider.find()).toBeNull();
	const fields = {
		do: "set",
		issuer: ` ${fake.issuer} `,
		client_id: fake.clientId,
		client_secret: fake.clientSecret,
		domains: "Example.org, example.com",
		provisions: "on",
	};
	for (const [changes, status] of [
		[{ domains: "" }, 400],
		[{ issuer: "http://id.example.org" }, 400],
		[{ issuer: "http://127.0.0.1:1" }, 502],
	] as const)
		expect((await send({ ...fields, ...changes })).status).toBe(status);
	expect(provider.find()).toBeNull();
	expect((await send(fields)).status).toBe(303);
	expect(provider.find()).toMatchObject({
		domains: ["example.org", "example.com"],
		provisions: true,
	});
	// Saved again without its secret, the same client keeps it; another has none.
	const { client_secret: _, ...again } = fields;
	expect((await send(again)).status).toBe(303);
	expect(provider.find()?.secretSealed).not.toBeNull();
	await send({ ...again, client_id: "other" });
	expect(provider.find()?.secretSealed).toBeNull();
	await send(fields);
	const html = await (await owner.get(path)).text();
	expect(html).toContain("https://gw.example/login/provider/callback");
	expect(html).not.toContain(fake.clientSecret);
	fake.behave({ subject: "new", email: "new@example.com" });
	const member = openBrowser(authority);
	expect((await roundTrip(member)).status).toBe(303);
	expect((await member.get(path)).status).toBe(404);
	authority.advance(900);
	expect((await owner.get(path)).headers.get("Location")).toStartWith(
		"/reauthenticate",
	);
});

test("without a provider there is no such way in", async () => {
	authority.db.run("DELETE FROM identity_provider");
	const browser = openBrowser(authority);
	expect(await (await browser.get("/login")).text()).not.toContain(
		"/login/provider",
	);
	expect((await browser.get("/login/provider")).status).toBe(404);
	expect(
		(await browser.get("/login/provider/callback?code=x&state=y")).status,
	).toBe(404);
});
