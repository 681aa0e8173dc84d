/** F. Registration and client documents (research/oauth.md 5, 70–82). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { authorizeQuery, REDIRECT, register } from "../oauth/authority.ts";
import {
	expectAsked,
	expectError,
	expectPage,
	openTarget,
	type Target,
} from "./target.ts";

setDefaultTimeout(60_000);

let target: Target;
let trap: ReturnType<typeof Bun.serve>;
let caught: string[] = [];

beforeAll(async () => {
	target = await openTarget();
	trap = Bun.serve({
		port: 0,
		hostname: "127.0.0.1",
		fetch: (request) => {
			caught.push(request.url);
			return new Response("caught");
		},
	});
});
afterAll(async () => {
	await trap?.stop(true);
	await target?.stop();
});

function post(
	body: string,
	headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
	return target.send("/register", {
		method: "POST",
		headers: { "Content-Type": "application/json", ...headers },
		body,
	});
}

test("71: metadata that is huge, or of the wrong shape", async () => {
	const uris = [REDIRECT];
	for (const [body, status] of [
		[JSON.stringify({ redirect_uris: uris, x: "x".repeat(5e6) }), 413],
		[
			JSON.stringify({
				redirect_uris: Array.from({ length: 1000 }, () => REDIRECT),
			}),
			[400, 413],
		],
		[JSON.stringify({ redirect_uris: [[REDIRECT]] }), 400],
		[JSON.stringify({ redirect_uris: [REDIRECT, null] }), 400],
		[JSON.stringify({ redirect_uris: REDIRECT }), 400],
		[JSON.stringify({ redirect_uris: { 0: REDIRECT, length: 1 } }), 400],
		[JSON.stringify({ redirect_uris: uris, client_name: 7 }), 400],
		[JSON.stringify({ redirect_uris: uris, grant_types: "x" }), 400],
		[JSON.stringify({ redirect_uris: uris, response_types: [1] }), 400],
		[JSON.stringify({ redirect_uris: [] }), 400],
		["[]", 400],
		["null", 400],
		['"x"', 400],
		["{", 400],
		["", 400],
		["[".repeat(10_000), 400],
	] as const) {
		const answer = await post(body);
		const expected: readonly number[] = [status].flat();
		expect(expected, body.slice(0, 80)).toContain(answer.status);
		expect(await answer.text()).toStartWith('{"error":"invalid_');
	}
});

test("72: nothing that the metadata points at is fetched or kept", async () => {
	caught = [];
	const url = `${trap.url}canary`;
	const client = await register(target, {
		jwks_uri: url,
		sector_identifier_uri: url,
		request_uris: [url],
		software_statement: "e30.e30.",
		backchannel_logout_uri: url,
		logo_uri: url,
		client_uri: url,
		tos_uri: url,
		policy_uri: url,
	});
	expect(JSON.stringify(client)).not.toContain("canary");
	expectAsked(await target.send(`/authorize${authorizeQuery(client)}`));
	expect(caught).toEqual([]);
});

test("73: what a client may not choose has no effect", async () => {
	const answer = await post(
		JSON.stringify({
			redirect_uris: [REDIRECT],
			token_endpoint_auth_method: "none",
			client_id: "cli_mine",
			client_secret: "mine",
			skip_consent: true,
			scope: "admin",
			approved_at: 1,
			kind: "made",
			user_id: "usr_owner",
		}),
	);
	expect(answer.status).toBe(201);
	const text = await answer.text();
	for (const word of ["mine", "admin", "skip_consent", "usr_owner", "made"])
		expect(text).not.toContain(word);
});

test("74: nobody reads or changes a client", async () => {
	const client = await register(target);
	const path = `/register/${client.client_id}`;
	for (const method of ["GET", "PUT", "DELETE"]) {
		const answer = await target.send(path, { method });
		expect([401, 404, 405], method).toContain(answer.status);
		expect(await answer.text()).not.toContain(REDIRECT);
	}
	expect(client).not.toHaveProperty("registration_client_uri");
	expect(client).not.toHaveProperty("registration_access_token");
	expectAsked(await target.send(`/authorize${authorizeQuery(client)}`));
});

function authorizeAs(id: string): Promise<Response> {
	return target.send(`/authorize${authorizeQuery({ client_id: id })}`);
}

test("75: a document's URL that is not plainly one", async () => {
	for (const id of [
		"http://client.evil/c.json",
		"https://client.evil",
		"https://client.evil/",
		"https://client.evil/c.json#f",
		"https://user:pw@client.evil/c.json",
		"https://client.evil/a/../c.json",
		"https://client.evil/a/%2e%2e/c.json",
		"https://client.evil/c\u0000.json",
		"https://client.evil/c\n.json",
		"https://192.0.2.1/c.json",
		"https://[2001:db8::1]/c.json",
		"https://client.evil:8443/c.json",
		"https://cli\u0435nt.evil/c.json",
		`https://client.evil/${"x".repeat(3000)}`,
	])
		await expectPage(await authorizeAs(id), id.slice(0, 60));
});

test("76: a document on this machine or a private network is not connected to", async () => {
	caught = [];
	for (const host of [
		"localhost",
		`localhost:${trap.port}`,
		"app.localhost",
		"127.0.0.1",
		`127.0.0.1:${trap.port}`,
		"169.254.169.254",
		"10.0.0.1",
		"100.64.0.1",
		"[::1]",
		"[fd00::1]",
		"[::ffff:10.0.0.1]",
		"[64:ff9b::a00:1]",
		"0.0.0.0",
		"2130706433",
		"0x7f.1",
	])
		await expectPage(await authorizeAs(`https://${host}/c.json`), host);
	expect(caught).toEqual([]);
});

test("79: a document that cannot be read is one generic page, also the second time", async () => {
	const id = "https://nothing.invalid/c.json";
	const first = await (await authorizeAs(id)).text();
	const second = await (await authorizeAs(id)).text();
	expect(second).toBe(first);
	expect(first).not.toContain("nothing.invalid");
});

test("82: a known vendor's client is served, whether or not its document can be reached", async () => {
	const id = "https://claude.ai/oauth/claude-code-client-metadata";
	const query = authorizeQuery(
		{ client_id: id },
		{ redirect_uri: "http://localhost:58135/callback" },
	);
	expectAsked(await target.send(`/authorize${query}`));
});

test("82: with documents switched off, the metadata says so and none is used", async () => {
	const metadata = async (): Promise<Record<string, unknown>> => {
		const path = "/.well-known/oauth-authorization-server";
		return (await (await target.send(path)).json()) as never;
	};
	const flag = "client_id_metadata_document_supported";
	expect((await metadata())[flag]).toBe(true);
	await target.gateway.cli(["clients", "policy", "--documents", "off"]);
	expect((await metadata())[flag]).toBe(false);
	await expectPage(
		await authorizeAs("https://claude.ai/oauth/claude-code-client-metadata"),
	);
	await target.gateway.cli(["clients", "policy", "--documents", "on"]);
	expect((await metadata())[flag]).toBe(true);
});

test("70: registrations of one address, and of all together, have a bound", async () => {
	const body = JSON.stringify({ redirect_uris: [REDIRECT] });
	const statuses: number[] = [];
	for (let at = 0; at < 25; at++)
		statuses.push(
			(await post(body, { "X-Forwarded-For": "192.0.2.70" })).status,
		);
	expect(statuses.filter((status) => status === 201)).toHaveLength(20);
	const last = await post(body, { "X-Forwarded-For": "192.0.2.70" });
	await expectError(last, 429, "temporarily_unavailable");
	expect(Number(last.headers.get("Retry-After"))).toBeGreaterThan(0);
	let accepted = 0;
	for (let at = 0; at < 250; at++) {
		const answer = await post(body, {
			"X-Forwarded-For": `198.51.${at >> 8}.${at & 255}`,
		});
		if (answer.status === 201) accepted++;
		else expect(answer.status).toBe(429);
	}
	expect(accepted).toBeLessThan(200);
	const list = JSON.parse(
		await target.gateway.cli(["clients", "list", "--json"]),
	);
	expect(list.clients.length).toBeLessThan(210);
});
