/** E. The first run on a public host (research/oauth.md 5, 68): the link decides, not who comes first. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mintCredential } from "../../src/mint.ts";
import {
	type Browser,
	csrfOf,
	openBrowser,
	type Place,
	signIn,
} from "../oauth/authority.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { IS_EXECUTABLE, manyVisitors, TRUST_LOOPBACK } from "./target.ts";

setDefaultTimeout(60_000);

let gateway: Gateway;
let place: Place;

beforeAll(async () => {
	gateway = await startGateway({
		compiled: IS_EXECUTABLE,
		unclaimed: true,
		flags: TRUST_LOOPBACK,
	});
	place = manyVisitors(gateway.url);
});
afterAll(() => gateway?.stop());

/** Shows a token at the first page; returns the answer. */
async function show(browser: Browser, token: string): Promise<Response> {
	const csrf = csrfOf(await (await browser.get("/setup")).text());
	return browser.post("/setup", { csrf, token, choice: "new" });
}

async function claim(browser: Browser, email: string): Promise<Response> {
	const csrf = csrfOf(await (await browser.get("/setup/owner")).text());
	const password = "correct horse battery";
	return browser.post("/setup/owner", { csrf, email, password });
}

async function setupToken(): Promise<string> {
	return (await gateway.cli(["setup-link"])).trim().split("#")[1] ?? "";
}

test("68: whoever comes first without the link gets nothing", async () => {
	const stranger = openBrowser(place);
	for (const token of [
		"",
		"x",
		mintCredential("setup"),
		mintCredential("invite"),
	])
		expect((await show(stranger, token)).status, token).toBe(404);
	for (const path of [
		"/setup/owner",
		"/setup/kit",
		"/setup/restore",
		"/setup/server",
	])
		expect((await stranger.get(path)).status, path).not.toBe(200);
	const straight = await stranger.post("/setup/owner", {
		email: "eve@example.org",
		password: "a password of eve",
	});
	expect([403, 404]).toContain(straight.status);
	for (const path of ["/account", "/users", "/clients"])
		expect((await stranger.get(path)).status, path).not.toBe(200);
	expect((await stranger.get("/api/users")).status).toBe(401);
	expect(JSON.parse(await gateway.cli(["users", "list", "--json"]))).toEqual({
		users: [],
	});
});

test("68: a link that was replaced is worth nothing, and of two who hold the last one gets in", async () => {
	const replaced = await setupToken();
	const token = await setupToken();
	expect((await show(openBrowser(place), replaced)).status).toBe(404);
	const two = [openBrowser(place), openBrowser(place)];
	for (const browser of two)
		expect((await show(browser, token)).status).toBe(303);
	const answers = await Promise.all(
		two.map((browser, index) => claim(browser, `owner${index}@example.org`)),
	);
	expect(answers.map(({ status }) => status).sort()).toEqual([303, 404]);
	const { users } = JSON.parse(
		await gateway.cli(["users", "list", "--json"]),
	) as { readonly users: readonly { readonly email: string }[] };
	expect(users).toHaveLength(1);
	// Closed for everyone, the holder of the link included.
	const late = openBrowser(place);
	expect((await late.get("/setup")).status).toBe(404);
	expect((await gateway.tryCli(["setup-link"])).code).toBe(5);
	const owner = openBrowser(place);
	const person = {
		email: users[0]?.email ?? "",
		password: "correct horse battery",
	};
	expect((await signIn(owner, person)).status).toBe(303);
});
