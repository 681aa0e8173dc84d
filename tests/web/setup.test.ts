/** Claiming the gateway, and accepting an invitation. Numbers are rows of the attack list (research/oauth.md 5 E). */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mintCredential } from "../../src/mint.ts";
import { parseRecoveryCode } from "../../src/ops/recovery-code.ts";
import {
	createInvite,
	createSetupToken,
	isClaimed,
} from "../../src/ops/setup.ts";
import { decideSetup } from "../../src/ops/setup-steps.ts";
import { listUsers } from "../../src/store/users.ts";
import {
	type Authority,
	type Browser,
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
const setupToken = (): string => createSetupToken(authority.deps);

/** Proves the link on the first page, and claims on the second; whatever each answers with. */
async function claim(
	token: string,
	changes: Readonly<Record<string, string>> = {},
	browser: Browser = openBrowser(authority),
): Promise<Response> {
	const csrf = csrfOf(await (await browser.get("/setup")).text());
	const proved = await browser.post("/setup", { token, choice: "new", csrf });
	if (proved.status !== 303) return proved;
	const page = await browser.get("/setup/owner");
	if (page.status !== 200) return page;
	return browser.post("/setup/owner", {
		...OWNER,
		csrf: csrfOf(await page.text()),
		...changes,
	});
}

test("the holder of the setup link becomes the owner, is signed in, and is led to the recovery kit", async () => {
	const token = setupToken();
	const browser = openBrowser(authority);
	const page = await browser.get("/setup");
	const html = await page.text();
	// A script moves the token from the address into the form.
	expect(page.headers.get("Content-Security-Policy")).toContain(
		"script-src 'self'",
	);
	const script = /src="(\/assets\/setup-[^"]+)"/.exec(html)?.[1] ?? "";
	expect(await (await authority.send(script)).text()).toContain(
		"location.hash",
	);
	const response = await claim(` ${token} `, {}, browser);
	expect(response.status).toBe(303);
	expect(response.headers.get("Location")).toBe("/setup/kit");
	expect(browser.cookies.has("__Host-sp_setup")).toBe(false);
	expect((await browser.get("/")).status).toBe(200);
	expect(listUsers(authority.db)).toMatchObject([
		{ email: OWNER.email, role: "owner" },
	]);
});

test("the kit is given until it is saved, and only to the owner", async () => {
	const browser = openBrowser(authority);
	await claim(setupToken(), {}, browser);
	const html = await (await browser.get("/setup/kit")).text();
	const code = /recovery code\s+(\S+\s+\S+)/.exec(html)?.[1] ?? "";
	expect(parseRecoveryCode(code)).not.toBeNull();
	const file = await browser.get("/setup/kit.txt");
	expect(file.headers.get("Content-Disposition")).toContain("attachment");
	expect(await file.text()).toContain(code);
	const csrf = csrfOf(html);
	const unticked = await browser.post("/setup/kit", { csrf });
	expect(unticked.status).toBe(400);
	expect(await unticked.text()).toContain("tick the box");
	const saved = await browser.post("/setup/kit", { csrf, saved: "on" });
	expect(saved.headers.get("Location")).toBe("/setup/address");
	expect(await (await browser.get("/setup/kit")).text()).not.toContain(code);
	expect((await browser.get("/setup/kit.txt")).status).toBe(404);
	for (const path of ["/setup/kit", "/setup/kit.txt"])
		expect(
			(await openBrowser(authority).get(path)).headers.get("Location"),
		).toStartWith("/login?");
});

test("where the wizard goes on follows from facts, whichever page was last open", async () => {
	const browser = openBrowser(authority);
	await claim(setupToken(), {}, browser);
	const next = async () =>
		(await browser.get("/setup")).headers.get("Location");
	expect(await next()).toBe("/setup/kit");
	for (const [decision, path] of [
		["kit", "/setup/address"],
		["address", "/setup/server"],
		["server", "/setup/client"],
		["client", "/setup/done"],
		["done", "/"],
	] as const) {
		decideSetup(authority.db, decision, authority.now());
		expect(await next()).toBe(path);
	}
});

// 68
test("of two holders of one link exactly one becomes the owner, the other finds nothing there", async () => {
	const token = setupToken();
	const responses = await Promise.all([
		claim(token),
		claim(token, { email: "other@example.org" }),
	]);
	expect(responses.map(({ status }) => status).sort()).toEqual([303, 404]);
	expect(listUsers(authority.db)).toHaveLength(1);
	expect((await claim(token)).status).toBe(404);
	expect((await openBrowser(authority).get("/setup")).status).toBe(404);
	expect(() => setupToken()).toThrow("has an owner");
});

// 68
test("a link that was made up, replaced or is too old opens nothing", async () => {
	const replaced = setupToken();
	const current = setupToken();
	for (const token of [
		"",
		"x",
		mintCredential("setup"),
		mintCredential("invite"),
		replaced,
	]) {
		const refused = await claim(token);
		expect(refused.status, token).toBe(404);
		expect(await refused.text()).toContain("sudo sallyport setup-link");
	}
	authority.advance(24 * 3600);
	const old = await claim(current);
	expect(old.status).toBe(404);
	expect(await old.text()).toContain("is too old");
	expect(isClaimed(authority.db)).toBe(false);
});

test("a link that ends between the two pages opens nothing either", async () => {
	const browser = openBrowser(authority);
	const csrf = csrfOf(await (await browser.get("/setup")).text());
	const token = setupToken();
	await browser.post("/setup", { token, choice: "new", csrf });
	setupToken();
	expect((await browser.get("/setup/owner")).status).toBe(404);
	expect((await browser.post("/setup/owner", { ...OWNER, csrf })).status).toBe(
		404,
	);
	expect(isClaimed(authority.db)).toBe(false);
});

test("without the link the second page is not there to be filled", async () => {
	for (const path of ["/setup/owner", "/setup/restore"])
		expect(
			(await openBrowser(authority).get(path)).headers.get("Location"),
		).toBe("/setup");
});

test("a bad address or password uses nothing up", async () => {
	const token = setupToken();
	for (const changes of [{ password: "short" }, { email: "nobody" }]) {
		const response = await claim(token, changes);
		expect(response.status).toBe(400);
		const [field] = Object.keys(changes);
		const html = await response.text();
		expect(html).toContain(`href="#${field}"`);
		expect(html).not.toContain("short");
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
	await claim(setupToken());
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
	await claim(setupToken());
	const { link } = createInvite(deps(), {
		email: "ada@example.org",
		role: "admin",
	});
	authority.advance(7 * 24 * 3600 - 1);
	expect((await openBrowser(authority).get(link)).status).toBe(200);
	authority.advance(1);
	expect((await openBrowser(authority).get(link)).status).toBe(404);
});
