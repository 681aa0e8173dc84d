/**
 * Where a server wants its users to sign in: the places that are asked, in which order, and what is not believed.
 *
 * @see RFC 9728 3, RFC 8414 3; specification 2026-07-28, basic/authorization/authorization-server-discovery
 */
import { expect, test } from "bun:test";
import { bearerChallenge } from "../../src/upstream/challenge.ts";
import { type Discovered, discover } from "../../src/upstream/discovery.ts";
import {
	chooseScopes,
	parseScopes,
	unionScopes,
	wantsMore,
} from "../../src/upstream/scopes.ts";

const SERVER = "https://mcp.example.org/tools/mcp";

/** Documents by their URL; everything else is 404. */
type Web = Readonly<Record<string, unknown>>;

async function find(
	web: Web,
	from: Partial<Parameters<typeof discover>[1]> = {},
): Promise<{
	readonly asked: readonly string[];
	readonly found: Discovered | null;
}> {
	const asked: string[] = [];
	const found = await discover(
		{
			fetch: async (url) => {
				asked.push(url);
				const body = web[url];
				if (body instanceof Response) return body;
				return body === undefined
					? new Response("nothing here", { status: 404 })
					: Response.json(body);
			},
			permit: async () => {},
		},
		{ url: SERVER, metadataUrl: null, issuer: null, ...from },
	);
	return { asked, found };
}

function metadata(issuer: string): Readonly<Record<string, unknown>> {
	return {
		issuer,
		authorization_endpoint: `${issuer}/authorize`,
		token_endpoint: `${issuer}/token`,
	};
}

const PATH_DOCUMENT =
	"https://mcp.example.org/.well-known/oauth-protected-resource/tools/mcp";
const ROOT_DOCUMENT =
	"https://mcp.example.org/.well-known/oauth-protected-resource";
const ISSUER = "https://as.example.org";
const ISSUER_DOCUMENT = `${ISSUER}/.well-known/oauth-authorization-server`;
const DOCUMENT = { resource: SERVER, authorization_servers: [ISSUER] };

test("what the challenge says is asked first, then the path, then the root", async () => {
	const told = "https://mcp.example.org/elsewhere.json";
	const { asked } = await find(
		{
			[ROOT_DOCUMENT]: { ...DOCUMENT, resource: "https://mcp.example.org" },
			[ISSUER_DOCUMENT]: metadata(ISSUER),
		},
		{ metadataUrl: told },
	);
	expect(asked).toEqual([told, PATH_DOCUMENT, ROOT_DOCUMENT, ISSUER_DOCUMENT]);
});

test("the first document that there is ends the search", async () => {
	const { asked, found } = await find({
		[PATH_DOCUMENT]: { ...DOCUMENT, scopes_supported: ["a", 7, "b"] },
		[ISSUER_DOCUMENT]: metadata(ISSUER),
	});
	expect(asked).toEqual([PATH_DOCUMENT, ISSUER_DOCUMENT]);
	expect(found).toMatchObject({
		issuer: ISSUER,
		resource: SERVER,
		resourceScopes: ["a", "b"],
	});
});

test("an issuer with a path is asked in the three places that there are, in order", async () => {
	const issuer = "https://as.example.org/tenant";
	const { asked, found } = await find({
		[PATH_DOCUMENT]: { ...DOCUMENT, authorization_servers: [issuer] },
		"https://as.example.org/tenant/.well-known/openid-configuration":
			metadata(issuer),
	});
	expect(asked.slice(1)).toEqual([
		"https://as.example.org/.well-known/oauth-authorization-server/tenant",
		"https://as.example.org/.well-known/openid-configuration/tenant",
		"https://as.example.org/tenant/.well-known/openid-configuration",
	]);
	expect(found?.issuer).toBe(issuer);
});

test.each([
	["another host", "https://evil.example/tools/mcp"],
	["another path", "https://mcp.example.org/tools/mcpx"],
	["a longer path", "https://mcp.example.org/tools/mcp/more"],
	["a fragment", `${SERVER}#x`],
	["no URL", "tools"],
])("a document about %s is not believed", async (_, resource) => {
	await expect(
		find({ [PATH_DOCUMENT]: { ...DOCUMENT, resource } }),
	).rejects.toThrow("about another server");
});

test.each([
	["another issuer", "https://evil.example"],
	["the same with a path", `${ISSUER}/x`],
	["another spelling", "https://AS.example.org"],
	["none", undefined],
])("metadata that names %s is not believed", async (_, issuer) => {
	await expect(
		find({
			[PATH_DOCUMENT]: DOCUMENT,
			[ISSUER_DOCUMENT]: { ...metadata(ISSUER), issuer },
		}),
	).rejects.toThrow("issuer is another one");
});

test("before there were such documents a server was its own authorization server", async () => {
	const { found } = await find({
		"https://mcp.example.org/.well-known/oauth-authorization-server": metadata(
			"https://mcp.example.org",
		),
	});
	expect(found).toMatchObject({
		issuer: "https://mcp.example.org",
		resource: SERVER,
		resourceScopes: null,
	});
});

test("a server that says nothing anywhere, or answers everything with a page, wants no sign-in", async () => {
	expect((await find({})).found).toBeNull();
	const page = (): Response => new Response("<!doctype html>");
	const { found } = await find({
		[PATH_DOCUMENT]: page(),
		[ROOT_DOCUMENT]: page(),
		"https://mcp.example.org/.well-known/oauth-authorization-server": page(),
		"https://mcp.example.org/.well-known/openid-configuration": page(),
	});
	expect(found).toBeNull();
});

test("a client that was given for one issuer is not shown to another", async () => {
	await expect(
		find(
			{ [PATH_DOCUMENT]: DOCUMENT, [ISSUER_DOCUMENT]: metadata(ISSUER) },
			{ issuer: "https://before.example" },
		),
	).rejects.toThrow("now sends its users to as.example.org");
});

test("a server in trouble is no server without a sign-in", async () => {
	await expect(
		find({ [PATH_DOCUMENT]: new Response("", { status: 503 }) }),
	).rejects.toThrow("cannot be read (503)");
});

test.each([
	[
		'Bearer realm="x", scope="a b", resource_metadata="https://r/x"',
		{ scope: "a b", resourceMetadata: "https://r/x", error: null },
	],
	[
		'Basic realm="b", Bearer error="insufficient_scope",scope=w',
		{ scope: "w", resourceMetadata: null, error: "insufficient_scope" },
	],
	[
		'bearer SCOPE="a\\"b"',
		{ scope: 'a"b', resourceMetadata: null, error: null },
	],
	["Bearer", { scope: null, resourceMetadata: null, error: null }],
	[
		'DPoP scope="x", Bearer scope="y"',
		{ scope: "y", resourceMetadata: null, error: null },
	],
	['Basic realm="Bearer scope=\\"z\\""', null],
	["", null],
	[null, null],
	[`Bearer scope="${"x".repeat(9000)}"`, null],
])("the challenge %p is read", (header, expected) => {
	expect(bearerChallenge(header)).toEqual(expected);
});

test("scopes: the challenge's, else the resource's, else none; offline_access is the issuer's to list", () => {
	const nothing = {
		given: null,
		challenged: null,
		resource: null,
		issuer: null,
	};
	expect(chooseScopes(nothing)).toEqual([]);
	expect(chooseScopes({ ...nothing, resource: ["a", "b"] })).toEqual([
		"a",
		"b",
	]);
	expect(
		chooseScopes({ ...nothing, challenged: "c", resource: ["a"] }),
	).toEqual(["c"]);
	expect(
		chooseScopes({
			...nothing,
			given: "mine",
			challenged: "c",
			issuer: ["offline_access"],
		}),
	).toEqual(["mine"]);
	expect(
		chooseScopes({
			...nothing,
			challenged: "c",
			issuer: ["c", "offline_access"],
		}),
	).toEqual(["c", "offline_access"]);
	expect(
		chooseScopes({ ...nothing, challenged: "c offline_access", issuer: ["c"] }),
	).toEqual(["c"]);
	expect(chooseScopes({ ...nothing, issuer: ["offline_access"] })).toEqual([]);
});

test("scopes: what is none is left out, what is wanted comes on top, and what was asked for is not asked for again", () => {
	expect(parseScopes('a "b" a \\ c')).toEqual(["a", "c"]);
	expect(
		parseScopes(Array.from({ length: 500 }, (_, i) => `s${i}`).join(" ")),
	).toHaveLength(100);
	expect(unionScopes(["a"], ["b", "a"])).toEqual(["a", "b"]);
	expect(wantsMore(["a"], ["a"])).toBe(false);
	expect(wantsMore(["a"], ["a", "b"])).toBe(true);
});
