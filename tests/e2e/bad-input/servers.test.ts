/**
 * Bad servers behind the gateway: dead, lying, endless, dying. Each is kept and named for what it is, its calls fail
 * as results that a model can read, and no other server is the worse for it.
 */
import {
	afterAll,
	beforeAll,
	describe,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import type { Gateway } from "../../support/gateway.ts";
import {
	type FixtureServer,
	fixtureCommand,
	freePort,
	startFixture,
	stdioFlags,
} from "../../support/processes.ts";
import { sendModern } from "../../support/wire.ts";
import { ECHO, type GoodServer, startGoodServer } from "./good-server.ts";

setDefaultTimeout(60_000);

let gateway: Gateway;
let hostile: FixtureServer;
let token: string;
let endpoint: string;

let good: GoodServer;

beforeAll(async () => {
	[hostile, good] = await Promise.all([
		startFixture("hostile"),
		startGoodServer(),
	]);
	({ gateway, endpoint, token } = good);
}, 120_000);

afterAll(async () => {
	await good?.stop();
	await hostile?.stop();
});

type BadServer = {
	readonly slug: string;
	readonly how: () => Promise<readonly string[]>;
	/** What `servers add` warns of. */
	readonly says: RegExp;
};

function hostileStdio(mode: string): () => Promise<readonly string[]> {
	return async () => stdioFlags(fixtureCommand("hostile", "stdio", mode));
}

function hostileHttp(path: string): () => Promise<readonly string[]> {
	return async () => ["--url", `${hostile.url}/${path}`];
}

const BAD_SERVERS: readonly BadServer[] = [
	{
		slug: "dead",
		how: async () => ["--url", `http://127.0.0.1:${await freePort()}/mcp`],
		says: /reach|connect|refused/i,
	},
	{
		slug: "html",
		how: hostileHttp("html"),
		says: /not an MCP|HTML|content type|answer/i,
	},
	{
		slug: "garbage",
		how: hostileHttp("garbage"),
		says: /not an MCP message/,
	},
	{
		slug: "truncated",
		how: hostileHttp("truncated"),
		says: /not an MCP message/,
	},
	{ slug: "broken", how: hostileHttp("500"), says: /500/ },
	{
		slug: "reset",
		how: hostileHttp("reset"),
		says: /connection|broke|closed|reach/i,
	},
	{ slug: "wrong-id", how: hostileHttp("wrong-id"), says: /answer|id|MCP/i },
	{ slug: "huge", how: hostileHttp("huge"), says: /large|MiB|bytes/i },
	{ slug: "exits", how: hostileStdio("exit"), says: /exit|ended|stopped/i },
	{
		slug: "no-such-program",
		how: async () => ["--command", "/nowhere/at/all"],
		says: /\/nowhere\/at\/all|start/i,
	},
];

describe.each([...BAD_SERVERS])(
	"a server that is $slug",
	({ slug, how, says }) => {
		test("is kept, with a warning that says what is wrong, and never spoils the others", async () => {
			const added = await gateway.tryCli([
				"servers",
				"add",
				slug,
				...(await how()),
			]);
			expect(added.code).toBe(0);
			expect(added.stdout + added.stderr).toMatch(says);

			const listed = await sendModern(endpoint, token, "tools/list");
			expect(listed.status).toBe(200);
			expect(listed.text).toContain('"good_echo"');
			expect(
				(await sendModern(endpoint, token, "tools/call", ECHO)).text,
			).toContain("still here");

			const called = await sendModern(endpoint, token, "tools/call", {
				name: `${slug}_anything`,
				arguments: {},
			});
			expect(called.status).toBe(200);
			expect(called.last?.result).toMatchObject({ isError: true });
			await gateway.cli(["servers", "remove", slug, "--yes"]);
		});
	},
);

const BAD_CALLS = [
	"garbage",
	"truncated",
	"500",
	"reset",
	"wrong-id",
	"html",
].map((path) => ({
	slug: `late-${path}`,
	how: hostileHttp(`late/${path}`),
}));

describe.each([
	...BAD_CALLS,
	{ slug: "dies-on-call", how: hostileStdio("die-on-call") },
])("a server that is good until it is called: $slug", ({ slug, how }) => {
	test("its call fails as a tool error with words to act on, and the next one does too", async () => {
		await gateway.cli(["servers", "add", slug, ...(await how())]);
		for (let attempt = 0; attempt < 2; attempt++) {
			const called = await sendModern(endpoint, token, "tools/call", {
				name: `${slug}_act`,
				arguments: {},
			});
			expect(called.status).toBe(200);
			expect(called.last?.result).toMatchObject({ isError: true });
		}
		expect(
			(await sendModern(endpoint, token, "tools/call", ECHO)).text,
		).toContain("still here");
		await gateway.cli(["servers", "remove", slug, "--yes"]);
	});
});

test("a server that writes a banner among its answers works all the same", async () => {
	const added = await gateway.cli([
		"servers",
		"add",
		"chatty",
		...(await hostileStdio("chatty")()),
	]);
	expect(added).toContain("1 tool");
	await gateway.cli(["servers", "remove", "chatty", "--yes"]);
});

test("a client is not told where a server lives that cannot be reached", async () => {
	const port = await freePort();
	await gateway.tryCli([
		...["servers", "add", "hidden"],
		...["--url", `http://127.0.0.1:${port}/mcp`],
	]);
	const called = await sendModern(endpoint, token, "tools/call", {
		name: "hidden_anything",
		arguments: {},
	});
	await gateway.cli(["servers", "remove", "hidden", "--yes"]);
	expect(called.text).not.toContain(String(port));
});
