/**
 * Real clients: each discovers, registers, signs in through the real forms, lists, calls, has its access token taken
 * away, refreshes by itself and calls again. What the clients do is their own code; see `tests/support/clients/`.
 *
 * @see specification 2026-07-28 and 2025-11-25, basic/authorization; RFC 9728, 8414, 7591, 7636, 6749 section 6, 9207
 */
import {
	afterAll,
	beforeAll,
	describe,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import * as oauth from "openid-client";
import { csrfOf, formOf, openBrowser, signIn } from "../oauth/authority.ts";
import { createBrowser } from "../support/browser.ts";
import {
	type McpClient,
	REDIRECT_URI,
	revokeAccessToken,
} from "../support/clients/client.ts";
import {
	createInspector,
	inspectorTools,
} from "../support/clients/inspector.ts";
import {
	createMcpRemote,
	mcpRemoteTools,
} from "../support/clients/mcp-remote.ts";
import { createOpenIdClient, PLAIN_OAUTH } from "../support/clients/openid.ts";
import { createSdk1Client } from "../support/clients/sdk1.ts";
import { createSdk2Client } from "../support/clients/sdk2.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { fixtureCommand, stdioFlags } from "../support/processes.ts";
import { describeWith, type Tool } from "../support/tools.ts";
import { sendModern } from "../support/wire.ts";

setDefaultTimeout(60_000);

let gateway: Gateway;

beforeAll(async () => {
	gateway = await startGateway();
	for (const name of ["modern", "legacy"] as const) {
		await gateway.cli([
			...["servers", "add", name],
			...stdioFlags(fixtureCommand(name, "stdio")),
		]);
	}
});

afterAll(() => gateway?.stop());

type Case = {
	readonly name: string;
	readonly tools: readonly Tool[];
	/** What it says of itself; undefined: nothing. */
	readonly revision: string | undefined;
	readonly create: (endpoint: string) => McpClient;
};

const CASES: readonly Case[] = [
	{
		name: "the Inspector in the modern era",
		tools: inspectorTools(),
		revision: "2026-07-28",
		create: (endpoint) => createInspector(endpoint, "modern"),
	},
	{
		name: "the Inspector in the legacy era",
		tools: inspectorTools(),
		revision: "2025-11-25",
		create: (endpoint) => createInspector(endpoint, "legacy"),
	},
	{
		name: "the SDK v1 client",
		tools: [],
		revision: "2025-11-25",
		create: createSdk1Client,
	},
	{
		name: "mcp-remote, from npm",
		tools: mcpRemoteTools(),
		revision: undefined,
		create: createMcpRemote,
	},
	{
		name: "openid-client, which knows nothing of MCP",
		tools: [],
		revision: "2026-07-28",
		create: createOpenIdClient,
	},
	{
		name: "the SDK v2 client in the legacy era",
		tools: [],
		revision: "2025-11-25",
		create: (endpoint) => createSdk2Client(endpoint, { mode: "legacy" }),
	},
	{
		name: "the SDK v2 client that finds the era out",
		tools: [],
		revision: "2026-07-28",
		create: (endpoint) => createSdk2Client(endpoint, { mode: "auto" }),
	},
	{
		name: "the SDK v2 client pinned to the modern era",
		tools: [],
		revision: "2026-07-28",
		create: (endpoint) =>
			createSdk2Client(endpoint, { mode: { pin: "2026-07-28" } }),
	},
];

for (const { name, tools, revision, create } of CASES)
	describeWith(tools, name, () => {
		test("signs in, lists, calls, refreshes and calls again", async () => {
			const client = create(gateway.endpoint());
			await client.signIn(createBrowser(gateway.owner));
			expect(await client.revision()).toBe(revision);

			const listed = await client.listTools();
			expect(listed).toContain("modern_echo");
			expect(listed).toContain("legacy_echo");
			expect(await client.callTool("modern_echo", { text: "first" })).toBe(
				"first",
			);

			const before = client.credentials();
			await revokeAccessToken(gateway.url, before);
			expect(await client.callTool("legacy_echo", { text: "second" })).toBe(
				"second",
			);
			const after = client.credentials();
			expect(after.clientId).toBe(before.clientId);
			expect(after.accessToken).not.toBe(before.accessToken);
			// OAuth 2.1 section 4.3.1: a public client's refresh token is rotated.
			expect(after.refreshToken).not.toBe(before.refreshToken);
			expect(await client.callTool("modern_echo", { text: "third" })).toBe(
				"third",
			);
			await client.close();
		});

		test("signs in at one server's own endpoint and finds its names untouched", async () => {
			const client = create(gateway.endpoint("modern"));
			await client.signIn(createBrowser(gateway.owner));
			expect(await client.listTools()).toContain("echo");
			expect(await client.callTool("echo", { text: "here" })).toBe("here");
			await client.close();
		});
	});

describe("a person who says no", () => {
	test("the client is told access_denied, with its state and our issuer (RFC 6749 4.1.2.1, RFC 9207)", async () => {
		const registration = await fetch(`${gateway.url}/register`, {
			method: "POST",
			headers: { "Content-Type": "application/json" },
			body: JSON.stringify({
				client_name: "refused",
				redirect_uris: [REDIRECT_URI],
				token_endpoint_auth_method: "none",
			}),
		});
		expect(registration.status).toBe(201);
		const { client_id } = (await registration.json()) as { client_id: string };
		const url = new URL("/authorize", gateway.url);
		url.search = new URLSearchParams({
			response_type: "code",
			client_id,
			redirect_uri: REDIRECT_URI,
			state: "kept",
			code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
			code_challenge_method: "S256",
			resource: gateway.endpoint(),
		}).toString();
		const { searchParams } = await createBrowser(gateway.owner).authorize(
			url,
			REDIRECT_URI,
			"deny",
		);
		expect(searchParams.get("error")).toBe("access_denied");
		expect(searchParams.get("state")).toBe("kept");
		expect(searchParams.get("iss")).toBe(gateway.url);
		expect(searchParams.has("code")).toBe(false);
	});
});

test("openid-client signs in by a device code, with the person elsewhere (RFC 8628)", async () => {
	await gateway.cli(["clients", "policy", "--device", "on"]);
	const resource = gateway.endpoint("modern");
	const config = await oauth.dynamicClientRegistration(
		new URL(gateway.url),
		{
			client_name: "A device",
			redirect_uris: [REDIRECT_URI],
			token_endpoint_auth_method: "none",
		},
		oauth.None(),
		PLAIN_OAUTH,
	);
	const started = await oauth.initiateDeviceAuthorization(config, { resource });
	const person = openBrowser({
		issuer: gateway.url,
		send: (path, init) =>
			fetch(new URL(path, gateway.url), { ...init, redirect: "manual" }),
	});
	await signIn(person, gateway.owner);
	const { user_code } = started;
	const csrf = csrfOf(await (await person.get("/device")).text());
	const asked = await person.post("/device", { csrf, user_code });
	await person.post("/device", {
		...formOf(await asked.text()),
		user_code,
		decision: "allow",
	});
	const tokens = await oauth.pollDeviceAuthorizationGrant(config, started);
	const answer = await sendModern(resource, tokens.access_token, "tools/call", {
		name: "echo",
		arguments: { text: "from afar" },
	});
	expect(answer.text).toContain("from afar");
});
