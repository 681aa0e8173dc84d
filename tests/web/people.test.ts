/** The pages about people, for administrators. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import {
	type Authority,
	type Browser,
	csrfOf,
	openAuthority,
	openBrowser,
	signIn,
} from "../oauth/authority.ts";

let authority: Authority;
let owner: Browser;

beforeEach(async () => {
	authority = await openAuthority();
	owner = openBrowser(authority);
	await signIn(owner);
});
afterEach(() => authority.stop());

const PASSWORD = "a password of a person";

async function send(
	from: Browser,
	path: string,
	fields: Readonly<Record<string, string>>,
): Promise<Response> {
	const csrf = csrfOf(await (await from.get(path)).text());
	return from.post(path, { csrf, ...fields });
}

/** Invites someone, who accepts; returns their browser. */
async function join(
	email: string,
	role: "admin" | "member",
): Promise<{ readonly browser: Browser; readonly id: string }> {
	const invited = await send(owner, "/users", { email, role });
	const link =
		/<code class="copy">https:\/\/gw\.example(\/invite\/sp_in_[\w-]+)</.exec(
			await invited.text(),
		)?.[1] ?? "";
	const browser = openBrowser(authority);
	const page = await (await browser.get(link)).text();
	expect(page).toContain(role === "admin" ? "administrator" : "member");
	const csrf = csrfOf(page);
	const joined = await browser.post(link, { csrf, password: PASSWORD });
	expect(joined.headers.get("Location")).toBe("/");
	const { id } = authority.db
		.query("SELECT id FROM users WHERE email = ?")
		.get(email) as { id: string };
	return { browser, id };
}

test("someone is invited in a role, chooses a password, and the link is then worth nothing", async () => {
	const { id } = await join("ada@example.org", "admin");
	const html = await (await owner.get("/users")).text();
	expect(html).toContain("ada@example.org");
	expect((await owner.get(`/users/${id}`)).status).toBe(200);
	const again = await send(owner, "/users", {
		email: "ada@example.org",
		role: "member",
	});
	expect(again.status).toBe(409);
	expect(await again.text()).toContain("has a password already");
	const bad = await send(owner, "/users", { email: "nobody", role: "member" });
	expect(bad.status).toBe(400);
});

test("a member sees none of it, and an administrator makes no administrators", async () => {
	const member = await join("bob@example.org", "member");
	const admin = await join("ada@example.org", "admin");
	for (const path of ["/users", `/users/${admin.id}`])
		expect((await member.browser.get(path)).status, path).toBe(404);
	const html = await (await admin.browser.get("/users")).text();
	expect(html).toContain('value="member"');
	expect(html).not.toContain('value="admin"');
	const forged = await send(admin.browser, "/users", {
		email: "eve@example.org",
		role: "admin",
	});
	expect(forged.status).toBe(404);
	const upward = await send(admin.browser, `/users/${admin.id}`, {
		do: "hand over",
		sure: "on",
	});
	expect(upward.status).toBe(403);
});

test("what is done to an account ends what its person had, and the pages say so", async () => {
	const { browser, id } = await join("bob@example.org", "member");
	const path = `/users/${id}`;
	expect((await browser.get("/account")).status).toBe(200);
	await send(owner, path, { do: "disable" });
	expect((await browser.get("/account")).status).toBe(303);
	const bob = { email: "bob@example.org", password: PASSWORD };
	expect((await signIn(openBrowser(authority), bob)).status).toBe(401);
	expect(await (await owner.get(path)).text()).toContain("disabled");
	await send(owner, path, { do: "enable" });
	expect((await signIn(browser, bob)).status).toBe(303);
	await send(owner, path, { do: "role", role: "admin" });
	expect((await browser.get("/account")).status).toBe(303);
	await signIn(browser, bob);
	expect((await browser.get("/users")).status).toBe(200);
	const reset = await send(owner, path, { do: "reset-password" });
	expect(await reset.text()).toContain("https://gw.example/invite/sp_in_");
	expect((await signIn(openBrowser(authority), bob)).status).toBe(401);
	expect((await send(owner, path, { do: "remove" })).status).toBe(400);
	const gone = await send(owner, path, { do: "remove", sure: "on" });
	expect(gone.headers.get("Location")).toBe("/users");
	expect((await owner.get(path)).status).toBe(404);
});

test("the owner hands the gateway over and is an administrator then", async () => {
	const { browser, id } = await join("ada@example.org", "admin");
	await send(owner, `/users/${id}`, { do: "hand over", sure: "on" });
	expect((await owner.get("/users")).status).toBe(303);
	await signIn(owner);
	const ada = { email: "ada@example.org", password: PASSWORD };
	await signIn(browser, ada);
	expect(await (await browser.get("/account")).text()).toContain("owner here");
	const page = await (await owner.get(`/users/${id}`)).text();
	expect(page).toContain("Only the owner changes this account");
	expect(page).not.toContain('name="do"');
});

test("after a quarter of an hour the pages about people ask who one is", async () => {
	const csrf = csrfOf(await (await owner.get("/users")).text());
	authority.advance(900);
	expect((await owner.get("/users")).headers.get("Location")).toBe(
		"/reauthenticate?next=%2Fusers",
	);
	const late = await owner.post("/users", {
		csrf,
		email: "eve@example.org",
		role: "admin",
	});
	expect(late.headers.get("Location")).toStartWith("/reauthenticate");
	expect(authority.db.query("SELECT count(*) AS n FROM users").get()).toEqual({
		n: 1,
	});
});
