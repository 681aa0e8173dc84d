import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import type { Server, Slot } from "../../src/store/servers.ts";
import { setSecret } from "../../src/upstream/credentials.ts";
import { sha256 } from "../fixtures/repertoire.ts";
import {
	type FixtureServer,
	fixtureCommand,
	startFixture,
} from "../support/processes.ts";
import {
	asCommand,
	callTool,
	overHttp,
	type Pool,
	startPool,
} from "../support/upstreams.ts";

const SLOTS: readonly Slot[] = [
	{
		name: "key",
		injection: "env",
		target: "API_KEY",
		personal: true,
		optional: false,
	},
	{
		name: "region",
		injection: "env",
		target: "REGION",
		personal: false,
		optional: true,
	},
];

let pool: Pool;
let env: Server;
let http: FixtureServer;

beforeAll(async () => {
	pool = startPool();
	http = await startFixture("legacy");
	env = pool.add(
		"env",
		asCommand(fixtureCommand("env", "one two", "$HOME; `id`"), {
			PLAIN: "visible",
		}),
		SLOTS,
	);
});
afterAll(async () => {
	await pool.close();
	await http.stop();
});

function set(server: Server, name: string, owner: string, value: string): void {
	const slot = server.slots.find((each) => each.name === name) as Slot;
	setSecret(pool.db, pool.vault, { server, slot, owner, value }, 2);
}

type Surroundings = {
	readonly pid: number;
	readonly variables: Readonly<Record<string, string>>;
	readonly directory: string;
	readonly argv: readonly string[];
};

async function surroundings(userId: string): Promise<Surroundings> {
	return JSON.parse(
		await callTool(pool.upstreams.forUser(env, userId), "environment"),
	);
}

test("without its secrets a server cannot be used, and the missing slots are named", () => {
	const [ada] = pool.userIds;
	expect(() => pool.upstreams.forUser(env, ada)).toThrow(
		expect.objectContaining({
			code: "unavailable",
			message: "env needs secrets that have no value yet: key",
		}),
	);
});

test("two users of one stdio server have each their own process, with their own secret and nothing else", async () => {
	const [ada, bob] = pool.userIds;
	set(env, "region", "shared", "eu");
	set(env, "key", ada, "secret-of-ada");
	set(env, "key", bob, "secret-of-bob");
	process.env["SALLYPORT_TEST_LEAK"] = "must not be inherited";
	const [a, b, again] = await Promise.all([
		surroundings(ada),
		surroundings(bob),
		surroundings(ada),
	]);
	expect(a.pid).not.toBe(b.pid);
	expect(a.pid).toBe(again.pid);
	for (const [seen, secret, user] of [
		[a, "secret-of-ada", ada],
		[b, "secret-of-bob", bob],
	] as const) {
		const home = join(pool.folder, "env", "users", user);
		expect(seen.variables).toEqual({
			PATH: sha256("/usr/local/bin:/usr/bin:/bin"),
			HOME: sha256(home),
			TMPDIR: sha256(home),
			LANG: sha256("C.UTF-8"),
			PLAIN: sha256("visible"),
			REGION: sha256("eu"),
			API_KEY: sha256(secret),
		});
		expect(seen.directory).toBe(home);
	}
	expect(a.argv).toEqual(["one two", "$HOME; `id`"]);
	expect(pool.logged.join("")).not.toContain("secret-of");
});

test("a changed secret reaches the next call, after the process that had the old one is gone", async () => {
	const [ada, bob] = pool.userIds;
	const before = await surroundings(ada);
	const other = await surroundings(bob);
	set(env, "key", ada, "another-secret");
	await pool.upstreams.drop(env.id, ada);
	const after = await surroundings(ada);
	expect(after.variables["API_KEY"]).toBe(sha256("another-secret"));
	expect(after.pid).not.toBe(before.pid);
	expect((await surroundings(bob)).pid).toBe(other.pid);
	expect(() => process.kill(before.pid, 0)).toThrow("ESRCH");
});

test("two users of one HTTP server send each their own header", async () => {
	const server = pool.add("web", overHttp(`${http.url}/mcp`), [
		{
			name: "token",
			injection: "header",
			target: "X-Service-Key",
			personal: true,
			optional: false,
		},
	]);
	for (const user of pool.userIds) {
		set(server, "token", user, `header-of-${user}`);
		const seen = JSON.parse(
			await callTool(pool.upstreams.forUser(server, user), "headers"),
		);
		expect(seen["x-service-key"]).toBe(sha256(`header-of-${user}`));
	}
});

test("a server without personal slots is shared by all users", () => {
	const [ada, bob] = pool.userIds;
	const server = pool.add("shared", overHttp(`${http.url}/mcp`));
	const upstream = pool.upstreams.forUser(server, ada);
	expect(pool.upstreams.forUser(server, bob)).toBe(upstream);
	expect(upstream.identity).toBe("shared");
	expect(pool.upstreams.live(server.id)).toEqual([upstream]);
});

for (const [what, name, owner, value] of [
	["empty", "key", "user", ""],
	["longer than 64 KiB", "key", "user", "x".repeat(64 * 1024 + 1)],
	["holding NUL", "key", "user", "a\0b"],
	["shared in a personal slot", "key", "shared", "x"],
	["personal in a shared slot", "region", "user", "x"],
] as const)
	test(`a secret that is ${what} is refused`, () => {
		expect(() =>
			set(env, name, owner === "user" ? pool.userIds[0] : owner, value),
		).toThrow(expect.objectContaining({ code: "invalid" }));
	});

test("a sealed value does not open under another owner", async () => {
	const [ada, bob] = pool.userIds;
	const server = pool.add("moved", asCommand(fixtureCommand("env")), SLOTS);
	set(server, "key", ada, "of-ada");
	set(server, "key", bob, "of-bob");
	pool.db.run(
		`UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE server_id = ? AND owner = ?)
		 WHERE server_id = ? AND owner = ?`,
		[server.id, ada, server.id, bob],
	);
	await expect(pool.upstreams.forUser(server, bob).facts()).rejects.toThrow(
		"does not open in its place",
	);
});
