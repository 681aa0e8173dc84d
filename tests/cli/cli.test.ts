import { expect, test } from "bun:test";
import { runCli } from "../../src/cli/cli.ts";
import type { Program } from "../../src/cli/command.ts";
import type { Io } from "../../src/cli/output.ts";
import { openDatabase } from "../../src/store/database.ts";
import { createKeyring, openVault } from "../../src/vault.ts";

type Result = {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
};

const PROGRAM: Program = {
	version: "1.2.3",
	openData: () => {
		const db = openDatabase(":memory:");
		const kek = new Uint8Array(32).fill(7);
		const vault = openVault(kek, createKeyring(kek, 1));
		return { db, vault, close: () => db.close() };
	},
};

/** The command line in this process, on a data directory where nothing runs. */
async function sallyport(
	argv: readonly string[],
	options: {
		readonly input?: string;
		readonly tty?: boolean;
		readonly env?: Io["env"];
	} = {},
): Promise<Result> {
	let stdout = "";
	let stderr = "";
	const tty = options.tty ?? false;
	const code = await runCli(
		argv,
		{
			stdout: (text) => {
				stdout += text;
			},
			stderr: (text) => {
				stderr += text;
			},
			stdin: () =>
				new Response(options.input ?? "").body ?? new ReadableStream(),
			env: { SALLYPORT_DATA_DIR: "/nowhere/sallyport", ...options.env },
			isTty: { stdin: tty, stdout: tty, stderr: tty },
		},
		PROGRAM,
	);
	return { code, stdout, stderr };
}

test("without a command, and with --help, it lists everything it can do, serve included", async () => {
	for (const argv of [[], ["--help"], ["-h"], ["help"]]) {
		const { code, stdout, stderr } = await sallyport(argv);
		expect([code, stderr]).toEqual([0, ""]);
		for (const line of [
			"serve",
			"init",
			"setup-link",
			"servers add",
			"secrets set",
			"users add",
			"tools call",
			"keys revoke",
			"version",
		])
			expect(stdout).toContain(`\n  ${line} `);
	}
});

test("every command has a help with its flags and examples, which needs no service", async () => {
	const overview = (await sallyport([])).stdout;
	const names = [
		...overview.matchAll(/^ {2}([a-z][a-z-]+(?: [a-z]+)?) {2,}/gm),
	].map((match) => match[1] as string);
	expect(names.length).toBeGreaterThan(20);
	for (const name of names) {
		const { code, stdout } = await sallyport([...name.split(" "), "--help"]);
		expect([name, code]).toEqual([name, 0]);
		expect(stdout).toStartWith(`sallyport ${name}`);
		expect(stdout).toContain("--json");
		expect(stdout.split("examples:")[1]).toContain(`sallyport ${name}`);
	}
});

test("a noun's help lists its verbs", async () => {
	for (const argv of [
		["servers", "--help"],
		["help", "servers"],
		["--help", "servers"],
	])
		expect((await sallyport(argv)).stdout).toContain("servers remove SLUG");
	expect((await sallyport(["help", "servers", "add"])).stdout).toContain(
		"--slot NAME=env:VAR|header:NAME",
	);
	expect((await sallyport(["serve", "--help"])).stdout).toContain(
		"--listen ADDR:PORT",
	);
});

test.each<[string, readonly string[], string, string]>([
	[
		"an unknown noun",
		["server", "list"],
		"there is no command named server",
		"did you mean servers",
	],
	[
		"an unknown verb",
		["servers", "lst"],
		"there is no verb of servers named lst",
		"did you mean list",
	],
	["no verb", ["servers"], "servers needs a verb", "one of list, show, add"],
	[
		"an unknown flag",
		["servers", "add", "x", "--ulr", "y"],
		"servers add has no flag --ulr",
		"did you mean --url",
	],
	[
		"a flag without its value",
		["servers", "add", "x", "--url"],
		"the flag --url needs a value",
		"--url URL",
	],
	[
		"a flag for a value",
		["servers", "add", "x", "--url", "--disabled"],
		"the flag --url needs a value",
		"--url URL",
	],
	[
		"a flag twice",
		["servers", "add", "x", "--url", "a", "--url", "b"],
		"the flag --url stands twice",
		"give it once",
	],
	[
		"a value for a switch",
		["servers", "list", "--json=yes"],
		"the flag --json takes no value",
		"--json",
	],
	[
		"a missing word",
		["servers", "show"],
		"servers show needs SLUG",
		"see sallyport servers show --help",
	],
	[
		"a word too many",
		["servers", "show", "a", "b"],
		"servers show was given a word too many",
		"see sallyport",
	],
	[
		"a rest that nobody takes",
		["servers", "list", "--", "x"],
		"servers list takes nothing after --",
		"see sallyport",
	],
	[
		"help about nothing",
		["help", "servres"],
		"there is no command named servres",
		"did you mean servers",
	],
])(
	"%s is refused with two lines, exit code 2 and what to do",
	async (_, argv, error, hint) => {
		const { code, stdout, stderr } = await sallyport(argv);
		expect([code, stdout]).toEqual([2, ""]);
		const lines = stderr.trimEnd().split("\n");
		expect(lines).toHaveLength(2);
		expect(lines[0]).toBe(`sallyport: error: ${error}`);
		expect(lines[1]).toStartWith(`sallyport: hint: ${hint}`);
	},
);

test("with --json an error is one object, wherever the flag stands", async () => {
	for (const argv of [
		["servers", "lst", "--json"],
		["--json", "servers", "lst"],
	]) {
		const { code, stdout, stderr } = await sallyport(argv);
		expect([code, stdout]).toEqual([2, ""]);
		expect(JSON.parse(stderr)).toEqual({
			error: {
				code: "invalid",
				message: "there is no verb of servers named lst",
				hint: "did you mean list",
			},
		});
	}
	expect(
		(await sallyport(["servers", "lst", "--", "--json"])).stderr,
	).toStartWith("sallyport: error:");
});

test("without a service a command that needs one says so, with exit code 6", async () => {
	const { code, stderr } = await sallyport(["servers", "list"]);
	expect(code).toBe(6);
	expect(stderr).toContain("sallyport: error: the service is not running");
	expect(stderr).toContain(
		"sallyport: hint: start it with: sallyport serve --data-dir /nowhere/sallyport",
	);
	expect(
		(await sallyport(["servers", "list", "--data-dir", "/tmp/elsewhere"]))
			.stderr,
	).toContain("/tmp/elsewhere");
});

test("version needs no service", async () => {
	expect(await sallyport(["version"])).toEqual({
		code: 0,
		stdout: "sallyport 1.2.3\n",
		stderr: "",
	});
	expect((await sallyport(["--version"])).stdout).toBe("sallyport 1.2.3\n");
	expect(JSON.parse((await sallyport(["version", "--json"])).stdout)).toEqual({
		version: "1.2.3",
	});
});

test.each<[readonly string[], string]>([
	[
		[
			"--url",
			"https://x.example",
			"--header",
			"Authorization: Bearer canary-1",
		],
		"AUTHORIZATION=header:Authorization",
	],
	[
		["--url", "https://x.example", "--header", "X-Api-Key: canary-1"],
		"X_API_KEY=header:X-Api-Key",
	],
	[
		["--command", "x", "--env", "GITHUB_TOKEN=canary-1"],
		"GITHUB_TOKEN=env:GITHUB_TOKEN",
	],
	[
		["--command", "x", "--env", "DB_PASSWORD=canary-1"],
		"DB_PASSWORD=env:DB_PASSWORD",
	],
])(
	"a secret as a plain value (%p) is refused, never repeated, and shown its slot",
	async (flags, slot) => {
		const { code, stderr } = await sallyport([
			"servers",
			"add",
			"notes",
			...flags,
		]);
		expect(code).toBe(2);
		expect(stderr).not.toContain("canary");
		expect(stderr).toContain("looks like a secret");
		expect(stderr).toContain(`--slot ${slot}`);
		expect(stderr).toContain(
			`sallyport secrets set notes ${slot.split("=")[0]} < FILE`,
		);
	},
);

test.each([
	["--header", "canary-1"],
	["--env", "canary-1"],
	["--env", "=canary-1"],
	["--slot", "canary-1"],
	["--slot", "A=query:canary-1"],
	["--slot", "A=env:B,personal,shared,canary"],
	["--slot", "A=env:B,canary"],
	["--password", "canary-1"],
])("%s %s cannot be read, and is not repeated", async (flag, value) => {
	const { code, stderr } = await sallyport([
		"servers",
		"add",
		"notes",
		"--url",
		"https://x.example",
		flag,
		value,
	]);
	expect(code).toBe(2);
	expect(stderr).not.toContain("canary");
	expect(stderr).toContain("hint:");
});

test("what cannot be undone is not done without a yes: --yes, or an answer on a terminal", async () => {
	const argv = ["servers", "remove", "notes"];
	const silent = await sallyport(argv);
	expect([silent.code, silent.stderr.includes("add --yes")]).toEqual([2, true]);
	const no = await sallyport(argv, { tty: true, input: "n\n" });
	expect([no.code, no.stderr.includes("nothing was changed")]).toEqual([
		2,
		true,
	]);
	// Past the question, the service is missing: exit code 6.
	expect((await sallyport(argv, { tty: true, input: "y\n" })).code).toBe(6);
	expect((await sallyport([...argv, "--yes"])).code).toBe(6);
});

test("a secret comes from standard input or a file, never from an argument or a terminal", async () => {
	const asArgument = await sallyport([
		"secrets",
		"set",
		"notes",
		"TOKEN",
		"canary-1",
	]);
	expect([asArgument.code, asArgument.stderr.includes("canary")]).toEqual([
		2,
		false,
	]);
	const terminal = await sallyport(["secrets", "set", "notes", "TOKEN"], {
		tty: true,
	});
	expect([terminal.code, terminal.stderr.includes("< FILE")]).toEqual([
		2,
		true,
	]);
	const empty = await sallyport(["secrets", "set", "notes", "TOKEN"], {
		input: "\n",
	});
	expect([empty.code, empty.stderr.includes("the secret is empty")]).toEqual([
		2,
		true,
	]);
	const missing = await sallyport([
		"secrets",
		"set",
		"notes",
		"TOKEN",
		"--file",
		"/nowhere/token",
	]);
	expect([
		missing.code,
		missing.stderr.includes("cannot read the secret from /nowhere/token"),
	]).toEqual([2, true]);
	expect(
		(
			await sallyport(["secrets", "set", "notes", "TOKEN"], {
				input: "canary-1\n",
			})
		).code,
	).toBe(6);
});

test.each(["[1]", "canary-1", "null", '{"a":'])(
	"arguments that are no JSON object (%s) are refused here",
	async (args) => {
		const { code, stderr } = await sallyport([
			"tools",
			"call",
			"memory_x",
			"--args",
			args,
		]);
		expect([code, stderr.includes("canary")]).toEqual([2, false]);
		expect(stderr).toContain("the arguments are not a JSON object");
	},
);

test("a tool is named by its server and its own name", async () => {
	expect((await sallyport(["tools", "call", "memory"])).stderr).toContain(
		"a tool is named SLUG_TOOL",
	);
});

test("colour is for terminals that want it", async () => {
	const argv = ["servers", "lst"];
	const colour = "\u001b[";
	expect((await sallyport(argv)).stderr).not.toContain(colour);
	expect((await sallyport(argv, { tty: true })).stderr).toContain(colour);
	expect(
		(await sallyport(argv, { tty: true, env: { NO_COLOR: "1" } })).stderr,
	).not.toContain(colour);
	expect(
		(await sallyport(argv, { tty: true, env: { TERM: "dumb" } })).stderr,
	).not.toContain(colour);
});

test("init makes the owner while nothing runs, from a password on standard input", async () => {
	const argv = [
		"init",
		"--admin-email",
		"Ada@Example.org",
		"--admin-password-file",
		"-",
		"--no-input",
		"--json",
	];
	const { code, stdout, stderr } = await sallyport(argv, {
		input: "correct horse battery\n",
	});
	expect([code, stderr]).toEqual([0, ""]);
	expect(JSON.parse(stdout).user).toMatchObject({
		email: "ada@example.org",
		role: "owner",
	});
	expect((await sallyport(argv, { input: "short\n" })).code).toBe(2);
	const missing = await sallyport(["init", "--admin-email", "ada@example.org"]);
	expect([
		missing.code,
		missing.stderr.includes("init needs --admin-password-file"),
	]).toEqual([2, true]);
});
