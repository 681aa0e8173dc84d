/** A person's own account: second factors, the second step, proofs that must be fresh, and where they are signed in. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import decodeQR from "qr/decode.js";
import {
	type Authority,
	authorizeQuery,
	type Browser,
	csrfOf,
	OWNER,
	openAuthority,
	openBrowser,
	register,
	signIn,
} from "../oauth/authority.ts";
import {
	appCode,
	createAuthenticator,
	passkeyOptionsOf,
} from "../support/authenticator.ts";

let authority: Authority;
let browser: Browser;

beforeEach(async () => {
	authority = await openAuthority();
	browser = openBrowser(authority);
	await signIn(browser);
});
afterEach(() => authority.stop());

/** The hidden and shown text of a page. */
async function read(path: string, from = browser): Promise<string> {
	const response = await from.get(path);
	expect(response.status, path).toBe(200);
	return response.text();
}

/** Fills a form of the page at `path` and sends it to `action`. */
async function send(
	path: string,
	fields: Readonly<Record<string, string>>,
	action = path,
	from = browser,
): Promise<Response> {
	const csrf = csrfOf(await read(path, from));
	return from.post(action, { csrf, ...fields });
}

function codesOf(html: string): readonly string[] {
	return [...html.matchAll(/<code>([0-9A-Z]{5}-[0-9A-Z]{5})<\/code>/g)].map(
		([, code = ""]) => code,
	);
}

/** Sets the app up; returns its key and the recovery codes that came along. */
async function setUpApp(): Promise<{
	readonly key: string;
	readonly codes: readonly string[];
}> {
	const html = await read("/account/app");
	const key = /<code class="copy">([A-Z2-7 ]+)<\/code>/.exec(html)?.[1] ?? "";
	const offer = /name="offer" value="([^"]+)"/.exec(html)?.[1] ?? "";
	const done = await browser.post("/account/app", {
		csrf: csrfOf(html),
		offer,
		code: appCode(key, authority.now()),
	});
	expect(done.status).toBe(200);
	const codes = codesOf(await done.text());
	authority.advance(60);
	return { key, codes };
}

async function firstStep(next = "/"): Promise<Browser> {
	const half = openBrowser(authority);
	const csrf = csrfOf(await (await half.get("/login")).text());
	const sent = await half.post("/login", { ...OWNER, csrf, next });
	expect(sent.headers.get("Location")).toBe(
		`/login/second?${new URLSearchParams({ next })}`,
	);
	return half;
}

function secondStep(
	half: Browser,
	fields: Readonly<Record<string, string>>,
): Promise<Response> {
	return send(
		"/login/second?next=%2Fclients",
		{ next: "/clients", ...fields },
		"/login/second",
		half,
	);
}

test("the picture is the key, as an app's camera reads it", async () => {
	const html = await read("/account/app");
	const size = Number(/class="qr" viewBox="0 0 (\d+)/.exec(html)?.[1]);
	const scale = 4;
	const side = size * scale;
	const pixels = new Uint8Array(side * side * 4).fill(255);
	for (const [, x, y] of html.matchAll(/M(\d+) (\d+)h1v1h-1z/g))
		for (let dy = 0; dy < scale; dy++)
			for (let dx = 0; dx < scale; dx++) {
				const at =
					((Number(y) * scale + dy) * side + Number(x) * scale + dx) * 4;
				pixels.fill(0, at, at + 3);
			}
	const uri = decodeQR({ width: side, height: side, data: pixels });
	const key = /<code class="copy">([A-Z2-7 ]+)<\/code>/.exec(html)?.[1] ?? "";
	expect(new URL(uri).searchParams.get("secret")).toBe(key.replaceAll(" ", ""));
	expect(new URL(uri).searchParams.get("issuer")).toBe("sallyport gw.example");
});

test("with an app the password alone signs nobody in; with its code the person goes where they wanted", async () => {
	const { key, codes } = await setUpApp();
	expect(codes).toHaveLength(10);
	const half = await firstStep("/clients");
	// 67: a half login opens nothing.
	const client = await register(authority);
	for (const path of [
		"/",
		"/clients",
		"/account",
		"/account/app",
		"/reauthenticate",
		`/authorize${authorizeQuery(client)}`,
	]) {
		const answer = await half.get(path);
		expect(answer.headers.get("Location"), path).toStartWith("/login");
	}
	const wrong = await secondStep(half, {
		code: appCode(key, authority.now(), 5),
	});
	expect(wrong.status).toBe(401);
	const done = await secondStep(half, { code: appCode(key, authority.now()) });
	expect(done.headers.get("Location")).toBe("/clients");
	expect(half.cookies.has("__Host-sp_half")).toBe(false);
	expect((await half.get("/clients")).status).toBe(200);
	// The same code signs nobody else in.
	const thief = await firstStep();
	const again = await secondStep(thief, {
		code: appCode(key, authority.now()),
	});
	expect(again.status).toBe(401);
});

// 67
test("the cookie of a half login is no login, whatever name it is given", async () => {
	await setUpApp();
	const half = await firstStep();
	const cookie = half.cookies.get("__Host-sp_half") ?? "";
	for (const name of ["__Host-sp_login", "sp_login"]) {
		const answer = await authority.send("/account", {
			headers: { Cookie: `${name}=${cookie}` },
		});
		expect(answer.headers.get("Location"), name).toStartWith("/login");
	}
	authority.advance(600);
	const late = await half.get("/login/second");
	expect(late.headers.get("Location")).toStartWith("/login?");
});

// 64
test("after five wrong codes the next waits a quarter of an hour, also a right one, and the person is told", async () => {
	const { key } = await setUpApp();
	const half = await firstStep();
	const codes = Array.from({ length: 5 }, (_, step) =>
		appCode(key, authority.now(), step + 3),
	);
	for (const code of codes)
		expect((await secondStep(half, { code })).status).toBe(401);
	const refused = await secondStep(half, {
		code: appCode(key, authority.now()),
	});
	expect(refused.status).toBe(429);
	expect(Number(refused.headers.get("Retry-After"))).toBe(900);
	// From another browser it is no different: it is the account's.
	const other = await firstStep();
	const code = appCode(key, authority.now());
	expect((await secondStep(other, { code })).status).toBe(429);
	expect(await read("/account")).toContain("guessed at your codes");
	authority.advance(900);
	const later = await firstStep();
	const right = await secondStep(later, {
		code: appCode(key, authority.now()),
	});
	expect(right.status).toBe(303);
});

// 66
test("a recovery code stands in for the app, once, is counted apart, and is told", async () => {
	const { key, codes } = await setUpApp();
	const half = await firstStep();
	const [code = ""] = codes;
	for (let guess = 0; guess < 5; guess++)
		expect(
			(await secondStep(half, { code: appCode(key, 0, guess) })).status,
		).toBe(401);
	expect((await secondStep(half, { code: "000000" })).status).toBe(429);
	expect((await secondStep(half, { code: code.toLowerCase() })).status).toBe(
		303,
	);
	const again = await firstStep();
	expect((await secondStep(again, { code })).status).toBe(401);
	const account = await read("/account", half);
	expect(account).toContain("a recovery code signed you in");
	expect(account).toContain("9 of 10 recovery codes left");
	for (let guess = 0; guess < 4; guess++)
		await secondStep(again, { code: `AAAAA-AAAA${guess}` });
	expect((await secondStep(again, { code: codes[1] ?? "" })).status).toBe(429);
});

// 64, 66
test("the same code, sent many times at once, signs in once", async () => {
	const { key, codes } = await setUpApp();
	for (const code of [appCode(key, authority.now()), codes[0] ?? ""]) {
		const halves = [await firstStep(), await firstStep(), await firstStep()];
		const answers = await Promise.all(
			halves.map((half) => secondStep(half, { code })),
		);
		expect(answers.map(({ status }) => status).sort()).toEqual([303, 401, 401]);
	}
});

test("recovery codes are on the page and in its file, and made anew they replace the others", async () => {
	const { codes } = await setUpApp();
	const fresh = await send("/account", {}, "/account/codes");
	const html = await fresh.text();
	const renewed = codesOf(html);
	expect(renewed).toHaveLength(10);
	const link = /href="(data:[^"]+)"/.exec(html)?.[1] ?? "";
	const file = decodeURIComponent(link.split(",")[1] ?? "");
	for (const code of renewed) expect(file).toContain(code);
	const half = await firstStep();
	expect((await secondStep(half, { code: codes[0] ?? "" })).status).toBe(401);
	expect((await secondStep(half, { code: renewed[0] ?? "" })).status).toBe(303);
});

test("a passkey is added, signs in by itself, is a second step, and proves who it is", async () => {
	const phone = createAuthenticator(authority.issuer);
	const page = await read("/account/passkey");
	const added = await browser.post("/account/passkey", {
		csrf: csrfOf(page),
		name: "phone",
		passkey: phone.create(passkeyOptionsOf(page) ?? {}),
	});
	expect(codesOf(await added.text())).toHaveLength(10);
	expect(await read("/account")).toContain("<bdi>phone</bdi>");

	const alone = openBrowser(authority);
	const login = await (await alone.get("/login")).text();
	const answer = phone.get(passkeyOptionsOf(login) ?? {});
	const form = { csrf: csrfOf(login), next: "/clients", passkey: answer };
	const signedIn = await alone.post("/login/passkey", form);
	expect(signedIn.headers.get("Location")).toBe("/clients");
	// 65: replayed, in the same browser or another.
	alone.cookies.delete("__Host-sp_login");
	expect((await alone.post("/login/passkey", form)).status).toBe(401);
	expect(
		(await openBrowser(authority).post("/login/passkey", form)).status,
	).toBe(403);

	const half = await firstStep();
	const second = await read("/login/second", half);
	const done = await half.post("/login/second", {
		csrf: csrfOf(second),
		next: "/account",
		passkey: phone.get(passkeyOptionsOf(second) ?? {}),
	});
	expect(done.headers.get("Location")).toBe("/account");

	authority.advance(900);
	const stale = await half.get("/account/app");
	expect(stale.headers.get("Location")).toBe(
		"/reauthenticate?next=%2Faccount%2Fapp",
	);
	const prove = await read("/reauthenticate?next=%2Faccount%2Fapp", half);
	const proven = await half.post("/reauthenticate", {
		csrf: csrfOf(prove),
		next: "/account/app",
		passkey: phone.get(passkeyOptionsOf(prove) ?? {}),
	});
	expect(proven.headers.get("Location")).toBe("/account/app");
	expect((await half.get("/account/app")).status).toBe(200);
});

test("an answer of the sign-in page is no second step, and one for oneself is none for others", async () => {
	const phone = createAuthenticator(authority.issuer);
	const page = await read("/account/passkey");
	await browser.post("/account/passkey", {
		csrf: csrfOf(page),
		name: "phone",
		passkey: phone.create(passkeyOptionsOf(page) ?? {}),
	});
	const half = await firstStep();
	const login = await (await openBrowser(authority).get("/login")).text();
	const second = await read("/login/second", half);
	const crossed = await half.post("/login/second", {
		csrf: csrfOf(second),
		passkey: phone.get(passkeyOptionsOf(login) ?? {}),
	});
	expect(crossed.status).toBe(401);
});

test("what is dangerous needs a proof of the last quarter of an hour, and reading does not", async () => {
	authority.advance(899);
	expect((await browser.get("/account/password")).status).toBe(200);
	const csrf = csrfOf(await read("/account/password"));
	authority.advance(1);
	for (const path of ["/account/password", "/account/app", "/account/passkey"])
		expect((await browser.get(path)).headers.get("Location")).toBe(
			`/reauthenticate?next=${encodeURIComponent(path)}`,
		);
	const late = await browser.post("/account/password", {
		csrf,
		password: "a new password of mine",
	});
	expect(late.headers.get("Location")).toStartWith("/reauthenticate");
	expect((await browser.get("/account")).status).toBe(200);
	const wrong = await send(
		"/reauthenticate?next=%2Faccount%2Fpassword",
		{ next: "/account/password", password: "wrong" },
		"/reauthenticate",
	);
	expect(wrong.status).toBe(401);
	const before = browser.cookies.get("__Host-sp_login");
	const right = await send(
		"/reauthenticate?next=%2Faccount%2Fpassword",
		{ next: "//evil.example", password: OWNER.password },
		"/reauthenticate",
	);
	expect(right.headers.get("Location")).toBe("/");
	expect(browser.cookies.get("__Host-sp_login")).not.toBe(before);
	expect((await browser.get("/account/password")).status).toBe(200);
	const old = await authority.send("/account", {
		headers: { Cookie: `__Host-sp_login=${before}` },
	});
	expect(old.headers.get("Location")).toStartWith("/login");
});

test("a new password ends the other browsers and half logins, gives this one another cookie, and is told", async () => {
	const elsewhere = openBrowser(authority);
	await signIn(elsewhere);
	const before = browser.cookies.get("__Host-sp_login");
	const short = await send("/account/password", { password: "short" });
	expect(short.status).toBe(400);
	const done = await send("/account/password", {
		password: "another horse battery",
	});
	expect(done.headers.get("Location")).toBe("/account");
	expect(browser.cookies.get("__Host-sp_login")).not.toBe(before);
	expect(await read("/account")).toContain("your password was changed");
	expect((await elsewhere.get("/account")).status).toBe(303);
	expect((await signIn(openBrowser(authority))).status).toBe(401);
	const person = { ...OWNER, password: "another horse battery" };
	expect((await signIn(openBrowser(authority), person)).status).toBe(303);
	const put = await send("/account", { up_to: "1" }, "/account/notices");
	expect(put.status).toBe(303);
	expect(await read("/account")).not.toContain("your password was changed");
});

test("browsers are listed and signed out, one or all the others; never another person's", async () => {
	const others = [openBrowser(authority), openBrowser(authority)];
	for (const other of others) await signIn(other);
	const html = await read("/account");
	const ids = [...html.matchAll(/name="revoke" value="(lgn_[^"]+)"/g)].map(
		([, id = ""]) => id,
	);
	expect(ids).toHaveLength(2);
	authority.db.run(
		"INSERT INTO users (id, email, role, created_at) VALUES ('usr_x', 'x@y.z', 'member', 1)",
	);
	authority.db.run("UPDATE logins SET user_id = 'usr_x' WHERE id = ?", [
		ids[0] ?? "",
	]);
	await send("/account", { revoke: ids[0] ?? "" }, "/account/logins");
	const count = (): unknown =>
		authority.db.query("SELECT count(*) AS n FROM logins").get();
	expect(count()).toEqual({ n: 3 });
	await send("/account", { revoke: ids[1] ?? "" }, "/account/logins");
	expect(count()).toEqual({ n: 2 });
	await signIn(openBrowser(authority));
	await send("/account", { revoke: "others" }, "/account/logins");
	expect(count()).toEqual({ n: 2 });
	expect((await browser.get("/account")).status).toBe(200);
});

test("with the last second factor the recovery codes go, and the password alone signs in again", async () => {
	const { codes } = await setUpApp();
	await send("/account", { remove: "app" }, "/account/factors");
	expect(await read("/account")).not.toContain("recovery codes left");
	expect((await signIn(openBrowser(authority))).headers.get("Location")).toBe(
		"/",
	);
	await setUpApp();
	const half = await firstStep();
	expect((await secondStep(half, { code: codes[1] ?? "" })).status).toBe(401);
});

// 49, 59
test("no form of the account works without its token, from another site, or for another browser", async () => {
	const stranger = openBrowser(authority);
	await signIn(stranger);
	const theirs = csrfOf(await read("/account", stranger));
	for (const action of [
		"/account/notices",
		"/account/logins",
		"/account/password",
		"/account/app",
		"/account/passkey",
		"/account/factors",
		"/account/codes",
		"/reauthenticate",
	]) {
		const fields = { revoke: "others", password: "another horse battery" };
		expect((await browser.post(action, fields)).status, action).toBe(403);
		const crossed = await browser.post(action, { ...fields, csrf: theirs });
		expect(crossed.status, action).toBe(403);
		const own = csrfOf(await read("/account"));
		const foreign = await browser.post(
			action,
			{ ...fields, csrf: own },
			{ "Sec-Fetch-Site": "cross-site", Origin: "https://evil.example" },
		);
		expect(foreign.status, action).toBe(403);
	}
	expect((await stranger.get("/account")).status).toBe(200);
});

test("the seed, the codes and the cookies are nowhere in the store", async () => {
	const { key, codes } = await setUpApp();
	const half = await firstStep();
	const dump = [
		"totp",
		"recovery_codes",
		"logins",
		"half_logins",
		"notices",
		"audit",
	]
		.flatMap((table) => authority.db.query(`SELECT * FROM ${table}`).values())
		.flat()
		.map((value) =>
			value instanceof Uint8Array
				? Buffer.from(value).toString("latin1")
				: value,
		)
		.join("\n");
	for (const secret of [
		key.replaceAll(" ", ""),
		...codes,
		...codes.map((code) => code.replace("-", "")),
		browser.cookies.get("__Host-sp_login") ?? "x",
		half.cookies.get("__Host-sp_half") ?? "x",
	])
		expect(dump).not.toContain(secret);
	expect(authority.log.join("")).not.toContain(key.replaceAll(" ", ""));
});
