/** A. Redirect URIs (research/oauth.md 5, 1–15). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
	authorizeQuery,
	type Client,
	codeFor,
	csrfOf,
	OWNER,
	openBrowser,
	redeem,
	register,
} from "../oauth/authority.ts";
import {
	expectAsked,
	expectError,
	expectPage,
	expectRedirect,
	openTarget,
	type Target,
} from "./target.ts";

setDefaultTimeout(30_000);

const CALLBACK = "https://a.example/cb";
const WITH_QUERY = "https://a.example/q?one=1&two=2";

let target: Target;
let web: Client;
let native: Client;

beforeAll(async () => {
	target = await openTarget();
	const made = JSON.parse(
		await target.gateway.cli([
			...["clients", "add", "target", "--json"],
			...["--redirect-uri", CALLBACK, "--redirect-uri", WITH_QUERY],
		]),
	);
	web = { client_id: made.id };
	native = await register(target, {
		redirect_uris: ["http://localhost/callback"],
	});
});
afterAll(() => target?.stop());

function authorize(
	client: Client,
	redirectUri: string | null,
	changes: Readonly<Record<string, string | null>> = {},
): Promise<Response> {
	return target.send(
		`/authorize${authorizeQuery(client, { redirect_uri: redirectUri, ...changes })}`,
	);
}

test("0: the redirect URIs that are registered are accepted", async () => {
	expectAsked(await authorize(web, CALLBACK));
	expectAsked(await authorize(web, WITH_QUERY));
});

test("1: an unregistered redirect URI", async () => {
	await expectPage(await authorize(web, "https://evil.example/cb"));
});

test("2: another path that means the same", async () => {
	for (const path of ["/cb/", "/cb/../x", "/cb%2f..", "//cb", "/./cb", "/CB"])
		await expectPage(await authorize(web, `https://a.example${path}`), path);
});

test("3: another query, and a fragment", async () => {
	for (const uri of [
		`${CALLBACK}?x=1`,
		`${CALLBACK}?`,
		"https://a.example/q?two=2&one=1",
		"https://a.example/q?one=1",
		`${WITH_QUERY}&three=3`,
		`${CALLBACK}#fragment`,
		`${CALLBACK}#`,
	])
		await expectPage(await authorize(web, uri), uri);
});

test("4: another host that looks like it", async () => {
	for (const uri of [
		"https://a.example@evil/cb",
		"https://a.example%40evil/cb",
		"https://a.example\\.evil/cb",
		"https://a.example.evil/cb",
		"https://A.example/cb",
		"https://a.example:443/cb",
		"https://a.example./cb",
		"HTTPS://a.example/cb",
		" https://a.example/cb",
	])
		await expectPage(await authorize(web, uri), uri);
});

async function refuseRegistration(uri: string): Promise<void> {
	const response = await target.send("/register", {
		method: "POST",
		headers: { "Content-Type": "application/json" },
		body: JSON.stringify({ redirect_uris: [uri] }),
	});
	await expectError(response, 400, "invalid_redirect_uri", JSON.stringify(uri));
}

async function countClients(): Promise<number> {
	const reply = JSON.parse(
		await target.gateway.cli(["clients", "list", "--json"]),
	);
	return reply.clients.length;
}

test("5: registering a scheme that runs or reads something, however it is spelled", async () => {
	const before = await countClients();
	for (const uri of [
		"javascript:alert(1)",
		"data:text/html,x",
		"vbscript:x",
		"file:///etc/passwd",
		"blob:https://a.example/x",
		"about:blank",
		"intent://x#Intent;end",
		"JavaScript:alert(1)",
		" javascript:alert(1)",
		"\tjavascript:alert(1)",
		"\njavascript:alert(1)",
		"\0javascript:alert(1)",
		"java%0ascript:alert(1)",
		"java\nscript:alert(1)",
		"ws://localhost/",
		"ftp://localhost/",
	])
		await refuseRegistration(uri);
	expect(await countClients()).toBe(before);
});

test("6: registering http on another machine", async () => {
	await refuseRegistration("http://evil.example/cb");
});

test("7: on this computer any port is accepted", async () => {
	expectAsked(await authorize(native, "http://localhost:58135/callback"));
});

test("8: something that is nearly this computer", async () => {
	for (const uri of [
		"http://127.0.0.1/callback",
		"http://localhost:1/other",
		"http://localhost.evil.com:1/callback",
		"http://127.0.0.1.nip.io/callback",
		"http://localhost./callback",
		"http://0x7f.1/callback",
		"http://2130706433/callback",
		"http://[::1]/callback",
		"http://localhost@evil/callback",
	])
		await expectPage(await authorize(native, uri), uri);
});

test("9: https on this computer when http was registered", async () => {
	await expectPage(await authorize(native, "https://localhost:1/callback"));
});

test("10: registering a wildcard", async () => {
	for (const uri of [
		"http://localhost/*",
		"https://*.example/cb",
		"http://*/",
		"*",
	])
		await refuseRegistration(uri);
});

test("11: no redirect URI with two registered; with one, that one", async () => {
	await expectPage(await authorize(web, null));
	const one = await register(target);
	expectAsked(await authorize(one, null));
});

test("12: another redirect URI at the token endpoint costs the code nothing", async () => {
	const client = await register(target);
	const code = await codeFor(target, client);
	const other = await redeem(target, client, code, {
		redirect_uri: "http://localhost:8788/callback",
	});
	expect(other.error).toBe("invalid_grant");
	expect((await redeem(target, client, code)).status).toBe(200);
});

test("13: an app's scheme that is not in the list", async () => {
	const exact = "cursor://anysphere.cursor-mcp/oauth/callback";
	const cursor = await register(target, { redirect_uris: [exact] });
	expectAsked(await authorize(cursor, exact));
	for (const uri of [
		"cursor:evil",
		"cursor://other/path",
		"CURSOR://anysphere.cursor-mcp/oauth/callback",
		"evil://anysphere.cursor-mcp/oauth/callback",
	]) {
		await expectPage(await authorize(cursor, uri), uri);
		await refuseRegistration(uri);
	}
});

test("14: an error goes to the client only once it is trusted, in a fixed sentence", async () => {
	for (const [changes, error] of [
		[{ response_type: "token" }, "unsupported_response_type"],
		[{ scope: 'a"b' }, "invalid_scope"],
		[{ resource: "https://evil.example/" }, "invalid_target"],
		[{ request: "e30." }, "request_not_supported"],
	] as const) {
		const sent = expectRedirect(
			await authorize(web, CALLBACK, changes),
			CALLBACK,
			error,
		);
		const description = sent.searchParams.get("error_description") ?? "";
		expect(description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
		expect(description).not.toContain("evil");
		expect(sent.searchParams.get("state")).toBe("s t&te");
		await expectPage(await authorize(web, "https://evil.example/", changes));
		await expectPage(
			await authorize({ client_id: "cli_evil" }, CALLBACK, changes),
		);
	}
});

test("15: /login goes on to this site only", async () => {
	for (const next of [
		"https://evil.example",
		"//evil.example",
		"/\\evil.example",
		"\t//evil.example",
		"/\t/evil.example",
		"javascript:alert(1)",
		"\\\\evil.example",
		"/.//evil.example",
	]) {
		const browser = openBrowser(target);
		const page = await browser.get(`/login?${new URLSearchParams({ next })}`);
		const csrf = csrfOf(await page.text());
		const sent = await browser.post("/login", { ...OWNER, csrf, next });
		const location = sent.headers.get("Location") ?? "";
		expect(sent.status, next).toBe(303);
		expect(new URL(location, target.issuer).origin, next).toBe(target.issuer);
		expect(location, next).not.toStartWith("//");
	}
	const browser = openBrowser(target);
	const csrf = csrfOf(await (await browser.get("/login")).text());
	const next = "/clients";
	const sent = await browser.post("/login", { ...OWNER, csrf, next });
	expect(sent.headers.get("Location")).toBe("/clients");
});
