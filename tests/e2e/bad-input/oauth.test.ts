/**
 * Bad authorization and token requests: what is told to the client, what to the person, and what stays unspent.
 *
 * @see RFC 6749 3.1, 3.2, 4.1.2.1, 5.2; RFC 7636; RFC 8707 2; RFC 9207
 */
import {
	afterAll,
	beforeAll,
	describe,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import { REDIRECT_URI } from "../../support/clients/client.ts";
import type { Sdk2Client } from "../../support/clients/sdk2.ts";
import type { Gateway } from "../../support/gateway.ts";
import { type GoodServer, startGoodServer } from "./good-server.ts";

setDefaultTimeout(60_000);

let gateway: Gateway;
let client: Sdk2Client;
let endpoint: string;

let good: GoodServer;

beforeAll(async () => {
	good = await startGoodServer();
	({ gateway, endpoint, client } = good);
}, 120_000);

afterAll(() => good?.stop());

describe("an authorization request", () => {
	let clientId: string;

	beforeAll(async () => {
		const registered = await fetch(`${gateway.url}/register`, {
			method: "POST",
			headers: { "Content-Type": "application/json" },
			body: JSON.stringify({
				client_name: "bad input",
				redirect_uris: [REDIRECT_URI],
				token_endpoint_auth_method: "none",
			}),
		});
		clientId = ((await registered.json()) as { client_id: string }).client_id;
	});

	function parameters(
		changes: Readonly<Record<string, string | null>> = {},
	): URLSearchParams {
		const all: Record<string, string | null> = {
			response_type: "code",
			client_id: clientId,
			redirect_uri: REDIRECT_URI,
			state: "s",
			code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
			code_challenge_method: "S256",
			resource: endpoint,
			...changes,
		};
		return new URLSearchParams(
			Object.entries(all).filter(
				(pair): pair is [string, string] => pair[1] !== null,
			),
		);
	}

	async function authorize(query: URLSearchParams): Promise<Response> {
		return fetch(`${gateway.url}/authorize?${query}`, { redirect: "manual" });
	}

	async function redirectOf(query: URLSearchParams): Promise<URLSearchParams> {
		const response = await authorize(query);
		const location = response.headers.get("Location") ?? "";
		expect(location).toStartWith(`${REDIRECT_URI}?`);
		return new URL(location).searchParams;
	}

	const toClient = {
		"a parameter that stands twice (RFC 6749 3.1)": {
			query: () => {
				const query = parameters();
				query.append("state", "t");
				return query;
			},
			error: "invalid_request",
		},
		"a resource that is not ours (RFC 8707 2)": {
			query: () => parameters({ resource: "https://elsewhere.example/mcp" }),
			error: "invalid_target",
		},
		"two resources": {
			query: () => {
				const query = parameters();
				query.append("resource", gateway.endpoint("good"));
				return query;
			},
			error: "invalid_target",
		},
		"no PKCE (OAuth 2.1 section 4.1.1)": {
			query: () =>
				parameters({ code_challenge: null, code_challenge_method: null }),
			error: "invalid_request",
		},
		"plain PKCE": {
			query: () => parameters({ code_challenge_method: "plain" }),
			error: "invalid_request",
		},
		"another response type": {
			query: () => parameters({ response_type: "token" }),
			error: "unsupported_response_type",
		},
	};
	for (const [what, { query, error }] of Object.entries(toClient))
		test(`with ${what} is told to the client: ${error}, with our issuer (RFC 9207)`, async () => {
			const answer = await redirectOf(query());
			expect(answer.get("error")).toBe(error);
			expect(answer.get("iss")).toBe(gateway.url);
			expect(answer.has("code")).toBe(false);
		});

	const toPerson = {
		"an unknown client": () => parameters({ client_id: "cli_unknown" }),
		"an unknown redirect URI": () =>
			parameters({ redirect_uri: "https://evil.example/callback" }),
		"two redirect URIs": () => {
			const query = parameters();
			query.append("redirect_uri", "https://evil.example/callback");
			return query;
		},
		"two clients": () => {
			const query = parameters();
			query.append("client_id", "cli_other");
			return query;
		},
	};
	for (const [what, query] of Object.entries(toPerson))
		test(`with ${what} is a page and never a redirect (RFC 6749 4.1.2.1)`, async () => {
			const response = await authorize(query());
			expect(response.status).toBe(400);
			expect(response.headers.get("Location")).toBeNull();
			expect(response.headers.get("Content-Type")).toStartWith("text/html");
			expect(await response.text()).not.toContain('evil.example/callback"');
		});
});

describe("a token request", () => {
	async function ask(
		body: string,
		type = "application/x-www-form-urlencoded",
	): Promise<[number, string]> {
		const response = await fetch(`${gateway.url}/token`, {
			method: "POST",
			headers: { "Content-Type": type },
			body,
		});
		expect(response.headers.get("Cache-Control")).toBe("no-store");
		return [
			response.status,
			((await response.json()) as { error: string }).error,
		];
	}

	test("with a parameter that stands twice is invalid_request (RFC 6749 3.2)", async () => {
		expect(
			await ask(
				"grant_type=refresh_token&grant_type=refresh_token&refresh_token=x",
			),
		).toEqual([400, "invalid_request"]);
	});

	test("in JSON is invalid_request", async () => {
		const [status, error] = await ask(
			'{"grant_type":"refresh_token"}',
			"application/json",
		);
		expect(error).toBe("invalid_request");
		expect([400, 415]).toContain(status);
	});

	test("with another grant type is unsupported_grant_type (RFC 6749 5.2)", async () => {
		const { clientId } = client.credentials();
		expect(await ask(`grant_type=password&client_id=${clientId}`)).toEqual([
			400,
			"unsupported_grant_type",
		]);
	});

	test("with a refresh token for a resource that is not ours is invalid_target, and the token still works", async () => {
		const { clientId, refreshToken } = client.credentials();
		const query = new URLSearchParams({
			grant_type: "refresh_token",
			client_id: clientId,
			refresh_token: refreshToken,
			resource: "https://elsewhere.example/mcp",
		});
		expect(await ask(query.toString())).toEqual([400, "invalid_target"]);
		query.set("resource", endpoint);
		const response = await fetch(`${gateway.url}/token`, {
			method: "POST",
			body: query,
		});
		expect(response.status).toBe(200);
	});
});
