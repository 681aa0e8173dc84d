/** What a person allowed, and how they end it. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createPasswords } from "../../src/people/passwords.ts";
import { findClient } from "../../src/store/clients.ts";
import { createUser } from "../../src/store/users.ts";
import {
	type Authority,
	allow,
	authorizeQuery,
	type Browser,
	csrfOf,
	judge,
	openAuthority,
	openBrowser,
	redeem,
	register,
	signIn,
	signInClient,
} from "../oauth/authority.ts";

let authority: Authority;
let browser: Browser;

beforeEach(async () => {
	authority = await openAuthority();
	browser = openBrowser(authority);
	await signIn(browser);
});
afterEach(() => authority.stop());

async function page(from = browser): Promise<string> {
	const response = await from.get("/clients");
	expect(response.status).toBe(200);
	return response.text();
}

function rows(html: string): readonly string[] {
	return [...html.matchAll(/name="revoke" value="(grt_[^"]+)"/g)].map(
		([, id = ""]) => id,
	);
}

test("a person sees what they allowed and ends it, at once", async () => {
	const { tokens } = await signInClient(authority);
	expect(judge(authority, tokens.access_token).ok).toBe(true);
	const html = await page();
	expect(html).toContain("A client");
	expect(html).toContain("all servers");
	const sent = await browser.post("/clients", {
		csrf: csrfOf(html),
		revoke: rows(html)[0] ?? "",
	});
	expect(sent.headers.get("Location")).toBe("/clients");
	expect(judge(authority, tokens.access_token).ok).toBe(false);
	expect(await page()).toContain("You have not allowed any client");
});

test("an administrator sees every client, those that came twice as one, and forgets them together", async () => {
	await register(authority, { client_name: "Twice" });
	const second = await register(authority, {
		client_name: "Twice",
		redirect_uris: ["http://localhost:9/callback"],
	});
	await register(authority, { client_name: "Once" });
	const html = await page();
	expect(html).toContain("came 2 times");
	const shown = [...html.matchAll(/name="forget" value="([^"]+)"/g)];
	expect(shown).toHaveLength(2);
	const csrf = csrfOf(html);
	await browser.post("/clients", { csrf, forget: second.client_id });
	expect(findClient(authority.db, second.client_id)).toBeNull();
	expect(await page()).not.toContain("Twice");
	expect(await page()).toContain("Once");
});

test("a member sees no list of clients, and forgets none", async () => {
	const { client } = await signInClient(authority);
	createUser(
		authority.db,
		{
			email: "member@example.org",
			role: "member",
			passwordHash: await createPasswords("testing").hash(
				"a password of a member",
			),
		},
		1,
	);
	const other = openBrowser(authority);
	await signIn(other, {
		email: "member@example.org",
		password: "a password of a member",
	});
	const html = await page(other);
	expect(html).not.toContain("Every client");
	await other.post("/clients", {
		csrf: csrfOf(html) || csrfOf(await page()),
		forget: client.client_id,
	});
	expect(findClient(authority.db, client.client_id)).not.toBeNull();
});

test("a grant is shown with when and from where it was last used", async () => {
	const { tokens } = await signInClient(authority);
	authority.bearer.judge(
		new Request(`${authority.issuer}/mcp`, {
			headers: { Authorization: `Bearer ${tokens.access_token}` },
		}),
		`${authority.issuer}/mcp`,
		{ clientAddress: () => "203.0.113.5" },
	);
	authority.bearer.stop();
	expect(await page()).toContain("from 203.0.113.5");
});

test("clients alike are one row and end together", async () => {
	const first = await signInClient(authority);
	// Some clients register anew each time, and listen on another port.
	const second = await register(authority);
	const port = { redirect_uri: "http://localhost:9999/callback" };
	const sent = await allow(authority, authorizeQuery(second, port));
	const code = sent.searchParams.get("code") ?? "";
	const tokens = await redeem(authority, second, code, port);
	const html = await page();
	expect(rows(html)).toHaveLength(1);
	expect(html).toContain("2 times");
	await browser.post("/clients", {
		csrf: csrfOf(html),
		revoke: rows(html)[0] ?? "",
	});
	for (const { access_token } of [first.tokens, tokens])
		expect(judge(authority, access_token).ok).toBe(false);
});

test("all can be ended at once", async () => {
	const client = await register(authority, { client_name: "Another" });
	const sent = await allow(
		authority,
		authorizeQuery(client, { scope: "mcp:memory" }),
	);
	const one = await redeem(
		authority,
		client,
		sent.searchParams.get("code") ?? "",
	);
	const { tokens } = await signInClient(authority);
	const html = await page();
	expect(rows(html)).toHaveLength(2);
	await browser.post("/clients", { csrf: csrfOf(html), revoke: "all" });
	expect(judge(authority, one.access_token).ok).toBe(false);
	expect(judge(authority, tokens.access_token).ok).toBe(false);
});

// 49, 50
test("ending needs the token of this page and login, from this site", async () => {
	const { tokens } = await signInClient(authority);
	const html = await page();
	const csrf = csrfOf(html);
	const revoke = rows(html)[0] ?? "";
	for (const [fields, headers] of [
		[{ revoke }, undefined],
		[{ revoke, csrf: `${csrf}x` }, undefined],
		[{ revoke, csrf }, { "Sec-Fetch-Site": "cross-site" }],
	] as const) {
		const sent = await browser.post("/clients", fields, headers);
		expect(sent.status).toBe(403);
	}
	expect(judge(authority, tokens.access_token).ok).toBe(true);
});

test("nobody sees or ends another's", async () => {
	const { tokens } = await signInClient(authority);
	const mine = rows(await page())[0] ?? "";
	const password = "another long password";
	const passwordHash = await createPasswords("testing").hash(password);
	const email = "ada@example.org";
	createUser(authority.db, { email, role: "admin", passwordHash }, 1);
	const other = openBrowser(authority);
	await signIn(other, { email, password });
	const html = await page(other);
	expect(rows(html)).toEqual([]);
	const { headers } = await openBrowser(authority).get("/clients");
	expect(headers.get("Location")).toBe("/login?next=%2Fclients");
	// Their page has no form; the token of any of their pages is for another action.
	await other.post("/clients", {
		csrf: csrfOf(await (await other.get("/")).text()),
		revoke: mine,
	});
	expect(judge(authority, tokens.access_token).ok).toBe(true);
});

describe("a client that waits", () => {
	const callback = "https://chat.example.org/cb";

	async function wait(): Promise<string> {
		const { client_id } = await register(authority, {
			client_name: "Our chat",
			redirect_uris: [callback],
		});
		return client_id;
	}

	test("is shown to an administrator, who lets it in", async () => {
		const id = await wait();
		const html = await page();
		expect(html).toContain("chat.example.org");
		await browser.post("/clients", { csrf: csrfOf(html), approve: id });
		expect(findClient(authority.db, id)?.approvedAt).toBe(authority.now());
		expect(await page()).not.toContain("Waiting to be let in");
	});

	test("is let in on a fresh proof only", async () => {
		const id = await wait();
		const csrf = csrfOf(await page());
		authority.advance(900);
		const late = await browser.post("/clients", { csrf, approve: id });
		expect(late.headers.get("Location")).toBe(
			"/reauthenticate?next=%2Fclients",
		);
		expect(findClient(authority.db, id)?.approvedAt).toBeNull();
	});

	test("is neither shown to a member nor let in by one", async () => {
		const password = "another long password";
		const passwordHash = await createPasswords("testing").hash(password);
		const email = "ada@example.org";
		createUser(authority.db, { email, role: "member", passwordHash }, 1);
		const member = openBrowser(authority);
		await signIn(member, { email, password });
		// A page with a form of theirs, so that they have a token that is good for this page.
		const client = await register(authority);
		await allow(authority, authorizeQuery(client), member);
		const id = await wait();
		const html = await page(member);
		expect(html).not.toContain("chat.example.org");
		const csrf = csrfOf(html);
		expect(csrf).not.toBe("");
		await member.post("/clients", { csrf, approve: id });
		expect(findClient(authority.db, id)?.approvedAt).toBeNull();
	});
});
