/** E. Consent, login and session (research/oauth.md 5, 49–62, 68 and 69, as far as there is something to attack). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
	allow,
	authorizeQuery,
	type Browser,
	type Client,
	csrfOf,
	formOf,
	OWNER,
	openBrowser,
	register,
	signIn,
} from "../oauth/authority.ts";
import { openTarget, type Target } from "./target.ts";

setDefaultTimeout(60_000);

const SAME_SITE = { "Sec-Fetch-Site": "same-origin", Origin: "null" };

let target: Target;
let client: Client;
let browser: Browser;
let query: string;

beforeAll(async () => {
	target = await openTarget();
	client = await register(target);
	query = `/authorize${authorizeQuery(client)}`;
	browser = openBrowser(target);
	await signIn(browser);
});
afterAll(() => target?.stop());

async function consent(from = browser, path = query): Promise<string> {
	const response = await from.get(path);
	expect(response.status).toBe(200);
	return response.text();
}

async function expectRefused(response: Response, what?: string): Promise<void> {
	expect(response.status, what).toBe(403);
	expect(response.headers.get("Location"), what).toBeNull();
	await response.body?.cancel();
}

test("49: a decision without a token, with another session's, or with a used one", async () => {
	const form: Record<string, string> = {
		...formOf(await consent()),
		decision: "allow",
	};
	const other = openBrowser(target);
	await signIn(other);
	const { csrf: theirs = "" } = formOf(await consent(other));
	const { csrf: _, ...without } = form;
	await expectRefused(await browser.post(query, without), "none");
	await expectRefused(
		await browser.post(query, { ...form, csrf: theirs }),
		"another session's",
	);
	await expectRefused(
		await browser.post(`${query}&x=1`, form),
		"another request's",
	);
	await expectRefused(await openBrowser(target).post(query, form), "nobody");
	expect((await browser.post(query, form)).status).toBe(303);
	await expectRefused(await browser.post(query, form), "used");
});

test("50: a decision that another site's page sends", async () => {
	const form = { ...formOf(await consent()), decision: "allow" };
	for (const headers of [
		{ "Sec-Fetch-Site": "cross-site", Origin: "https://evil.example" },
		{ "Sec-Fetch-Site": "same-site", Origin: "http://localhost:1" },
		{ "Sec-Fetch-Site": "cross-site", Origin: "null" },
		{ Origin: "https://evil.example" },
	])
		await expectRefused(
			await browser.post(query, form, headers as Record<string, string>),
			JSON.stringify(headers),
		);
});

test("51: no page of a person's can be framed", async () => {
	for (const path of [query, "/login", "/clients", "/"]) {
		const { headers } = await browser.get(path);
		if (headers.has("Location")) continue;
		expect(headers.get("Content-Security-Policy"), path).toContain(
			"frame-ancestors 'none'",
		);
		expect(headers.get("X-Frame-Options"), path).toBe("DENY");
	}
});

test("53: a name that is markup, turns around, is endless or poses as someone", async () => {
	const posing = await register(target, {
		client_name: `<script>alert(1)</script>\u202eedualC\u200b\n${"x".repeat(10_000)}`,
	});
	const html = await consent(browser, `/authorize${authorizeQuery(posing)}`);
	expect(html).not.toContain("<script");
	for (const invisible of ["\u202e", "\u200b", "x".repeat(64)])
		expect(html).not.toContain(invisible);
	const claude = await register(target, { client_name: "Claude" });
	const shown = await consent(browser, `/authorize${authorizeQuery(claude)}`);
	expect(shown).toContain("<h1>A program on this computer asks for access");
	expect(shown).toContain("Look twice");
});

test("54: nothing that a client points at is on the page", async () => {
	const pointing = await register(target, {
		logo_uri: "https://evil.example/logo.png",
		client_uri: "https://evil.example/",
		tos_uri: "http://169.254.169.254/",
		policy_uri: "javascript:alert(1)",
	});
	const html = await consent(browser, `/authorize${authorizeQuery(pointing)}`);
	for (const word of ["evil", "169.254", "javascript:", "<img"])
		expect(html).not.toContain(word);
});

const CALLBACK = "https://chat.example.org/callback";

/** A client that an administrator made, which answers at a host: of this one a person's consent is remembered. */
async function remembered(name: string): Promise<string> {
	const printed = await target.gateway.cli([
		...["clients", "add", name, "--redirect-uri", CALLBACK],
		...["--redirect-uri", `${CALLBACK}/other`],
	]);
	return /cli_\S+/.exec(printed)?.[0] ?? "";
}

/** Opens an authorization request, as something the person opened themselves unless it says otherwise. */
async function isAsked(
	client_id: string,
	changes: Readonly<Record<string, string | null>> = {},
	site = "none",
): Promise<boolean> {
	const answer = await browser.get(
		`/authorize${authorizeQuery({ client_id }, { redirect_uri: CALLBACK, ...changes })}`,
		{ "Sec-Fetch-Site": site },
	);
	const location = answer.headers.get("Location");
	if (answer.status === 303) expect(location).toStartWith(`${CALLBACK}?code=`);
	return answer.status === 200;
}

test("55: what was allowed is remembered for exactly that, and a new callback, resource or scope is asked about", async () => {
	const id = await remembered("remembered");
	expect(await isAsked(id)).toBe(true);
	await allow(
		target,
		authorizeQuery({ client_id: id }, { redirect_uri: CALLBACK }),
		browser,
	);
	expect(await isAsked(id)).toBe(false);
	for (const changes of [
		{ redirect_uri: `${CALLBACK}/other` },
		{ resource: `${target.issuer}/mcp/a` },
		{ scope: "mcp:a" },
	])
		expect(await isAsked(id, changes), JSON.stringify(changes)).toBe(true);
	const html = await (await browser.get("/clients")).text();
	const csrf = /name="csrf" value="([^"]+)"/.exec(html)?.[1] ?? "";
	await browser.post("/clients", { csrf, revoke: "all" });
	expect(await isAsked(id)).toBe(true);
});

test("55: of a client that registered itself, or answers on this computer, nothing is remembered", async () => {
	await allow(target, authorizeQuery(client), browser);
	const again = await browser.get(query, { "Sec-Fetch-Site": "none" });
	expect(again.status).toBe(200);
	const vendor = "https://claude.ai/oauth/claude-code-client-metadata";
	const local = { redirect_uri: "http://localhost:58135/callback" };
	const asks = authorizeQuery({ client_id: vendor }, local);
	await allow(target, asks, browser);
	expect(await isAsked(vendor, local)).toBe(true);
});

test("57: what another site's page opens, or a sign-in leads to, is asked about", async () => {
	const id = await remembered("led");
	const asks = authorizeQuery({ client_id: id }, { redirect_uri: CALLBACK });
	await allow(target, asks, browser);
	expect(await isAsked(id)).toBe(false);
	for (const site of ["cross-site", "same-site", "same-origin", ""])
		expect(await isAsked(id, {}, site), site).toBe(true);
});

test("58: a cookie that was set before the sign-in is worth nothing after it", async () => {
	const victim = openBrowser(target);
	victim.cookies.set("sp_login", "fixated");
	await signIn(victim);
	const first = victim.cookies.get("sp_login");
	expect(first).toStartWith("sp_li_");
	const attacker = openBrowser(target);
	attacker.cookies.set("sp_login", "fixated");
	expect((await attacker.get("/clients")).status).toBe(303);
});

test("59: signing someone in as someone else", async () => {
	const stranger = openBrowser(target);
	const forged = await stranger.post("/login", { ...OWNER, csrf: "" });
	expect(forged.status).toBe(403);
	const { csrf = "" } = formOf(
		await (await openBrowser(target).get("/login")).text(),
	);
	const another = await openBrowser(target).post("/login", { ...OWNER, csrf });
	expect(another.status).toBe(403);
	const crossSite = await stranger.post(
		"/login",
		{ ...OWNER, csrf },
		{ "Sec-Fetch-Site": "cross-site", Origin: "https://evil.example" },
	);
	expect(crossSite.status).toBe(403);
	expect(stranger.cookies.has("sp_login")).toBe(false);
});

test("60: two login cookies are none", async () => {
	const cookie = browser.cookies.get("sp_login") ?? "";
	for (const pair of [
		`sp_login=${cookie}; sp_login=tossed`,
		`sp_login=tossed; sp_login=${cookie}`,
	]) {
		const answer = await target.send("/clients", { headers: { Cookie: pair } });
		expect(answer.headers.get("Location"), pair).toStartWith("/login");
	}
});

test("61: an unknown address and a wrong password get the same words", async () => {
	const read = async (email: string): Promise<unknown> => {
		const stranger = openBrowser(target);
		const csrf = csrfOf(await (await stranger.get("/login")).text());
		const answer = await stranger.post("/login", {
			csrf,
			email,
			password: "wrong password",
		});
		const html = await answer.text();
		return [
			answer.status,
			html
				.replaceAll(email, "")
				.replaceAll(/(name="csrf" value|data-options)="[^"]+"/g, ""),
		];
	};
	expect(await read("nobody@example.org")).toEqual(await read(OWNER.email));
});

test("62: guessing is slowed down where it comes from, and the owner still gets in", async () => {
	const statuses: number[] = [];
	const guesser = openBrowser({
		...target,
		send: (path, init = {}) => {
			const headers = new Headers(init.headers);
			headers.set("X-Forwarded-For", "192.0.2.62");
			return target.send(path, { ...init, headers });
		},
	});
	for (let tries = 0; tries < 12; tries++) {
		const csrf = csrfOf(await (await guesser.get("/login")).text());
		const answer = await guesser.post("/login", {
			csrf,
			email: OWNER.email,
			password: `guess ${tries}`,
		});
		statuses.push(answer.status);
		if (answer.status === 429)
			expect(Number(answer.headers.get("Retry-After"))).toBeGreaterThan(0);
	}
	expect(statuses.slice(0, 9)).toEqual(Array.from({ length: 9 }, () => 401));
	expect(statuses.at(-1)).toBe(429);
	const owner = openBrowser(target);
	expect((await signIn(owner)).headers.get("Location")).toBe("/");
});

test("68: the setup of a gateway that has an owner is closed", async () => {
	expect((await openBrowser(target).get("/setup")).status).toBe(404);
	const answer = await target.send("/setup", {
		method: "POST",
		headers: SAME_SITE,
		body: new URLSearchParams({ token: "sp_su_x", ...OWNER }),
	});
	expect([403, 404]).toContain(answer.status);
});

test("69: after signing out nothing of the pages is left to use", async () => {
	const leaving = openBrowser(target);
	await signIn(leaving);
	const kept = formOf(await consent(leaving));
	const cookie = leaving.cookies.get("sp_login") ?? "";
	const home = await leaving.get("/");
	expect(home.headers.get("Cache-Control")).toBe("no-store");
	await leaving.post("/logout", { csrf: csrfOf(await home.text()) });
	expect(leaving.cookies.has("sp_login")).toBe(false);
	leaving.cookies.set("sp_login", cookie);
	await expectRefused(
		await leaving.post(query, { ...kept, decision: "allow" }),
	);
	expect((await leaving.get("/clients")).status).toBe(303);
});
