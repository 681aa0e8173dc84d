/** I. The device flow (research/oauth.md 5, 119). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
	type Browser,
	type Client,
	csrfOf,
	formOf,
	openBrowser,
	register,
	requestToken,
	signIn,
} from "../oauth/authority.ts";
import { IS_EXECUTABLE, openTarget, type Target } from "./target.ts";

setDefaultTimeout(30_000);

const GRANT = "urn:ietf:params:oauth:grant-type:device_code";

let target: Target;
let client: Client;

beforeAll(async () => {
	target = await openTarget();
	await target.gateway.cli(["clients", "policy", "--device", "on"]);
	client = await register(target, { client_name: "Sallyport support" });
});
afterAll(() => target?.stop());

type Started = { readonly device_code: string; readonly user_code: string };

async function start(): Promise<Started> {
	const response = await target.send("/device_authorization", {
		method: "POST",
		headers: { "X-Forwarded-For": "203.0.113.66", "User-Agent": "phish/1" },
		body: new URLSearchParams({ client_id: client.client_id }),
	});
	return (await response.json()) as Started;
}

async function person(address: string): Promise<Browser> {
	const browser = openBrowser({
		...target,
		send: (path, init = {}) => {
			const headers = new Headers(init.headers);
			headers.set("X-Forwarded-For", address);
			return target.send(path, { ...init, headers });
		},
	});
	await signIn(browser, target.gateway.owner);
	return browser;
}

async function type(browser: Browser, code: string): Promise<Response> {
	const csrf = csrfOf(await (await browser.get("/device")).text());
	return browser.post("/device", { csrf, user_code: code });
}

function poll(device_code: string): ReturnType<typeof requestToken> {
	return requestToken(target, {
		grant_type: GRANT,
		client_id: client.client_id,
		device_code,
	});
}

test("119: a phishing link prefills nothing, and the page says where the request came from", async () => {
	const { user_code } = await start();
	const browser = await person("198.51.100.7");
	for (const name of ["user_code", "code", "userCode"]) {
		const html = await (
			await browser.get(`/device?${name}=${user_code}`)
		).text();
		expect(html).not.toContain(user_code);
		expect(/<input[^>]*name="user_code"[^>]*>/.exec(html)?.[0]).not.toContain(
			"value=",
		);
	}
	const html = await (await type(browser, user_code)).text();
	expect(html).toContain("A device at 203.0.113.66");
	expect(html).toContain("you are at 198.51.100.7");
	expect(html).toContain("phish/1");
	// It may call itself whatever it likes: that stands in quotes, below.
	expect(html).toMatch(/calls itself “<bdi>Sallyport support/);
});

test("119: a form that is not the page's own decides nothing", async () => {
	const { device_code, user_code } = await start();
	const browser = await person("198.51.100.8");
	const html = await (await type(browser, user_code)).text();
	const form = { ...formOf(html), user_code, decision: "allow" };
	const elsewhere = {
		"Sec-Fetch-Site": "cross-site",
		Origin: "https://evil.example",
	};
	expect((await browser.post("/device", form, elsewhere)).status).toBe(403);
	const typingToken = csrfOf(await (await browser.get("/device")).text());
	expect(
		(await browser.post("/device", { ...form, csrf: typingToken })).status,
	).toBe(403);
	const other = await start();
	expect(
		(await browser.post("/device", { ...form, user_code: other.user_code }))
			.status,
	).toBe(403);
	expect((await poll(device_code)).error).toBe("authorization_pending");
	expect((await poll(other.device_code)).error).toBe("authorization_pending");
});

test("119: codes cannot be guessed: five tries a person, and the sixth waits even if it is right", async () => {
	const { user_code } = await start();
	const email = "guesser@example.org";
	const guesser = await target.gateway.addUser(email);
	const browser = openBrowser(target);
	await signIn(browser, guesser);
	for (let tries = 0; tries < 5; tries++)
		expect((await type(browser, "BBBB-BBBB")).status).toBe(422);
	const sixth = await type(browser, user_code);
	expect(sixth.status).toBe(429);
	expect(Number(sixth.headers.get("Retry-After"))).toBeGreaterThan(0);
	const stranger = openBrowser(target);
	expect((await stranger.get("/device")).headers.get("Location")).toBe(
		"/login?next=%2Fdevice",
	);
	expect((await stranger.post("/device", { user_code })).status).toBe(403);
});

test("119: a device that polls too fast is told to slow down, and gains nothing", async () => {
	const { device_code } = await start();
	expect((await poll(device_code)).error).toBe("authorization_pending");
	for (let n = 0; n < 3; n++)
		expect((await poll(device_code)).error).toBe("slow_down");
});

test("119: a code that was decided cannot be decided again", async () => {
	const { device_code, user_code } = await start();
	const browser = await person("198.51.100.9");
	const html = await (await type(browser, user_code)).text();
	const form = { ...formOf(html), user_code };
	expect(
		(await browser.post("/device", { ...form, decision: "deny" })).status,
	).toBe(200);
	expect(
		(await browser.post("/device", { ...form, decision: "allow" })).status,
	).toBe(422);
	expect((await poll(device_code)).error).toBe("access_denied");
	if (!IS_EXECUTABLE)
		expect((await poll(device_code)).error).toBe("invalid_grant");
});
