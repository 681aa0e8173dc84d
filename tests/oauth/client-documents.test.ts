/** Client ID Metadata Documents. Numbers are rows of the attack list (research/oauth.md 5 F). */
import {
	afterAll,
	afterEach,
	beforeAll,
	beforeEach,
	expect,
	test,
} from "bun:test";
import type { EgressInit } from "../../src/egress.ts";
import { isDocumentUrl } from "../../src/oauth/client-documents.ts";
import { parseClientMetadata } from "../../src/oauth/client-metadata.ts";
import { knownDocument } from "../../src/oauth/known-documents.ts";
import { deleteExpiredGrants } from "../../src/store/grants.ts";
import {
	type Authority,
	allow,
	authorizeQuery,
	openAuthority,
	openBrowser,
	redeem,
	signIn,
} from "./authority.ts";

const ID = "https://client.example/oauth/client.json";
const DOCUMENT = {
	client_id: ID,
	client_name: "Claude Code",
	redirect_uris: ["http://localhost/callback", "https://client.example/cb"],
	token_endpoint_auth_method: "none",
};
const CLIENT = { client_id: ID };
const QUERY = authorizeQuery(CLIENT, {
	redirect_uri: "http://localhost:58135/callback",
});

let answer: (request: Request) => Response | Promise<Response>;
let fetched: string[] = [];
let authority: Authority;
let host: ReturnType<typeof Bun.serve>;

beforeAll(() => {
	host = Bun.serve({
		port: 0,
		hostname: "127.0.0.1",
		fetch: (request) => answer(request),
	});
});
afterAll(() => host.stop(true));

beforeEach(async () => {
	fetched = [];
	answer = () => Response.json(DOCUMENT);
	authority = await openAuthority({
		// Every name leads to one local server, as pinning by address would.
		egress: (url, init: EgressInit) => {
			fetched.push(String(url));
			return fetch(new URL(new URL(url).pathname, host.url), {
				redirect: "manual",
				...(init.headers ? { headers: init.headers } : {}),
				...(init.signal ? { signal: init.signal } : {}),
			});
		},
	});
});
afterEach(() => authority.stop());

async function ask(query = QUERY): Promise<Response> {
	const browser = openBrowser(authority);
	await signIn(browser);
	return browser.get(`/authorize${query}`);
}

test("a client may be the URL of its document, on any port of this computer", async () => {
	const sent = await allow(authority, QUERY);
	expect(sent.host).toBe("localhost:58135");
	const tokens = await redeem(
		authority,
		CLIENT,
		sent.searchParams.get("code") ?? "",
		{
			redirect_uri: "http://localhost:58135/callback",
		},
	);
	expect(tokens.status).toBe(200);
	const html = await (await ask()).text();
	expect(html).toContain("It is described at client.example.");
	expect(html).toContain("Claude Code");
});

// 82
test("a known vendor's document that cannot be read is replaced by the bundled copy, and the log says so", async () => {
	answer = () => new Response("down", { status: 503 });
	const id = "https://claude.ai/oauth/claude-code-client-metadata";
	const query = authorizeQuery(
		{ client_id: id },
		{ redirect_uri: "http://localhost:58135/callback" },
	);
	expect((await allow(authority, query)).host).toBe("localhost:58135");
	expect(fetched).toEqual([id]);
	expect(authority.log.join("")).toContain("bundled client document used");
	// A while later the live document is tried again, and counts.
	authority.advance(601);
	answer = () =>
		Response.json({
			client_id: id,
			redirect_uris: ["http://localhost/elsewhere"],
		});
	const page = await ask(query);
	expect(page.status).toBe(400);
});

// 82
test("a bundled copy names only callbacks that a document may have", () => {
	for (const id of [
		"https://claude.ai/oauth/mcp-oauth-client-metadata",
		"https://claude.ai/oauth/claude-code-client-metadata",
		"https://vscode.dev/oauth/client-metadata.json",
		"https://github.com/copilot/cli/client-metadata.json",
		"https://zed.dev/oauth/client-metadata.json",
		"https://goose-docs.ai/oauth/client-metadata.json",
		"https://opencode.ai/oauth/opencode/client.json",
		"https://grok.com/oauth/mcp-client.json",
		"https://chatgpt.com/oauth/codex/AbC_-9/client.json",
	]) {
		expect(isDocumentUrl(id), id).toBe(true);
		const document = knownDocument(id);
		expect(document?.client_id).toBe(id);
		expect(
			parseClientMetadata(document, "document", "any").redirectUris,
		).toEqual(document?.redirect_uris ?? []);
	}
	expect(knownDocument("https://claude.ai/oauth/other")).toBeNull();
});

test("a document may name any https callback, which is shown and warned of", async () => {
	const html = await (
		await ask(
			authorizeQuery(CLIENT, { redirect_uri: "https://client.example/cb" }),
		)
	).text();
	expect(html).toContain("<h1>client.example asks for access</h1>");
	expect(html).toContain("Nobody has vouched for client.example");
});

// 75: draft 3
test("a URL that is not plainly a document's is refused before anything is fetched", async () => {
	const refused = [
		"http://client.example/c.json",
		"https://client.example",
		"https://client.example/",
		"https://client.example/c.json#f",
		"https://client.example/c.json#",
		"https://user@client.example/c.json",
		"https://user:pw@client.example/c.json",
		"https://@client.example/c.json",
		"https://client.example/a/../c.json",
		"https://client.example/a/%2e%2e/c.json",
		"https://client.example/a/%2E/c.json",
		"https://client.example/./c.json",
		"https://client.example/a\tb",
		"https://client.example/a b",
		"https://client.example/a\u0000b",
		"https://client.example\\c.json",
		"https://127.0.0.1/c.json",
		"https://2130706433/c.json",
		"https://0x7f.1/c.json",
		"https://[::1]/c.json",
		"https://localhost/c.json",
		"https://x.localhost/c.json",
		"https://localhost./c.json",
		"https://client.example:8443/c.json",
		"https://client.example:443/c.json",
		"HTTPS://client.example/c.json",
		"https://Client.example/c.json",
		"https://clіent.example/c.json",
		`https://client.example/${"a".repeat(600)}`,
	];
	for (const client_id of refused) {
		expect(isDocumentUrl(client_id), client_id).toBe(false);
		const response = await ask(authorizeQuery({ client_id }));
		expect(response.status, client_id).toBe(400);
	}
	expect(fetched).toEqual([]);
	expect(isDocumentUrl("https://xn--client-9of.example/c.json")).toBe(true);
	expect(isDocumentUrl("https://chatgpt.com/oauth/a1/client.json")).toBe(true);
});

// 78, 79
test("a document that is not exactly right is refused with a page that does not say why", async () => {
	const documents: (() => Response)[] = [
		() => new Response(null, { status: 301, headers: { Location: "/other" } }),
		() => new Response(null, { status: 302, headers: { Location: ID } }),
		() => new Response(null, { status: 307, headers: { Location: ID } }),
		() => new Response("gone", { status: 404 }),
		() => Response.json(DOCUMENT, { status: 201 }),
		() => new Response("<html>"),
		() => Response.json([DOCUMENT]),
		() => Response.json(null),
		() => Response.json({ ...DOCUMENT, client_id: `${ID}?x` }),
		() => Response.json({ ...DOCUMENT, client_id: undefined }),
		() => Response.json({ ...DOCUMENT, pad: "x".repeat(6000) }),
		() => Response.json({ ...DOCUMENT, redirect_uris: [] }),
		() =>
			Response.json({ ...DOCUMENT, redirect_uris: ["javascript:alert(1)"] }),
		() => Response.json({ ...DOCUMENT, client_secret: "x" }),
		() =>
			Response.json({
				...DOCUMENT,
				token_endpoint_auth_method: "client_secret_basic",
			}),
		() =>
			Response.json({
				...DOCUMENT,
				token_endpoint_auth_method: "private_key_jwt",
			}),
		() =>
			Response.json({ ...DOCUMENT, jwks: { keys: [{ kty: "EC", d: "x" }] } }),
		() =>
			new Response(Bun.gzipSync("x".repeat(1_000_000)), {
				headers: { "Content-Encoding": "gzip" },
			}),
	];
	const pages = new Set<string>();
	for (const document of documents) {
		answer = document;
		const response = await ask();
		expect(response.status).toBe(400);
		pages.add(await response.text());
		authority.advance(61);
	}
	expect(pages.size).toBe(1);
	expect(fetched).toHaveLength(documents.length);
	expect(authority.db.query("SELECT 1 FROM clients").all()).toEqual([]);
});

test("what a client can do counts, not what it would like best", async () => {
	answer = () =>
		Response.json({
			...DOCUMENT,
			token_endpoint_auth_method: "private_key_jwt",
			token_endpoint_auth_methods_supported: ["private_key_jwt", "none"],
		});
	expect((await ask()).status).toBe(200);
});

// 79
test("a failure is remembered for a minute", async () => {
	answer = () => new Response("down", { status: 503 });
	for (let n = 0; n < 3; n++) expect((await ask()).status).toBe(400);
	expect(fetched).toHaveLength(1);
	authority.advance(60);
	answer = () => Response.json(DOCUMENT);
	expect((await ask()).status).toBe(200);
});

test("a document is believed for as long as it says, within bounds, and shared while it is read", async () => {
	answer = () =>
		Response.json(DOCUMENT, {
			headers: { "Cache-Control": "public, max-age=1" },
		});
	await Promise.all(Array.from({ length: 5 }, () => ask()));
	expect(fetched).toHaveLength(1);
	authority.advance(59);
	await ask();
	expect(fetched).toHaveLength(1);
	authority.advance(1);
	await ask();
	expect(fetched).toHaveLength(2);
	answer = () =>
		Response.json(DOCUMENT, {
			headers: { "Cache-Control": "max-age=99999999" },
		});
	authority.advance(60);
	await ask();
	authority.advance(24 * 3600);
	await ask();
	expect(fetched).toHaveLength(4);
});

// 81
test("when a document changes its redirect URIs, the next request is judged by the fresh one and old grants stay", async () => {
	const sent = await allow(authority, QUERY);
	const tokens = await redeem(
		authority,
		CLIENT,
		sent.searchParams.get("code") ?? "",
		{
			redirect_uri: null,
		},
	);
	answer = () =>
		Response.json({
			...DOCUMENT,
			redirect_uris: ["https://client.example/new"],
		});
	authority.advance(3600);
	expect((await ask()).status).toBe(400);
	deleteExpiredGrants(authority.db, authority.now(), 0);
	expect(
		authority.bearer.judge(
			new Request("https://gw.example/mcp", {
				headers: { Authorization: `Bearer ${tokens.access_token}` },
			}),
			"https://gw.example/mcp",
		).ok,
	).toBe(true);
});

// 80
test("one host is asked at most 30 times a minute, whatever the paths", async () => {
	for (let n = 0; n < 40; n++)
		await authority.send(
			`/authorize${authorizeQuery({ client_id: `https://victim.example/${n}` })}`,
		);
	expect(fetched).toHaveLength(30);
});
