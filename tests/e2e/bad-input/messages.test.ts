/**
 * Bad messages and bad credentials at the endpoint: each case names the whole expected answer (status, code, text),
 * and after all of them a good request still works.
 *
 * @see JSON-RPC 2.0 section 5.1; specification 2026-07-28, basic/transports/streamable-http; RFC 6750, 9728
 */
import {
	afterAll,
	beforeAll,
	describe,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import { signedIn } from "../../support/clients/sdk2.ts";
import type { Gateway } from "../../support/gateway.ts";
import {
	modernRequest,
	openLegacySession,
	send,
	sendModern,
	type WireAnswer,
} from "../../support/wire.ts";
import { ECHO, type GoodServer, startGoodServer } from "./good-server.ts";

setDefaultTimeout(60_000);

let gateway: Gateway;
let token: string;
let endpoint: string;

let good: GoodServer;

beforeAll(async () => {
	good = await startGoodServer();
	({ gateway, endpoint, token } = good);
}, 120_000);

afterAll(() => good?.stop());

const LIST = JSON.stringify(modernRequest("tools/list"));

type BadMessage = {
	readonly what: string;
	readonly send: () => Promise<WireAnswer>;
	readonly status: number;
	readonly code?: number;
	readonly text?: RegExp;
};

const modernHeaders = {
	"MCP-Protocol-Version": "2026-07-28",
	"Mcp-Method": "tools/list",
};

const BAD_MESSAGES: readonly BadMessage[] = [
	{
		what: "a body that is not JSON",
		send: () => send(endpoint, token, "{not json"),
		status: 400,
		code: -32700,
		text: /not JSON/,
	},
	{
		what: "a body that is not UTF-8",
		send: () => send(endpoint, token, new Uint8Array([0x22, 0xff, 0x22])),
		status: 400,
		code: -32700,
		text: /UTF-8/,
	},
	{
		what: "no body",
		send: () => send(endpoint, token, ""),
		status: 400,
		code: -32700,
	},
	{
		what: "JSON that is not a message",
		send: () => send(endpoint, token, '{"hello":"there"}'),
		status: 400,
		code: -32600,
		text: /jsonrpc/,
	},
	{
		what: "a batch, which no revision we speak has (2025-06-18, changelog 1)",
		send: () => send(endpoint, token, `[${LIST}]`),
		status: 400,
		code: -32600,
		text: /batch/,
	},
	{
		what: "a member that stands twice",
		send: () =>
			send(
				endpoint,
				token,
				'{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}',
			),
		status: 400,
		code: -32600,
		text: /twice/,
	},
	{
		what: "a body of 6 MB",
		send: () =>
			send(
				endpoint,
				token,
				LIST.replace('"id"', `"x":"${"x".repeat(6_000_000)}","id"`),
			),
		status: 413,
		code: -32600,
		text: /larger than 4 MiB/,
	},
	{
		what: "a wrong content type",
		send: () =>
			send(endpoint, token, LIST, {
				headers: { "Content-Type": "text/plain" },
			}),
		status: 415,
		code: -32600,
		text: /application\/json/,
	},
	{
		what: "a wrong Accept",
		send: () =>
			send(endpoint, token, LIST, { headers: { Accept: "text/html" } }),
		status: 406,
		code: -32600,
		text: /Accept/,
	},
	{
		what: "an unknown method of the modern era, which is 404 there (streamable-http)",
		send: () => sendModern(endpoint, token, "tools/invent"),
		status: 404,
		code: -32601,
		text: /tools\/invent/,
	},
	{
		what: "an unknown tool",
		send: () =>
			sendModern(endpoint, token, "tools/call", {
				name: "nobody_echo",
				arguments: {},
			}),
		status: 200,
		code: -32602,
		text: /nobody_echo/,
	},
	{
		what: "a tool without the name of a server",
		send: () =>
			sendModern(endpoint, token, "tools/call", {
				name: "echo",
				arguments: {},
			}),
		status: 200,
		code: -32602,
		text: /echo/,
	},
	{
		what: "a call without a name",
		send: () => sendModern(endpoint, token, "tools/call"),
		status: 200,
		code: -32602,
		text: /name/,
	},
	{
		what: "a header that names another method than the body (SEP-2243)",
		send: () =>
			sendModern(
				endpoint,
				token,
				"tools/list",
				{},
				{ headers: { "Mcp-Method": "tools/call" } },
			),
		status: 400,
		code: -32020,
		text: /Mcp-Method/,
	},
	{
		what: "a header that names another tool than the body (SEP-2243)",
		send: () =>
			sendModern(endpoint, token, "tools/call", ECHO, {
				headers: { "Mcp-Name": "good_fail" },
			}),
		status: 400,
		code: -32020,
		text: /Mcp-Name/,
	},
	{
		what: "a header of the legacy era on a modern body",
		send: () =>
			sendModern(
				endpoint,
				token,
				"tools/list",
				{},
				{ headers: { "MCP-Protocol-Version": "2025-11-25" } },
			),
		status: 400,
		code: -32020,
		text: /MCP-Protocol-Version/,
	},
	{
		what: "no Mcp-Method on a modern request",
		send: () =>
			sendModern(
				endpoint,
				token,
				"tools/list",
				{},
				{ headers: { "Mcp-Method": null } },
			),
		status: 400,
		code: -32020,
		text: /Mcp-Method is missing/,
	},
	{
		what: "a modern header without the envelope",
		send: () =>
			send(endpoint, token, '{"jsonrpc":"2.0","id":1,"method":"tools/list"}', {
				headers: modernHeaders,
			}),
		status: 400,
		code: -32602,
		text: /protocolVersion/,
	},
	{
		what: "a revision of the future",
		send: () =>
			send(endpoint, token, LIST.replaceAll("2026-07-28", "2031-01-01"), {
				headers: { ...modernHeaders, "MCP-Protocol-Version": "2031-01-01" },
			}),
		status: 400,
		code: -32022,
		text: /2031-01-01/,
	},
	{
		what: "a revision that never was, from a legacy client",
		send: () =>
			send(endpoint, token, '{"jsonrpc":"2.0","id":1,"method":"tools/list"}', {
				headers: { "MCP-Protocol-Version": "1999-01-01" },
			}),
		status: 400,
		code: -32600,
		text: /MCP-Protocol-Version/,
	},
	{
		what: "a legacy request without a session",
		send: () =>
			send(endpoint, token, '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'),
		status: 400,
		code: -32600,
		text: /Mcp-Session-Id is missing/,
	},
	{
		what: "an endpoint that is not there",
		send: () => sendModern(gateway.endpoint("nobody"), token, "tools/list"),
		status: 401,
	},
	{
		what: "a page of somebody else's (2025-11-25, transports: Origin)",
		send: () =>
			sendModern(
				endpoint,
				token,
				"tools/list",
				{},
				{ headers: { Origin: "https://evil.example" } },
			),
		status: 403,
		text: /page/,
	},
	{
		what: "another host's name (DNS rebinding)",
		send: () =>
			sendModern(
				endpoint,
				token,
				"tools/list",
				{},
				{ headers: { Host: "evil.example" } },
			),
		status: 421,
		text: /host/,
	},
	{
		what: "a modern GET (2026-07-28, streamable-http: 405)",
		send: () =>
			send(endpoint, token, null, {
				method: "GET",
				headers: { "MCP-Protocol-Version": "2026-07-28" },
			}),
		status: 405,
	},
];

describe("a message is answered clearly when it is", () => {
	for (const { what, send: act, status, code, text } of BAD_MESSAGES)
		test(what, async () => {
			const answer = await act();
			expect({ status: answer.status, code: answer.last?.error?.code }).toEqual(
				{ status, code },
			);
			if (text) expect(answer.text).toMatch(text);
			expect(answer.text).not.toMatch(/node_modules|\.ts:|at Object/);
			expect(answer.headers.get("x-request-id")).toBeTruthy();
		});

	test("an unknown method of the legacy era, which is 200 there (JSON-RPC 2.0, 5.1)", async () => {
		const session = await openLegacySession(endpoint, token);
		const answer = await session.request("tools/invent");
		expect(answer.status).toBe(200);
		expect(answer.last?.error?.code).toBe(-32601);
	});

	test("the error carries the request's own id, or null when it could not be read", async () => {
		const unread = await send(endpoint, token, "{not json");
		expect(unread.last?.id).toBeNull();
		const read = await sendModern(endpoint, token, "tools/invent");
		expect(read.last?.id).toBe(1);
	});
});

describe("a credential is answered 401 with the way to a good one when it is", () => {
	const cases = {
		absent: { token: null, error: null },
		"not one of ours": { token: "whatever", error: "invalid_token" },
		"of our shape but never given out": {
			token: "sp_at_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
			error: "invalid_token",
		},
	};
	for (const [what, { token: bad, error }] of Object.entries(cases))
		test(what, async () => {
			for (const method of ["POST", "GET", "DELETE", "HEAD"]) {
				const answer = await send(
					endpoint,
					bad,
					method === "POST" ? LIST : null,
					{ method },
				);
				expect(answer.status).toBe(401);
				const challenge = answer.headers.get("WWW-Authenticate") ?? "";
				expect(challenge).toStartWith("Bearer ");
				// RFC 9728 5.1, RFC 6750 3.1: no error code without a credential.
				expect(challenge).toContain(
					`resource_metadata="${gateway.url}/.well-known/oauth-protected-resource/mcp"`,
				);
				expect(/error="([^"]+)"/.exec(challenge)?.[1] ?? null).toBe(error);
			}
		});

	test("for another endpoint (RFC 8707: bound to its resource)", async () => {
		const narrow = await signedIn(gateway.endpoint("good"), gateway.owner);
		const { accessToken } = narrow.credentials();
		expect(
			(await sendModern(gateway.endpoint("good"), accessToken, "tools/list"))
				.status,
		).toBe(200);
		expect((await sendModern(endpoint, accessToken, "tools/list")).status).toBe(
			401,
		);
		await narrow.close();
	});
});

test("after all of that, the first token still works and the good server was never restarted", async () => {
	const counts: unknown[] = [];
	for (let call = 0; call < 2; call++) {
		const answer = await sendModern(endpoint, token, "tools/call", {
			name: "good_count",
			arguments: {},
		});
		counts.push(answer.last?.result?.["structuredContent"]);
	}
	expect(counts).toEqual([{ count: 1 }, { count: 2 }]);
});
