/** E and I. Second factors, accounts, and what needs a fresh proof (research/oauth.md 5, 38, 62, 64–67, 69, 116, 120). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
	allow,
	authorizeQuery,
	type Browser,
	csrfOf,
	OWNER,
	openBrowser,
	redeem,
	refresh,
	register,
	signIn,
} from "../oauth/authority.ts";
import {
	appCode,
	createAuthenticator,
	passkeyOptionsOf,
	type Tampering,
} from "../support/authenticator.ts";
import { advance, now, openTarget, type Target } from "./target.ts";

setDefaultTimeout(60_000);

let target: Target;

beforeAll(async () => {
	target = await openTarget();
});
afterAll(() => target?.stop());

type Person = { readonly email: string; readonly password: string };

let people = 0;

/** Someone new, signed in, with an app if that is wanted. */
async function join(role: "admin" | "member" = "member"): Promise<{
	readonly person: Person;
	readonly browser: Browser;
}> {
	const email = `person${++people}@example.org`;
	const password = "a password of a person";
	await target.gateway.cli(
		[...["users", "add", email, "--role", role], ...["--password-file", "-"]],
		password,
	);
	const browser = openBrowser(target);
	await signIn(browser, { email, password });
	return { person: { email, password }, browser };
}

async function setUpApp(
	browser: Browser,
): Promise<{ readonly key: string; readonly codes: readonly string[] }> {
	const html = await (await browser.get("/account/app")).text();
	const key = /<code class="copy">([A-Z2-7 ]+)<\/code>/.exec(html)?.[1] ?? "";
	const offer = /name="offer" value="([^"]+)"/.exec(html)?.[1] ?? "";
	const done = await browser.post("/account/app", {
		csrf: csrfOf(html),
		offer,
		code: appCode(key, now()),
	});
	const codes = [
		...(await done.text()).matchAll(/<code>([0-9A-Z]{5}-[0-9A-Z]{5})<\/code>/g),
	].map(([, code = ""]) => code);
	expect(codes).toHaveLength(10);
	advance(60);
	return { key, codes };
}

async function firstStep(person: Person): Promise<Browser> {
	const half = openBrowser(target);
	const sent = await signIn(half, person);
	expect(sent.headers.get("Location")).toStartWith("/login/second");
	return half;
}

async function secondStep(half: Browser, code: string): Promise<Response> {
	const csrf = csrfOf(await (await half.get("/login/second")).text());
	return half.post("/login/second", { csrf, code });
}

/** A client that was allowed, and its tokens. */
async function connect(
	browser: Browser,
): Promise<() => Promise<readonly [number, string | undefined]>> {
	const client = await register(target);
	const sent = await allow(target, authorizeQuery(client), browser);
	const tokens = await redeem(
		target,
		client,
		sent.searchParams.get("code") ?? "",
	);
	expect(await target.use(tokens.access_token)).toBe(200);
	return async () => [
		await target.use(tokens.access_token),
		(await refresh(target, client, tokens.refresh_token)).error,
	];
}

test("38, 116: after their person was disabled, reset or removed, tokens end at once", async () => {
	for (const verb of ["disable", "reset-password", "remove"]) {
		const { person, browser } = await join();
		const use = await connect(browser);
		await target.gateway.cli([
			...["users", verb, person.email],
			...(verb === "remove" ? ["--yes"] : []),
		]);
		expect(await use(), verb).toEqual([401, "invalid_grant"]);
		expect((await browser.get("/account")).status, verb).toBe(303);
		expect((await signIn(openBrowser(target), person)).status, verb).toBe(401);
	}
});

test("38: after a new password with all that the old one opened", async () => {
	const { browser } = await join();
	const use = await connect(browser);
	const csrf = csrfOf(await (await browser.get("/account/password")).text());
	await browser.post("/account/password", {
		csrf,
		password: "another horse battery",
		everything: "on",
	});
	expect(await use()).toEqual([401, "invalid_grant"]);
});

test("62: whoever guesses from everywhere does not keep a person out for good", async () => {
	const { person, browser } = await join();
	browser.cookies.delete("sp_login");
	const wrong = { ...person, password: "wrong" };
	// Ten at a time, so that hashes are made on every core.
	for (let guess = 0; guess < 10; guess++)
		await Promise.all(
			Array.from({ length: 10 }, () => signIn(openBrowser(target), wrong)),
		);
	const elsewhere = await signIn(openBrowser(target), person);
	expect(elsewhere.status).toBe(429);
	expect(Number(elsewhere.headers.get("Retry-After"))).toBeLessThanOrEqual(900);
	const inTheirBrowser = await signIn(browser, person);
	expect(inTheirBrowser.headers.get("Location")).toBe("/");
	expect(await (await browser.get("/account")).text()).toContain(
		"guessed at your password",
	);
	advance(900);
	expect((await signIn(openBrowser(target), person)).status).toBe(303);
}, 120_000);

test("64: a code that was used, one of three intervals away, and as many as one likes", async () => {
	const { person, browser } = await join();
	const { key } = await setUpApp(browser);
	const first = await firstStep(person);
	expect((await secondStep(first, appCode(key, now()))).status).toBe(303);
	const thief = await firstStep(person);
	expect((await secondStep(thief, appCode(key, now()))).status).toBe(401);
	for (const steps of [-3, 3])
		expect((await secondStep(thief, appCode(key, now(), steps))).status).toBe(
			401,
		);
	const statuses: number[] = [];
	for (let guess = 0; guess < 50; guess++) {
		const csrf = csrfOf(await (await thief.get("/login/second")).text());
		const code = String(guess).padStart(6, "0");
		const answer = await thief.post("/login/second", { csrf, code });
		await answer.body?.cancel();
		statuses.push(answer.status);
	}
	expect(statuses.filter((status) => status === 401)).toHaveLength(2);
	expect(statuses.at(-1)).toBe(429);
	// A restart forgets none of it.
	await target.gateway.restart();
	const after = await firstStep(person);
	expect((await secondStep(after, appCode(key, now(), 1))).status).toBe(429);
});

test("65: an assertion of another origin, relying party, challenge or person", async () => {
	const { person, browser } = await join();
	const other = await join();
	const add = async (
		from: Browser,
	): Promise<ReturnType<typeof createAuthenticator>> => {
		const phone = createAuthenticator(target.issuer);
		const page = await (await from.get("/account/passkey")).text();
		const added = await from.post("/account/passkey", {
			csrf: csrfOf(page),
			name: "phone",
			passkey: phone.create(passkeyOptionsOf(page) ?? {}),
		});
		expect(added.status).toBe(200);
		return phone;
	};
	const phone = await add(browser);
	const theirs = await add(other.browser);
	const attempt = async (
		authenticator: ReturnType<typeof createAuthenticator>,
		tampering: Tampering = {},
	): Promise<Response> => {
		const stranger = openBrowser(target);
		const page = await (await stranger.get("/login")).text();
		return stranger.post("/login/passkey", {
			csrf: csrfOf(page),
			passkey: authenticator.get(passkeyOptionsOf(page) ?? {}, tampering),
		});
	};
	const challenge = String(
		passkeyOptionsOf(await (await openBrowser(target).get("/login")).text())?.[
			"challenge"
		],
	);
	for (const tampering of [
		{ origin: "https://evil.example" },
		{ rpId: "evil.example" },
		{ challenge },
		{ challenge: "eA" },
		{ isVerified: false },
		{ id: theirs.id },
		{ userHandle: Buffer.from("usr_x").toString("base64url") },
		{ type: "webauthn.create" },
	] satisfies readonly Tampering[])
		expect(
			(await attempt(phone, tampering)).status,
			JSON.stringify(tampering),
		).toBe(401);
	expect((await attempt(phone)).status).toBe(303);
	// Replayed to the page that it was made for.
	const own = openBrowser(target);
	const page = await (await own.get("/login")).text();
	const form = {
		csrf: csrfOf(page),
		passkey: phone.get(passkeyOptionsOf(page) ?? {}),
	};
	expect((await own.post("/login/passkey", form)).status).toBe(303);
	own.cookies.delete("sp_login");
	expect((await own.post("/login/passkey", form)).status).toBe(401);
	// Another person's as the second step.
	const half = await firstStep(person);
	const second = await (await half.get("/login/second")).text();
	const crossed = await half.post("/login/second", {
		csrf: csrfOf(second),
		passkey: theirs.get(passkeyOptionsOf(second) ?? {}),
	});
	expect(crossed.status).toBe(401);
});

test("66: a recovery code twice, another person's, and guesses at them", async () => {
	const { person, browser } = await join();
	const { codes } = await setUpApp(browser);
	const other = await join();
	const { codes: theirs } = await setUpApp(other.browser);
	const first = await firstStep(person);
	expect((await secondStep(first, codes[0] ?? "")).status).toBe(303);
	const thief = await firstStep(person);
	for (const code of [codes[0] ?? "", theirs[0] ?? ""])
		expect((await secondStep(thief, code)).status).toBe(401);
	const statuses: number[] = [];
	for (let guess = 0; guess < 6; guess++)
		statuses.push((await secondStep(thief, `AAAAA-AAAA${guess}`)).status);
	expect(statuses.at(-1)).toBe(429);
	expect((await secondStep(thief, codes[1] ?? "")).status).toBe(429);
});

test("67: half a login at every door", async () => {
	const { person, browser } = await join("admin");
	await setUpApp(browser);
	const half = await firstStep(person);
	const cookie = half.cookies.get("sp_half") ?? "";
	const client = await register(target);
	const query = authorizeQuery(client);
	for (const path of [
		"/",
		"/account",
		"/account/app",
		"/account/password",
		"/clients",
		"/users",
		"/doctor",
		"/reauthenticate",
		`/authorize${query}`,
	])
		expect((await half.get(path)).headers.get("Location"), path).toStartWith(
			"/login",
		);
	expect((await half.get("/api/users")).status).toBe(401);
	expect(
		(await half.post(`/authorize${query}`, { decision: "allow" })).status,
	).toBe(403);
	const posed = await target.send("/account", {
		headers: { Cookie: `sp_login=${cookie}` },
	});
	expect(posed.headers.get("Location")).toStartWith("/login");
	expect(await target.use(cookie)).toBe(401);
});

test("69: a page that was left open does nothing after signing out everywhere", async () => {
	const { person, browser } = await join();
	const elsewhere = openBrowser(target);
	await signIn(elsewhere, person);
	const kept = csrfOf(await (await elsewhere.get("/account/password")).text());
	const csrf = csrfOf(await (await browser.get("/account")).text());
	await browser.post("/account/logins", { csrf, revoke: "others" });
	const late = await elsewhere.post("/account/password", {
		csrf: kept,
		password: "another horse battery",
	});
	expect(late.headers.get("Location")).toStartWith("/login");
	for (const path of ["/account", "/account/password", "/account/app"]) {
		const { headers } = await browser.get(path);
		expect(headers.get("Cache-Control"), path).toBe("no-store");
	}
	expect((await signIn(openBrowser(target), person)).status).toBe(303);
});

test("120: a key or a token in the address", async () => {
	const made = JSON.parse(
		await target.gateway.cli(["keys", "create", "k", "--json"]),
	) as { readonly key: string };
	for (const name of ["access_token", "token", "key", "api_key"]) {
		const inQuery = await target.send(`/api/users?${name}=${made.key}`);
		expect(inQuery.status, name).toBe(401);
		await inQuery.body?.cancel();
	}
	const inHeader = await target.send("/api/users", {
		headers: { Authorization: `Bearer ${made.key}` },
	});
	expect(inHeader.status).toBe(200);
});

/** The API as a page of ours calls it. */
async function callApi(
	browser: Browser,
	method: string,
	path: string,
	headers: Readonly<Record<string, string>>,
	body?: unknown,
): Promise<number> {
	const response = await target.send(path, {
		method,
		headers: {
			Cookie: [...browser.cookies].map((pair) => pair.join("=")).join("; "),
			...(body === undefined ? {} : { "Content-Type": "application/json" }),
			...headers,
		},
		...(body === undefined ? {} : { body: JSON.stringify(body) }),
	});
	await response.body?.cancel();
	return response.status;
}

async function apiToken(browser: Browser): Promise<string> {
	const html = await (await browser.get("/")).text();
	return /name="csrf-token" content="([^"]+)"/.exec(html)?.[1] ?? "";
}

test("120: what an administrator does, without the page's token or on an old proof", async () => {
	const owner = openBrowser(target);
	await signIn(owner, OWNER);
	const own = { "Sec-Fetch-Site": "same-origin", Origin: target.issuer };
	const invite = (headers: Readonly<Record<string, string>>): Promise<number> =>
		callApi(owner, "POST", "/api/users/invite", headers, {
			email: "invited@example.org",
		});
	const token = await apiToken(owner);
	expect(await callApi(owner, "GET", "/api/users", own)).toBe(200);
	expect(await invite(own)).toBe(403);
	expect(await invite({ ...own, "X-CSRF-Token": "x" })).toBe(403);
	const stranger = openBrowser(target);
	await signIn(stranger, OWNER);
	const theirs = await apiToken(stranger);
	expect(await invite({ ...own, "X-CSRF-Token": theirs })).toBe(403);
	const evil = {
		"Sec-Fetch-Site": "cross-site",
		Origin: "https://evil.example",
		"X-CSRF-Token": token,
	};
	expect(await invite(evil)).toBe(403);
	expect(await invite({ ...own, "X-CSRF-Token": token })).toBe(201);
	advance(900);
	const late = { ...own, "X-CSRF-Token": await apiToken(owner) };
	expect(await invite(late)).toBe(403);
	expect(await callApi(owner, "POST", "/api/keys", late, { name: "k" })).toBe(
		403,
	);
	expect(await callApi(owner, "GET", "/api/users", late)).toBe(200);
	for (const path of ["/users", "/account/app", "/account/password"])
		expect((await owner.get(path)).headers.get("Location"), path).toStartWith(
			"/reauthenticate",
		);
	const csrf = csrfOf(await (await owner.get("/reauthenticate")).text());
	await owner.post("/reauthenticate", { csrf, password: OWNER.password });
	const fresh = { ...own, "X-CSRF-Token": await apiToken(owner) };
	expect(await invite(fresh)).toBe(201);
});

test("120: the ids of others, in a member's hands", async () => {
	const { browser } = await join();
	const admin = await join("admin");
	const use = await connect(admin.browser);
	const listed = async (noun: string): Promise<string> =>
		target.gateway.cli([noun, "list", "--json"]);
	const ids = [
		...(await listed("users")).matchAll(/"(usr_[\w-]+)"/g),
		...(await listed("grants")).matchAll(/"(grt_[\w-]+)"/g),
		...(await listed("clients")).matchAll(/"(cli_[\w-]+)"/g),
		...(await listed("keys")).matchAll(/"(key_[\w-]+)"/g),
	].map(([, id = ""]) => id);
	expect(ids.length).toBeGreaterThan(4);
	const headers = {
		"Sec-Fetch-Site": "same-origin",
		Origin: target.issuer,
		"X-CSRF-Token": await apiToken(browser),
	};
	for (const id of ids) {
		for (const [method, path] of [
			["DELETE", `/api/users/${id}`],
			["POST", `/api/users/${id}/disable`],
			["POST", `/api/users/${id}/reset-2fa`],
			["DELETE", `/api/grants/${id}`],
			["DELETE", `/api/clients/${id}`],
			["POST", `/api/clients/${id}/approve`],
			["DELETE", `/api/keys/${id}`],
		] as const) {
			const status = await callApi(
				browser,
				method,
				path,
				headers,
				method === "POST" ? {} : undefined,
			);
			expect([403, 404], `${method} ${path}`).toContain(status);
		}
		expect((await browser.get(`/users/${id}`)).status, id).toBe(404);
	}
	const adminsLogin = /value="(lgn_[\w-]+)"/.exec(
		await (await admin.browser.get("/account")).text(),
	)?.[1];
	const csrf = csrfOf(await (await browser.get("/account")).text());
	for (const revoke of [adminsLogin ?? "lgn_x", ...ids])
		await browser.post("/account/logins", { csrf, revoke });
	expect((await admin.browser.get("/account")).status).toBe(200);
	expect((await use())[0]).toBe(200);
});
