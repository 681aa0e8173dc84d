/** The page where a person connects a service; whole journeys are `e2e/connect.test.ts`. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { noteService } from "../../src/store/server-services.ts";
import { createServer, findServer } from "../../src/store/servers.ts";
import {
	createSignIn,
	type SignIn,
	takeSignIn,
} from "../../src/store/sign-ins.ts";
import {
	type Authority,
	type Browser,
	csrfOf,
	OWNER,
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

function logins(): readonly { hash: Uint8Array; userId: string }[] {
	return authority.db
		.query<{ hash: Uint8Array; userId: string }, []>(
			"SELECT hash, user_id AS userId FROM logins",
		)
		.all();
}

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

test("who comes back from a service and is not signed in is told so, and led to where to begin again", async () => {
	const stranger = openBrowser(authority);
	const back = await stranger.get("/connect/linear/callback?code=c0&state=s0");
	expect(back.status).toBe(403);
	const html = await back.text();
	expect(html).toContain("Nothing was connected.");
	// The code and the state are good under the login that asked for them alone, and are carried nowhere.
	expect(html).not.toMatch(/c0|s0/);
	const [, way = ""] = /href="(\/login[^"]+)"/.exec(html) ?? [];
	const csrf = csrfOf(await (await stranger.get(way)).text());
	const next = new URLSearchParams(way.split("?")[1]).get("next") ?? "";
	const entered = await stranger.post("/login", { ...OWNER, csrf, next });
	expect(entered.headers.get("Location")).toBe("/connect/linear");
	expect((await stranger.get("/connect/linear")).status).toBe(200);
});

test.each(["", "%2F%2Fevil.example", "..%2F..%2Fapi", "%0d%0aX"])(
	"a link to a callback of %p shows none of it, and leads nowhere else",
	async (slug) => {
		const html = await (
			await openBrowser(authority).get(`/connect/${slug}/callback`)
		).text();
		const [, way = ""] = /href="(\/login[^"]+)"/.exec(html) ?? [];
		expect(way).toStartWith("/login?next=%2Fconnect%2F");
		expect(html.replace(way, "")).not.toMatch(/evil|\/api|<script>/);
	},
);

test("a sign-in that is under way goes on after its person proved who they are, under their new cookie alone", async () => {
	const [before] = logins();
	createSignIn(authority.db, {
		stateHash: new Uint8Array(32).fill(1),
		loginHash: before?.hash as Uint8Array,
		userId: before?.userId as string,
		serverId: findServer(authority.db, "linear")?.id as string,
		request: new Uint8Array(1),
		expiresAt: authority.now() + 600,
	});
	const csrf = csrfOf(await (await browser.get("/reauthenticate")).text());
	const proved = await browser.post("/reauthenticate", { ...OWNER, csrf });
	expect(proved.status).toBe(303);
	const [after] = logins();
	expect(after?.hash).not.toEqual(before?.hash as Uint8Array);
	const take = (loginHash: Uint8Array): SignIn | null =>
		takeSignIn(
			authority.db,
			{
				stateHash: new Uint8Array(32).fill(1),
				loginHash,
				serverId: findServer(authority.db, "linear")?.id as string,
			},
			authority.now(),
		);
	expect(take(before?.hash as Uint8Array)).toBeNull();
	expect(take(after?.hash as Uint8Array)).not.toBeNull();
});
