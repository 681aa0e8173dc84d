/** `servers import` and `servers export` as typed, over a real socket, and through a gateway that runs what it is given. */
import {
	afterEach,
	beforeEach,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../fixtures/repertoire.ts";
import { createCanaries } from "../support/canaries.ts";
import { startGateway } from "../support/gateway.ts";
import { fixtureCommand } from "../support/processes.ts";
import { type Service, startService } from "./over-socket.ts";

setDefaultTimeout(60_000);

let service: Service;
beforeEach(() => {
	service = startService();
});
afterEach(() => service.stop());

const NOTES = "https://notes.example.org/mcp";

function file(servers: object, more: object = {}): string {
	return JSON.stringify({ mcpServers: servers, ...more });
}

test("each server is added, skipped or refused, and is said to be, with what is missing and what is not carried over", async () => {
	const { sallyport, fixture } = service;
	fixture.scripts.set("notes", { tools: ['{"name":"read"}'] });
	await sallyport([
		"servers",
		"add",
		"taken",
		"--command",
		"cat",
		"--disabled",
	]);
	const result = await sallyport(
		["servers", "import", "-"],
		JSON.stringify({
			servers: {
				Notes: {
					type: "http",
					url: NOTES,
					headers: { Authorization: "Bearer hush-hush", "X-Team": "a" },
					timeout: 5,
				},
				later: {
					url: NOTES,
					headers: { "X-Key": `\${input:key}` },
					disabled: true,
				},
				taken: { command: "rm" },
				NOTES: { url: NOTES },
				bad: { command: "cat", args: ["--token", "hush-hush"] },
			},
			inputs: [{ id: "key", description: "The key", password: true }],
			theme: "dark",
		}),
	);
	expect(result.stdout.split("\n")).toEqual([
		"notes added: 1 tool; 1 secret sealed (AUTHORIZATION)",
		"later added",
		"taken skipped: there is one named taken already",
		"notes skipped: there is one named notes already",
		"bad refused: its argument 2 is named as a secret by --token, and arguments are kept in clear",
		"",
	]);
	expect(result.stderr.split("\n")).toEqual([
		"sallyport: warning: notes: not carried over: timeout",
		`sallyport: warning: later: X_KEY is to be given; the file has \${input:key} (The key)`,
		"sallyport: hint: sallyport secrets set later X_KEY < FILE",
		"taken: it is as it was; rename one of them",
		"notes: it is as it was; rename one of them",
		"bad: see whether it takes it from a variable: sallyport servers add bad … --slot NAME=env:NAME",
		"sallyport: warning: the file says more, which is not about servers: theme",
		"sallyport: warning: the secrets of the file serve everyone who may use their server",
		"sallyport: hint: to have it otherwise import with --access admins, or with --personal EMAIL",
		"sallyport: error: 1 of 5 servers refused: bad",
		"sallyport: hint: what was added stays; correct the file and import it again",
		"",
	]);
	expect(result.code).toBe(2);
	const { servers } = JSON.parse(
		(await sallyport(["servers", "list", "--json"])).stdout,
	);
	expect(
		servers.map((server: { name: string; enabled: boolean }) => [
			server.name,
			server.enabled,
		]),
	).toEqual([
		["later", false],
		["notes", true],
		["taken", false],
	]);
	expect(servers[1].transport.headers).toEqual({ "X-Team": "a" });
	expect(servers[2].transport.command).toBe("cat");
	const secrets = (await sallyport(["secrets", "list"])).stdout;
	expect(secrets).toMatch(/notes +AUTHORIZATION +shared +set/);
	expect(secrets).toMatch(/later +X_KEY +shared +not set/);
	// The file again changes nothing.
	const again = await sallyport(
		["servers", "import", "-"],
		file({ notes: {} }),
	);
	expect([again.code, again.stdout]).toEqual([
		0,
		"notes skipped: there is one named notes already\n",
	]);
});

test("a dry run says the same and adds nothing", async () => {
	const { sallyport } = service;
	const text = file({
		notes: { url: NOTES, headers: { "X-Token": "hush-hush" } },
		run: { command: "npx", args: ["-y", "@a/b@1.0.0", "x"] },
		range: { command: "npx", args: ["-y", "@a/b@^1"] },
		query: { url: `${NOTES}?api_key=hush-hush` },
		loader: { command: "cat", env: { LD_PRELOAD: `\${X}` } },
	});
	const dry = await sallyport(["servers", "import", "-", "--dry-run"], text);
	expect(dry.stdout.split("\n")).toEqual([
		`notes would be added: ${NOTES}; 1 secret to seal (X_TOKEN)`,
		"run would be added: @a/b@1.0.0 x",
		"range refused: npm must be PACKAGE or PACKAGE@VERSION, the version exact or a tag",
		"query refused: the query parameter api_key looks like a secret, and would be kept in clear",
		expect.stringMatching(/^loader refused: slots\[0\]\.target must not be/),
		"",
	]);
	expect(dry.code).toBe(2);
	expect(dry.stdout + dry.stderr).not.toContain("hush");
	expect((await sallyport(["servers", "list"])).stdout).toBe("");
});

test("for scripts there is one document, whose keys are always there", async () => {
	const { stdout, stderr, code } = await service.sallyport(
		["servers", "import", "-", "--dry-run", "--json"],
		file({ notes: { url: NOTES }, bad: {} }, { theme: 1 }),
	);
	const { servers, leftOut } = JSON.parse(stdout);
	expect(leftOut).toEqual(["theme"]);
	expect(servers).toEqual([
		{
			...{ name: "notes", slug: "notes", outcome: "planned", way: NOTES },
			...{ toolCount: null, sealed: [], toGive: [], leftOut: [], warnings: [] },
			reason: null,
		},
		{
			...{ name: "bad", slug: "bad", outcome: "refused", way: null },
			...{ toolCount: null, sealed: [], toGive: [], leftOut: [], warnings: [] },
			reason: {
				message: "it has neither a command nor a url",
				hint: "a server has one of them",
			},
		},
	]);
	expect([code, JSON.parse(stderr).error.code]).toEqual([2, "invalid"]);
});

test("with --personal the secrets of the file are that person's, and everybody else's are their own", async () => {
	const { sallyport, fixture } = service;
	fixture.addUser("ada@example.org", "member");
	await sallyport(
		["servers", "import", "-", "--personal", "ada@example.org"],
		file({ notes: { url: NOTES, headers: { "X-Token": "hush-hush" } } }),
	);
	expect(
		(await sallyport(["secrets", "list", "--user", "ada@example.org"])).stdout,
	).toMatch(/notes +X_TOKEN +ada@example.org +set/);
	expect((await sallyport(["secrets", "list"])).stdout).toMatch(
		/notes +X_TOKEN +.*not set/,
	);
});

test("a server whose secret cannot be set is not added", async () => {
	const { sallyport } = service;
	const result = await sallyport(
		["servers", "import", "-", "--personal", "nobody@example.org"],
		file({ notes: { url: NOTES, headers: { "X-Token": "hush-hush" } } }),
	);
	expect(result.stdout).toStartWith("notes refused: ");
	expect((await sallyport(["servers", "list"])).stdout).toBe("");
});

test("a server.json of the registry is a server too", async () => {
	const { sallyport } = service;
	const declared = {
		name: "org.example/notes",
		remotes: [
			{
				type: "streamable-http",
				url: NOTES,
				headers: [{ name: "X-Key", isSecret: true, isRequired: true }],
			},
		],
	};
	const result = await sallyport(
		["servers", "import", "-", "--disabled"],
		JSON.stringify(declared),
	);
	expect(result).toMatchObject({ code: 0, stdout: "notes added\n" });
	expect(result.stderr).toContain("X_KEY is to be given");
});

test("a file that is none, is empty, or is too large is refused whole", async () => {
	const { sallyport } = service;
	for (const [text, message] of [
		["", "there are no servers in the file"],
		["{}", "there are no servers in the file"],
		["{ hush", "the file is neither JSON nor TOML"],
		[" ".repeat(1024 * 1024 + 1), "the file is larger than 1 MiB"],
	] as const) {
		const result = await sallyport(["servers", "import", "-"], text);
		expect(result.code).toBe(2);
		expect(result.stderr).toMatch(message);
		expect(result.stderr).not.toContain("hush");
	}
});

test("what is exported and imported elsewhere makes the same servers, but for their secrets", async () => {
	const { sallyport } = service;
	const add = (...words: readonly string[]) =>
		sallyport(["servers", "add", ...words]);
	await add(
		...[
			"notes",
			"--url",
			NOTES,
			"--header",
			"X-Team: a",
			"--transport",
			"http",
		],
		...["--slot", "TOKEN=header:Authorization,personal,optional"],
		...["--access", "admins", "--tools", "read,write", "--pinning", "auto"],
		...["--destructive", "off", "--result-limit", "60000", "--disabled"],
	);
	await add("events", "--url", NOTES, "--transport", "sse", "--disabled");
	await add(
		...["local", "--command", "cat", "--env", "MODE=1", "--disabled"],
		...["--slot", "key=env:API_KEY", "--", "-u"],
	);
	await sallyport(["secrets", "set", "local", "key"], "hush-hush");
	const exported = await sallyport(["servers", "export"]);
	expect(exported.stdout).not.toContain("hush");
	expect(exported.stderr).toBe(
		"without the values of secrets: give them where it is imported\n",
	);
	expect(JSON.parse(exported.stdout).mcpServers.local).toEqual({
		command: "cat",
		args: ["-u"],
		env: { MODE: "1", API_KEY: `\${key}` },
		disabled: true,
	});
	const elsewhere = startService();
	try {
		const result = await elsewhere.sallyport(
			["servers", "import", "-"],
			exported.stdout,
		);
		expect(result.code).toBe(0);
		expect(result.stderr).toContain("sallyport secrets set local key < FILE");
		const [before, after] = await Promise.all(
			[service, elsewhere].map(async (one) =>
				JSON.parse(
					(await one.sallyport(["servers", "list", "--json"])).stdout,
				).servers.map(
					({
						id: _,
						createdAt: __,
						updatedAt: ___,
						...rest
					}: Record<string, unknown>) => rest,
				),
			),
		);
		expect(after).toEqual(before);
		expect(after).toHaveLength(3);
	} finally {
		await elsewhere.stop();
	}
	const one = await sallyport([
		"servers",
		"export",
		"local",
		"events",
		"--json",
	]);
	expect(Object.keys(JSON.parse(one.stdout).mcpServers)).toEqual([
		"local",
		"events",
	]);
	expect((await sallyport(["servers", "export", "nothing"])).code).toBe(3);
});

test("a file is imported into a gateway that runs: its server has its secret, which nothing else does", async () => {
	const canaries = createCanaries();
	const token = canaries.make("imported");
	const gateway = await startGateway();
	try {
		const [command = "", ...args] = fixtureCommand("env");
		const path = join(gateway.dataDir, "..", `import-${process.pid}.json`);
		writeFileSync(
			path,
			file({
				"My Env": { command, args, env: { API_KEY: token, MODE: "quiet" } },
			}),
		);
		const imported = await gateway.tryCli(["servers", "import", path]);
		expect(imported.stdout).toStartWith("my-env added: ");
		expect(imported.code).toBe(0);
		const called = await gateway.cli(["tools", "call", "my-env_environment"]);
		expect(called).toContain(sha256(token));
		const exported = await gateway.cli(["servers", "export"]);
		expect(
			canaries.search({
				directories: [gateway.dataDir],
				texts: { ...imported, code: "", exported },
			}),
		).toEqual([]);
	} finally {
		await gateway.stop();
	}
});
