/** Signing in and out. Numbers are rows of the attack list (research/oauth.md 5 A, E). */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { safeNext } from "../../src/web/forms.ts";
import {
	type Authority,
	csrfOf,
	OWNER,
	openAuthority,
	openBrowser,
	signIn,
} from "../oauth/authority.ts";

let authority: Authority;

beforeEach(async () => {
	authority = await openAuthority();
});
afterEach(() => authority.stop());

const WRONG = { email: OWNER.email, password: "wrong horse battery" };

test("a person signs in, sees the addresses to paste, and signs out", async () => {
	const browser = openBrowser(authority);
	const home = await browser.get("/");
	expect(home.headers.get("Location")).toBe("/login");
	const signedIn = await signIn(browser);
	expect(signedIn.status).toBe(303);
	expect(signedIn.headers.get("Location")).toBe("/");
	const html = await (await browser.get("/")).text();
	for (const text of [
		"https://gw.example/mcp<",
		"https://gw.example/mcp/memory<",
		OWNER.email,
	])
		expect(html).toContain(text);
	// Someone who is signed in is not asked again.
	expect((await browser.get("/login")).status).toBe(303);
	expect((await browser.post("/logout", { csrf: "x" })).status).toBe(403);
	const out = await browser.post("/logout", { csrf: csrfOf(html) });
	expect(out.headers.get("Location")).toBe("/login");
	expect((await browser.get("/")).headers.get("Location")).toBe("/login");
});

// 15
test("after signing in only a place on this origin is gone to", () => {
	for (const next of [
		"https://evil.example",
		"//evil.example",
		"/\\evil.example",
		"\\\\evil.example",
		"/a\\b",
		"\t//evil.example",
		"/\t/evil.example",
		"%09//evil.example",
		"/%09//evil.example\n",
		"javascript:alert(1)",
		"evil",
		"",
		"///evil.example",
		"/ /evil.example",
		null,
	])
		expect(safeNext(next, "https://gw.example"), String(next)).toBe("/");
	for (const next of ["/", "/authorize?a=b%2F&c=//d", "/.//x"])
		expect(safeNext(next, "https://gw.example")).toBe(next);
});

// 59
test("signing someone in from another browser's page or another site is refused", async () => {
	const [own, other] = [openBrowser(authority), openBrowser(authority)];
	const csrf = csrfOf(await (await other.get("/login")).text());
	await own.get("/login");
	expect((await own.post("/login", { ...OWNER, csrf })).status).toBe(403);
	expect((await own.post("/login", OWNER)).status).toBe(403);
	const cross = await other.post(
		"/login",
		{ ...OWNER, csrf },
		{ "Sec-Fetch-Site": "cross-site", Origin: "https://evil.example" },
	);
	expect(cross.status).toBe(403);
	for (const browser of [own, other])
		expect(browser.cookies.has("__Host-sp_login")).toBe(false);
});

// 58, 60
test("the login cookie is new at each sign-in, host-bound, and alone", async () => {
	const browser = openBrowser(authority);
	const response = await signIn(browser);
	const cookie = response.headers.getSetCookie()[0] ?? "";
	expect(cookie).toMatch(
		/^__Host-sp_login=sp_li_[\w-]{49}; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=2592000$/,
	);
	const first = browser.cookies.get("__Host-sp_login") ?? "";
	const again = openBrowser(authority);
	again.cookies.set("__Host-sp_login", first);
	const csrf = csrfOf(
		await (await openBrowser(authority).get("/login")).text(),
	);
	expect(csrf).not.toBe("");
	// Two cookies of that name: somebody set one.
	const doubled = await authority.send("/", {
		headers: { Cookie: `__Host-sp_login=${first}; __Host-sp_login=${first}` },
	});
	expect(doubled.headers.get("Location")).toBe("/login");
	// Under its plain name it means nothing on https.
	const plain = await authority.send("/", {
		headers: { Cookie: `sp_login=${first}` },
	});
	expect(plain.headers.get("Location")).toBe("/login");
});

// 58
test("signing in again ends the login this browser had", async () => {
	const browser = openBrowser(authority);
	const csrf = csrfOf(await (await browser.get("/login")).text());
	await browser.post("/login", { ...OWNER, csrf });
	const first = browser.cookies.get("__Host-sp_login") ?? "";
	const second = csrfOf(
		await (
			await authority.send("/login", {
				headers: {
					Cookie: `__Host-sp_form=${browser.cookies.get("__Host-sp_form")}`,
				},
			})
		).text(),
	);
	await browser.post("/login", { ...OWNER, csrf: second });
	expect(browser.cookies.get("__Host-sp_login")).not.toBe(first);
	const old = await authority.send("/", {
		headers: { Cookie: `__Host-sp_login=${first}` },
	});
	expect(old.headers.get("Location")).toBe("/login");
});

test("on plain http, which is only loopback, the cookie has no prefix and is not Secure", async () => {
	const local = await openAuthority({ issuer: "http://localhost:8080" });
	const response = await signIn(openBrowser(local));
	expect(response.headers.getSetCookie()[0]).toMatch(
		/^sp_login=\S+; Path=\/; HttpOnly; SameSite=Lax; Max-Age/,
	);
	local.stop();
});

test("a login ends after twelve hours unused, and after thirty days in any case", async () => {
	const browser = openBrowser(authority);
	await signIn(browser);
	for (let halfDay = 0; halfDay < 60; halfDay++) {
		authority.advance(12 * 3600 - 61);
		expect((await browser.get("/")).status).toBe(200);
	}
	authority.advance(2 * 3600);
	expect((await browser.get("/")).status).toBe(303);
	const idle = openBrowser(authority);
	await signIn(idle);
	authority.advance(12 * 3600);
	expect((await idle.get("/")).headers.get("Location")).toBe("/login");
});

test("a disabled user is signed out", async () => {
	const browser = openBrowser(authority);
	await signIn(browser);
	authority.db.run("UPDATE users SET disabled_at = 1");
	expect((await browser.get("/")).headers.get("Location")).toBe("/login");
	expect((await signIn(openBrowser(authority))).status).toBe(401);
});

// 61
test("a wrong address and a wrong password look the same", async () => {
	const pages: string[] = [];
	for (const person of [WRONG, { ...WRONG, email: "nobody@example.org" }]) {
		const response = await signIn(openBrowser(authority), person);
		expect(response.status).toBe(401);
		const html = await response.text();
		expect(html).not.toContain(person.password);
		pages.push(
			html
				.replace(person.email, "")
				.replaceAll(/(name="csrf" value|data-options)="[^"]+"/g, ""),
		);
	}
	expect(pages[0]).toBe(pages[1] ?? "");
});

// 62
test("after ten guesses at one account from one address each waits longer, also after a restart, and elsewhere the owner gets in", async () => {
	let address = "192.0.2.1";
	const apart = await openAuthority({ address: () => address });
	for (let guess = 0; guess < 10; guess++)
		expect((await signIn(openBrowser(apart), WRONG)).status).toBe(401);
	const waits: number[] = [];
	for (let guess = 0; guess < 6; guess++) {
		const refused = await signIn(openBrowser(apart), WRONG);
		expect(refused.status).toBe(429);
		const wait = Number(refused.headers.get("Retry-After"));
		waits.push(wait);
		apart.advance(wait);
		expect((await signIn(openBrowser(apart), WRONG)).status).toBe(401);
	}
	expect(waits).toEqual([60, 120, 240, 480, 900, 900]);
	// The counters are rows, and name nobody.
	const rows = JSON.stringify(
		apart.db.query("SELECT * FROM login_failures").all(),
	);
	expect(rows).not.toContain(OWNER.email);
	address = "192.0.2.2";
	const owner = openBrowser(apart);
	expect((await signIn(owner)).status).toBe(303);
	// They are told.
	const account = await (await owner.get("/account")).text();
	expect(account).toContain("guessed at your password from 192.0.2.1");
	address = "192.0.2.1";
	apart.advance(900);
	expect((await signIn(openBrowser(apart))).status).toBe(303);
	apart.stop();
});

// 62
test("a stranger who guesses from everywhere does not keep a person out of a browser they signed in with", async () => {
	let visitor = 0;
	const apart = await openAuthority({
		address: () => `10.9.${visitor >> 8}.${visitor++ & 255}`,
	});
	const own = openBrowser(apart);
	await signIn(own);
	own.cookies.delete("__Host-sp_login");
	for (let guess = 0; guess < 100; guess++)
		await signIn(openBrowser(apart), WRONG);
	const stranger = openBrowser(apart);
	expect((await signIn(stranger)).status).toBe(429);
	expect((await signIn(own)).status).toBe(303);
	// The cookie that says so is one person's, and nothing a stranger can make.
	const known = own.cookies.get("__Host-sp_known") ?? "";
	stranger.cookies.set("__Host-sp_known", known.replace(/^./, "x"));
	expect((await signIn(stranger)).status).toBe(429);
	apart.stop();
});

// 62
test("thirty guesses from one address are enough, whatever the accounts, and a sign-in of one's own does not reset them", async () => {
	const apart = await openAuthority({ address: () => "2001:db8::1" });
	for (let guess = 0; guess < 29; guess++)
		await signIn(openBrowser(apart), {
			...WRONG,
			email: `u${guess}@example.org`,
		});
	expect((await signIn(openBrowser(apart))).status).toBe(303);
	await signIn(openBrowser(apart), { ...WRONG, email: "u30@example.org" });
	expect((await signIn(openBrowser(apart))).status).toBe(429);
	apart.stop();
});

test("a form that is too large is refused with a page", async () => {
	const response = await openBrowser(authority).post("/login", {
		email: "x".repeat(20_000),
	});
	expect(response.status).toBe(413);
	expect(response.headers.get("Content-Type")).toStartWith("text/html");
});

test("the stylesheet, the mark and the scripts are served under names that change with them", async () => {
	const html = await (await openBrowser(authority).get("/login")).text();
	const paths = [...html.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(
		([, path]) => path ?? "",
	);
	expect(paths).toHaveLength(3);
	for (const path of paths) {
		const response = await authority.send(path);
		expect(response.status).toBe(200);
		expect(response.headers.get("Cache-Control")).toContain("immutable");
	}
});
