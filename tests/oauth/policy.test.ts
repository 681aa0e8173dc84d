/** Which clients may come by themselves (research/oauth.md 1.6). */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	changeClientPolicy,
	type RegistrationMode,
} from "../../src/oauth/policy.ts";
import { approveClient } from "../../src/store/clients.ts";
import {
	type Authority,
	allow,
	authorizeQuery,
	openAuthority,
	openBrowser,
	REDIRECT,
	register,
	signIn,
} from "./authority.ts";

const OWN_HOST = "https://chat.example.org/api/mcp/gw/oauth/callback";

let authority: Authority;

beforeEach(async () => {
	authority = await openAuthority();
});
afterEach(() => authority.stop());

function setMode(registration: RegistrationMode): void {
	changeClientPolicy(authority.db, { registration });
}

async function ask(redirectUri: string): Promise<Response> {
	const client = await register(authority, { redirect_uris: [redirectUri] });
	const browser = openBrowser(authority);
	await signIn(browser);
	return browser.get(
		`/authorize${authorizeQuery(client, { redirect_uri: redirectUri })}`,
	);
}

async function metadata(): Promise<Record<string, unknown>> {
	const response = await authority.send(
		"/.well-known/oauth-authorization-server",
	);
	return (await response.json()) as Record<string, unknown>;
}

describe("in mode", () => {
	for (const [mode, loopback, other] of [
		["known", 200, 403],
		["approve", 403, 403],
		["open", 200, 200],
	] as const)
		test(`${mode} a client on this computer is answered ${loopback}, one on another host ${other}`, async () => {
			setMode(mode);
			expect((await ask(REDIRECT)).status).toBe(loopback);
			expect((await ask(OWN_HOST)).status).toBe(other);
		});

	test("off nobody registers, and the metadata does not say how", async () => {
		expect(await metadata()).toHaveProperty("registration_endpoint");
		setMode("off");
		expect(await metadata()).not.toHaveProperty("registration_endpoint");
		expect(register(authority)).rejects.toThrow("403");
	});

	test("open a plain http host and an odd scheme are still refused", async () => {
		setMode("open");
		for (const uri of ["http://evil.example/cb", "javascript:alert(1)"])
			expect(register(authority, { redirect_uris: [uri] })).rejects.toThrow(
				"invalid_redirect_uri",
			);
	});
});

test("a client that waits is shown with how to let it in, and asks once it is let in", async () => {
	const client = await register(authority, {
		client_name: "Our chat",
		redirect_uris: [OWN_HOST],
	});
	const query = authorizeQuery(client, { redirect_uri: OWN_HOST });
	const page = await authority.send(`/authorize${query}`);
	expect(page.status).toBe(403);
	expect(page.headers.get("Location")).toBeNull();
	const html = await page.text();
	expect(html).toContain(`sallyport clients approve ${client.client_id}`);
	expect(html).toContain("chat.example.org");
	expect(approveClient(authority.db, client.client_id, authority.now())).toBe(
		true,
	);
	expect((await allow(authority, query)).host).toBe("chat.example.org");
});

test("a client that waits is not answered at an address it did not register", async () => {
	const client = await register(authority, { redirect_uris: [OWN_HOST] });
	const page = await authority.send(
		`/authorize${authorizeQuery(client, { redirect_uri: "https://evil.example/cb" })}`,
	);
	expect(page.status).toBe(400);
});

test("a client with one known callback keeps that one and does not wait", async () => {
	const client = await register(authority, {
		redirect_uris: [OWN_HOST, REDIRECT],
	});
	expect(client).toMatchObject({ redirect_uris: [REDIRECT] });
	await allow(authority, authorizeQuery(client));
});

test("without documents the metadata does not offer them and no document is read", async () => {
	expect(await metadata()).toHaveProperty(
		"client_id_metadata_document_supported",
		true,
	);
	changeClientPolicy(authority.db, { documents: false });
	expect(await metadata()).toHaveProperty(
		"client_id_metadata_document_supported",
		false,
	);
	const page = await authority.send(
		`/authorize${authorizeQuery(
			{ client_id: "https://claude.ai/oauth/claude-code-client-metadata" },
			{ redirect_uri: "http://localhost:58135/callback" },
		)}`,
	);
	expect(page.status).toBe(400);
});
