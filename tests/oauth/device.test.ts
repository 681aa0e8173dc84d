/** The device flow between a device, which has no browser, and a person, who has one. @see RFC 8628 */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { changeClientPolicy } from "../../src/oauth/policy.ts";
import { DEVICE_GRANT } from "../../src/store/device-codes.ts";
import {
	type Authority,
	type Browser,
	type Client,
	csrfOf,
	formOf,
	judge,
	openAuthority,
	openBrowser,
	refresh,
	register,
	requestToken,
	signIn,
	type TokenAnswer,
} from "./authority.ts";

let authority: Authority;
let client: Client;
let browser: Browser;

beforeEach(async () => {
	authority = await openAuthority();
	changeClientPolicy(authority.db, { device: true });
	client = await register(authority, { client_name: "A television" });
	browser = openBrowser(authority);
	await signIn(browser);
});
afterEach(() => authority.stop());

type Started = {
	readonly device_code: string;
	readonly user_code: string;
	readonly interval: number;
	readonly [member: string]: unknown;
};

async function start(
	fields: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly body: Started }> {
	const response = await authority.send("/device_authorization", {
		method: "POST",
		headers: { "User-Agent": "tv/1" },
		body: new URLSearchParams({ client_id: client.client_id, ...fields }),
	});
	return { status: response.status, body: (await response.json()) as Started };
}

function poll(
	{ device_code }: Started,
	fields: Readonly<Record<string, string>> = {},
): Promise<TokenAnswer> {
	return requestToken(authority, {
		grant_type: DEVICE_GRANT,
		client_id: client.client_id,
		device_code,
		...fields,
	});
}

/** Types a code; the page that comes back. */
async function type(code: string): Promise<Response> {
	const csrf = csrfOf(await (await browser.get("/device")).text());
	return browser.post("/device", { csrf, user_code: code });
}

async function decide(
	code: string,
	decision: "allow" | "deny",
): Promise<Response> {
	const html = await (await type(code)).text();
	return browser.post("/device", {
		...formOf(html),
		user_code: code,
		decision,
	});
}

test("a person types the code, allows, and the device gets tokens that work and refresh", async () => {
	const { status, body } = await start();
	expect(status).toBe(200);
	expect(body).toMatchObject({
		verification_uri: "https://gw.example/device",
		expires_in: 600,
		interval: 5,
	});
	expect(body["verification_uri_complete"]).toBeUndefined();
	expect(body.user_code).toMatch(
		/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/,
	);
	expect((await poll(body)).error).toBe("authorization_pending");
	const html = await (
		await type(body.user_code.toLowerCase().replace("-", " "))
	).text();
	expect(html).toContain("A television");
	expect(html).toContain("tv/1");
	expect((await decide(body.user_code, "allow")).status).toBe(200);
	authority.advance(5);
	const tokens = await poll(body);
	expect(tokens).toMatchObject({ status: 200, scope: "mcp" });
	expect(judge(authority, tokens.access_token).ok).toBe(true);
	expect((await refresh(authority, client, tokens.refresh_token)).status).toBe(
		200,
	);
	authority.advance(5);
	expect((await poll(body)).error).toBe("invalid_grant");
	const clients = await (await browser.get("/clients")).text();
	expect(clients).toContain("a device that showed a code");
});

test("a device that asks too often is slowed down by five seconds each time (RFC 8628 3.5)", async () => {
	const { body } = await start();
	expect((await poll(body)).error).toBe("authorization_pending");
	authority.advance(4);
	expect((await poll(body)).error).toBe("slow_down");
	authority.advance(9);
	expect((await poll(body)).error).toBe("slow_down");
	await decide(body.user_code, "allow");
	authority.advance(14);
	expect((await poll(body)).error).toBe("slow_down");
	authority.advance(20);
	expect((await poll(body)).status).toBe(200);
});

test("what a person unticks is not granted", async () => {
	const { body } = await start();
	const form = formOf(await (await type(body.user_code)).text());
	const { "server:files": _, later: __, ...fewer } = form;
	await browser.post("/device", {
		...fewer,
		user_code: body.user_code,
		decision: "allow",
	});
	expect((await poll(body)).scope).toBe("mcp:memory");
});

test("a refusal is access_denied, an old code expired_token, and each says so once", async () => {
	const denied = (await start()).body;
	await decide(denied.user_code, "deny");
	expect((await poll(denied)).error).toBe("access_denied");
	const old = (await start()).body;
	authority.advance(601);
	expect((await poll(old)).error).toBe("expired_token");
	expect((await type(old.user_code)).status).toBe(422);
});

test("another client's device code, another resource, and a made-up code give nothing and cost nothing", async () => {
	const other = await register(authority);
	const { body } = await start({ resource: "https://gw.example/mcp/files" });
	await decide(body.user_code, "allow");
	expect((await poll(body, { client_id: other.client_id })).error).toBe(
		"invalid_grant",
	);
	expect((await poll(body, { resource: "https://gw.example/mcp" })).error).toBe(
		"invalid_target",
	);
	expect(
		(await poll(body, { device_code: `${body.device_code}x` })).error,
	).toBe("invalid_grant");
	expect((await poll(body)).scope).toBe("mcp:files");
});

test("while it is off there is no endpoint, no grant type, no page and nothing in the metadata", async () => {
	const { body } = await start();
	const metadata = async (): Promise<string> =>
		(await authority.send("/.well-known/oauth-authorization-server")).text();
	expect(await metadata()).toContain("https://gw.example/device_authorization");
	expect(await metadata()).toContain(DEVICE_GRANT);
	changeClientPolicy(authority.db, { device: false });
	expect(await metadata()).not.toContain("device");
	expect((await start()).status).toBe(404);
	expect((await poll(body)).error).toBe("unsupported_grant_type");
	expect((await browser.get("/device")).status).toBe(404);
});

test("a client that waits for an administrator gets no code", async () => {
	client = await register(authority, {
		redirect_uris: ["https://elsewhere.example/cb"],
	});
	expect((await start()).body["error"]).toBe("unauthorized_client");
});

test("codes are given sparingly: ten in ten minutes to an address, a thousand altogether", async () => {
	const crowded = await openAuthority({ address: () => "192.0.2.9" });
	changeClientPolicy(crowded.db, { device: true });
	const { client_id } = await register(crowded);
	const answers: number[] = [];
	for (let n = 0; n < 11; n++)
		answers.push(
			(
				await crowded.send("/device_authorization", {
					method: "POST",
					body: new URLSearchParams({ client_id }),
				})
			).status,
		);
	expect(answers.slice(-2)).toEqual([200, 429]);
	crowded.stop();
	for (let n = 0; n < 1000; n++) expect((await start()).status).toBe(200);
	expect((await start()).status).toBe(429);
});

test("who was disabled after they allowed it allows nothing", async () => {
	const { body } = await start();
	await decide(body.user_code, "allow");
	authority.db.run("UPDATE users SET disabled_at = 1");
	expect((await poll(body)).error).toBe("invalid_grant");
});
