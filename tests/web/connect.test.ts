/** The page where a person connects a service; whole journeys are `e2e/connect.test.ts`. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { noteService } from "../../src/store/server-services.ts";
import { createServer } from "../../src/store/servers.ts";
import {
	type Authority,
	type Browser,
	csrfOf,
	openAuthority,
	openBrowser,
	signIn,
} from "../oauth/authority.ts";

const HOME = "https://gate.example.org";

let authority: Authority;
let browser: Browser;

beforeEach(async () => {
	authority = await openAuthority({
		issuer: "http://localhost:8080",
		publicUrl: HOME,
	});
	browser = openBrowser(authority);
	await signIn(browser);
	const { id } = createServer(
		authority.db,
		"linear",
		{
			transport: {
				kind: "http",
				url: "https://linear.example/mcp",
				mode: "auto",
				headers: {},
			},
			slots: [
				{
					name: "TEAM",
					injection: "header",
					target: "X-Team",
					personal: true,
					optional: false,
				},
			],
			access: "everyone",
			tools: null,
			enabled: true,
		},
		authority.now(),
	);
	noteService(
		authority.db,
		id,
		{ metadataUrl: null, challengeScope: null },
		authority.now(),
	);
});
afterEach(() => authority.stop());

test("at a door beside the gateway's name a service is not signed in to; the page leads to where it is", async () => {
	const html = await (await browser.get("/connect/linear")).text();
	expect(html).toContain(`href="${HOME}/connect/linear"`);
	expect(html).not.toContain('value="sign-in"');
	const sent = await browser.post("/connect/linear", {
		do: "sign-in",
		csrf: csrfOf(html),
	});
	expect(sent.status).toBe(303);
	expect(sent.headers.get("Location")).toBe("/connect/linear");
});

test("a secret of one's own can be given at a door", async () => {
	const html = await (await browser.get("/connect/linear")).text();
	const saved = await browser.post("/connect/linear", {
		do: "secrets",
		"secret:TEAM": "red",
		csrf: csrfOf(html),
	});
	expect(saved.headers.get("Location")).toBe("/connect/linear?saved");
});
