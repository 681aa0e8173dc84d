/** The decision of a person. Numbers are rows of the attack list (research/oauth.md 5 E). */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	type Authority,
	authorizeQuery,
	type Browser,
	type Client,
	csrfOf,
	formOf,
	openAuthority,
	openBrowser,
	REDIRECT,
	redeem,
	register,
	signIn,
} from "../oauth/authority.ts";

let authority: Authority;
let client: Client;
let browser: Browser;
let query: string;

beforeEach(async () => {
	authority = await openAuthority();
	client = await register(authority);
	query = authorizeQuery(client);
	browser = openBrowser(authority);
	await signIn(browser);
});
afterEach(() => authority.stop());

async function page(from = browser, search = query): Promise<string> {
	const response = await from.get(`/authorize${search}`);
	expect(response.status).toBe(200);
	return response.text();
}

function grants(): number {
	return authority.db.query("SELECT 1 FROM grants").all().length;
}

test("each server says how many tools it has and names those that may change things, as far as it was asked", async () => {
	const html = await page();
	expect(html).toContain("3 tools, 2 of which may change things");
	expect(html).toContain("<bdi>write_file</bdi>");
	expect(html).toContain("<bdi>Delete &lt;all></bdi>");
	expect(html).toContain("It was not asked for its tools yet.");
});

test("at a toolset's endpoint the page names it and its servers, and its own scope is granted", async () => {
	const search = authorizeQuery(client, {
		resource: `${authority.issuer}/mcp/reading`,
		scope: "mcp mcp:files",
	});
	const html = await page(browser, search);
	expect(html).toContain("the toolset <strong>reading</strong>");
	expect(html).toContain("(Only &lt;reading>)");
	expect(html).toContain("2 tools");
	expect(html).toContain("every tool");
	expect(html).not.toContain('type="checkbox"');
	await browser.post(`/authorize${search}`, {
		decision: "allow",
		csrf: csrfOf(html),
	});
	expect(
		authority.db.query("SELECT resource, scope FROM grants").all(),
	).toEqual([
		{ resource: `${authority.issuer}/mcp/reading`, scope: "mcp:reading" },
	]);
});

// 49
test("a decision needs the token of this page, this login and this request, once", async () => {
	const csrf = csrfOf(await page());
	const other = openBrowser(authority);
	await signIn(other);
	const elsewhere = authorizeQuery(client, { state: "another" });
	for (const [who, path, fields] of [
		[browser, query, { decision: "allow" }],
		[browser, query, { decision: "allow", csrf: "" }],
		[browser, query, { decision: "allow", csrf: `${csrf}x` }],
		[browser, query, { decision: "allow", csrf: csrfOf(await page(other)) }],
		[browser, elsewhere, { decision: "allow", csrf }],
		[other, query, { decision: "allow", csrf }],
		[openBrowser(authority), query, { decision: "allow", csrf }],
	] as const) {
		const response = await who.post(`/authorize${path}`, fields);
		expect(response.status).toBe(403);
		expect(response.headers.get("Location")).toBeNull();
	}
	expect(grants()).toBe(0);
	const allowed = await browser.post(`/authorize${query}`, {
		decision: "allow",
		later: "on",
		"server:files": "on",
		csrf,
	});
	expect(allowed.status).toBe(303);
	const again = await browser.post(`/authorize${query}`, {
		decision: "allow",
		"server:files": "on",
		csrf,
	});
	expect(again.status).toBe(403);
	expect(grants()).toBe(1);
});

test("a page that was open for more than an hour decides nothing", async () => {
	const csrf = csrfOf(await page());
	authority.advance(3601);
	const late = await browser.post(`/authorize${query}`, {
		decision: "allow",
		csrf,
	});
	expect(late.status).toBe(403);
});

// 50
test("a decision that another site sends is refused", async () => {
	const csrf = csrfOf(await page());
	for (const headers of [
		{ "Sec-Fetch-Site": "cross-site", Origin: "https://evil.example" },
		{ "Sec-Fetch-Site": "same-site", Origin: "https://other.gw.example" },
		{ "Sec-Fetch-Site": "cross-site", Origin: "null" },
		{ "Sec-Fetch-Site": "none" },
		{ Origin: "https://evil.example" },
		{ Origin: "null" },
		{ Origin: "http://gw.example" },
	]) {
		const response = await browser.post(
			`/authorize${query}`,
			{ decision: "allow", csrf },
			headers as Record<string, string>,
		);
		expect(response.status, JSON.stringify(headers)).toBe(403);
	}
	expect(grants()).toBe(0);
});

test("neither allow nor deny is no decision", async () => {
	const csrf = csrfOf(await page());
	const response = await browser.post(`/authorize${query}`, {
		decision: "yes",
		csrf,
	});
	expect(response.status).toBe(400);
	expect(grants()).toBe(0);
});

// 51, 27, 69
test("pages cannot be framed, stored, scripted, or followed by a referrer", async () => {
	for (const path of [
		`/authorize${query}`,
		"/authorize?client_id=unknown",
		"/login",
		"/setup/address",
		"/",
	]) {
		const stranger = path === "/login" ? openBrowser(authority) : browser;
		const { headers } = await stranger.get(path);
		const policy = headers.get("Content-Security-Policy") ?? "";
		for (const directive of [
			"default-src 'none'",
			"frame-ancestors 'none'",
			"base-uri 'none'",
			"form-action 'self'",
		])
			expect(policy, path).toContain(directive);
		expect(policy).not.toContain("unsafe");
		// A page may run one script of ours, for passkeys; the page that asks for consent runs none.
		expect(policy.includes("script-src"), path).toBe(path === "/login");
		expect(policy).not.toMatch(/script-src (?!'self';)/);
		expect(headers.get("X-Frame-Options")).toBe("DENY");
		expect(headers.get("Referrer-Policy")).toBe("no-referrer");
		expect(headers.get("Cache-Control")).toBe("no-store");
		expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
	}
});

test("the page lets its form's answer go to the client and no other plain host", async () => {
	const { headers } = await browser.get(`/authorize${query}`);
	expect(headers.get("Content-Security-Policy")).toContain(
		"form-action 'self' https: http://localhost:8787;",
	);
});

// 53
test("what a client calls itself is shown as text, on one line, and short", async () => {
	const named = await register(authority, {
		client_name: `<script>alert(1)</script>\u202eedualC\u200b\n\u0007 ${"x".repeat(10_000)}`,
	});
	const html = await page(browser, authorizeQuery(named));
	expect(html).not.toContain("<script>");
	expect(html).toContain("&lt;script>alert(1)&lt;/script>edualC ");
	for (const invisible of ["\u202e", "\u200b", "\u0007"])
		expect(html).not.toContain(invisible);
	expect(html).not.toContain("x".repeat(64));
});

// 53
test("the page says where the answer goes before what the client calls itself, and warns", async () => {
	const posing = await register(authority, { client_name: "Claude" });
	const html = await page(browser, authorizeQuery(posing));
	expect(html).toContain("<h1>A program on this computer asks for access</h1>");
	expect(html).toContain("Look twice");
	expect(html.indexOf("<h1>")).toBeLessThan(html.indexOf("Claude"));
	const callback = "https://claude.ai/api/mcp/auth_callback";
	const known = await register(authority, { redirect_uris: [callback] });
	const plain = await page(
		browser,
		authorizeQuery(known, { redirect_uri: callback }),
	);
	expect(plain).toContain("<h1>claude.ai asks for access</h1>");
	expect(plain).not.toContain('role="status"');
});

test("the page lists the servers that it opens and no others", async () => {
	expect(Object.keys(formOf(await page()))).toEqual([
		"csrf",
		"server:files",
		"server:memory",
		"later",
	]);
	const one = await page(
		browser,
		authorizeQuery(client, { resource: "https://gw.example/mcp/memory" }),
	);
	expect(one).toContain(">memory<");
	expect(one).not.toContain(">files<");
});

// decision 33: a toolset's scope means nothing at `/mcp`, and what means nothing is dropped
test("at /mcp a toolset's scope is as if it were not asked for", async () => {
	for (const [asked, boxes] of [
		["mcp:reading", ["server:files", "server:memory", "later"]],
		["mcp:reading mcp:memory", ["server:memory"]],
	] as const) {
		const search = authorizeQuery(client, { scope: asked });
		const html = await page(browser, search);
		expect(Object.keys(formOf(html)), asked).toEqual(["csrf", ...boxes]);
	}
});

test("where none of the servers asked for is the person's to use, the page says so", async () => {
	const search = authorizeQuery(client, { scope: "mcp:closed" });
	const html = await page(browser, search);
	expect(html).toContain("It asks for servers that you may not use");
	expect(html).not.toContain('type="checkbox"');
});

describe("what is granted is what is ticked", () => {
	const both = { "server:files": "on", "server:memory": "on" };
	for (const [what, asked, ticked, granted] of [
		[
			"every box: all, and what is added later",
			null,
			{ ...both, later: "on" },
			"mcp",
		],
		["every server but not later ones", null, both, "mcp:files mcp:memory"],
		["one server", null, { "server:memory": "on" }, "mcp:memory"],
		[
			"later ones with one server left out: only what is ticked",
			null,
			{ "server:memory": "on", later: "on" },
			"mcp:memory",
		],
		[
			"more than was asked for: only what was asked for",
			"mcp:memory",
			{ ...both, later: "on" },
			"mcp:memory",
		],
	] as const)
		test(what, async () => {
			const search = authorizeQuery(client, { scope: asked });
			const csrf = csrfOf(await page(browser, search));
			const sent = await browser.post(`/authorize${search}`, {
				decision: "allow",
				csrf,
				...ticked,
			});
			const code =
				new URL(sent.headers.get("Location") ?? "").searchParams.get("code") ??
				"";
			expect((await redeem(authority, client, code)).scope).toBe(granted);
		});

	test("nothing, and then it is asked again and nothing is granted", async () => {
		const csrf = csrfOf(await page());
		const sent = await browser.post(`/authorize${query}`, {
			decision: "allow",
			csrf,
		});
		expect(sent.status).toBe(422);
		const html = await sent.text();
		expect(html).toContain("Nothing is ticked");
		expect(grants()).toBe(0);
		const again = await browser.post(`/authorize${query}`, {
			decision: "allow",
			...formOf(html),
		});
		expect(again.status).toBe(303);
	});

	test("what does not exist cannot be ticked", async () => {
		const csrf = csrfOf(await page());
		const sent = await browser.post(`/authorize${query}`, {
			decision: "allow",
			"server:secret": "on",
			"server:": "on",
			csrf,
		});
		expect(sent.status).toBe(422);
	});
});

// 104
test("a state with line breaks cannot add a header", async () => {
	const search = authorizeQuery(client, { state: "x\r\nSet-Cookie: a=b" });
	const form = formOf(await page(browser, search));
	const sent = await browser.post(`/authorize${search}`, {
		decision: "allow",
		...form,
	});
	const location = sent.headers.get("Location") ?? "";
	expect(location).toStartWith(`${REDIRECT}?code=sp_ac_`);
	expect(location).toContain("&state=x%0D%0ASet-Cookie%3A+a%3Db&iss=");
	expect(sent.headers.getSetCookie()).toEqual([]);
});

test("a client that was forgotten between question and answer gets no grant", async () => {
	const csrf = csrfOf(await page());
	authority.db.run("DELETE FROM clients");
	const response = await browser.post(`/authorize${query}`, {
		decision: "allow",
		csrf,
	});
	expect(response.status).toBe(400);
	expect(response.headers.get("Location")).toBeNull();
});
