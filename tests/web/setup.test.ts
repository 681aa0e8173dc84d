/** Claiming the gateway, and accepting an invitation. Numbers are rows of the attack list (research/oauth.md 5 E). */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mintCredential } from "../../src/mint.ts";
import {
	createInvite,
	createSetupToken,
	isClaimed,
} from "../../src/ops/setup.ts";
import { listUsers } from "../../src/store/users.ts";
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
	authority = await openAuthority({ owner: false });
});
afterEach(() => authority.stop());

const deps = () => ({ ...authority.deps, publicUrl: authority.issuer });

async function claim(
	token: string,
	changes: Readonly<Record<string, string>> = {},
): Promise<Response> {
	const browser = openBrowser(authority);
	const csrf = csrfOf(await (await browser.get("/setup")).text());
	return browser.post("/setup", { ...OWNER, token, csrf, ...changes });
}

test("the holder of the setup link becomes the owner and is signed in", async () => {
	const token = createSetupToken(deps());
	const browser = openBrowser(authority);
	const page = await browser.get("/setup");
	const html = await page.text();
	// The one page with a script: it moves the token from the address into the form.
	expect(page.headers.get("Content-Security-Policy")).toContain(
		"script-src 'self'",
	);
	const script = /src="(\/assets\/setup-[^"]+)"/.exec(html)?.[1] ?? "";
	expect(await (await authority.send(script)).text()).toContain(
		"location.hash",
	);
	const response = await browser.post("/setup", {
		...OWNER,
		token: ` ${token} `,
		csrf: csrfOf(html),
	});
	expect(response.status).toBe(303);
	expect(response.headers.get("Location")).toBe("/");
	expect((await browser.get("/")).status).toBe(200);
	expect(listUsers(authority.db)).toMatchObject([
		{ email: OWNER.email, role: "owner" },
	]);
});

// 68
test("of two holders of one link exactly one becomes the owner, the other finds nothing there", async () => {
	const token = createSetupToken(deps());
	const responses = await Promise.all([
		claim(token),
		claim(token, { email: "other@example.org" }),
	]);
	expect(responses.map(({ status }) => status).sort()).toEqual([303, 404]);
	expect(listUsers(authority.db)).toHaveLength(1);
	expect((await claim(token)).status).toBe(404);
	expect((await openBrowser(authority).get("/setup")).status).toBe(404);
	expect(() => createSetupToken(deps())).toThrow("has an owner");
});

// 68
test("a link that was made up, replaced or is too old opens nothing", async () => {
	const replaced = createSetupToken(deps());
	const current = createSetupToken(deps());
	for (const token of [
		"",
		"x",
		mintCredential("setup"),
		mintCredential("invite"),
		replaced,
	])
		expect((await claim(token)).status, token).toBe(404);
	authority.advance(24 * 3600);
	expect((await claim(current)).status).toBe(404);
	expect(isClaimed(authority.db)).toBe(false);
});

test("a bad address or password uses nothing up", async () => {
	const token = createSetupToken(deps());
	for (const changes of [{ password: "short" }, { email: "nobody" }]) {
		const response = await claim(token, changes);
		expect(response.status).toBe(400);
		expect(await response.text()).not.toContain("short");
	}
	expect((await claim(token, { csrf: "x" })).status).toBe(403);
	expect((await claim(token)).status).toBe(303);
});

test("while there is no owner every page says how to get one", async () => {
	for (const path of ["/", "/login"]) {
		const response = await openBrowser(authority).get(path);
		expect(response.status).toBe(503);
		expect(await response.text()).toContain("sallyport setup-link");
	}
});

test("trying links is slowed down", async () => {
	const apart = await openAuthority({
		owner: false,
		address: () => "192.0.2.1",
	});
	const statuses: number[] = [];
	for (let n = 0; n < 21; n++)
		statuses.push((await apart.send("/invite/x")).status);
	expect(statuses.at(19)).toBe(404);
	expect(statuses.at(20)).toBe(429);
	apart.stop();
});

test("an invited person chooses a password once and is signed in", async () => {
	await claim(createSetupToken(deps()));
	const invited = { email: "Ada@Example.org", role: "member" as const };
	const old = createInvite(deps(), invited);
	const { link, user } = createInvite(deps(), invited);
	expect(user).toMatchObject({
		id: old.user.id,
		email: "ada@example.org",
		role: "member",
	});
	expect((await openBrowser(authority).get(old.link)).status).toBe(404);

	const browser = openBrowser(authority);
	const html = await (await browser.get(link)).text();
	expect(html).toContain("ada@example.org");
	const csrf = csrfOf(html);
	const short = await browser.post(link, { csrf, password: "short" });
	expect(short.status).toBe(400);
	expect(
		(await browser.post(link, { password: "four random words" })).status,
	).toBe(403);
	const joined = await browser.post(link, {
		csrf,
		password: "four random words",
	});
	expect(joined.status).toBe(303);
	expect((await browser.get("/")).status).toBe(200);
	expect((await browser.get(link)).status).toBe(404);
	expect(
		(await browser.post(link, { csrf, password: "four other words" })).status,
	).toBe(404);
	const later = await signIn(openBrowser(authority), {
		email: "ada@example.org",
		password: "four random words",
	});
	expect(later.status).toBe(303);
	expect(() => createInvite(deps(), invited)).toThrow("has a password");
});

test("an invitation ends after a week", async () => {
	await claim(createSetupToken(deps()));
	const { link } = createInvite(deps(), {
		email: "ada@example.org",
		role: "admin",
	});
	authority.advance(7 * 24 * 3600 - 1);
	expect((await openBrowser(authority).get(link)).status).toBe(200);
	authority.advance(1);
	expect((await openBrowser(authority).get(link)).status).toBe(404);
});
