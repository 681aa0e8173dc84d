/** The command line and the API together, over a real Unix socket. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { toBytes } from "../../src/message.ts";
import type { Fixture } from "../api/fixture.ts";
import { type Service, startService } from "./over-socket.ts";

let service: Service;
let fixture: Fixture;
let sallyport: Service["sallyport"];

beforeEach(() => {
	service = startService();
	({ fixture, sallyport } = service);
});
afterEach(() => service.stop());

test("a server is added, listed, shown, disabled, enabled and removed", async () => {
	fixture.scripts.set("notes", {
		tools: ['{"name":"read","description":"Reads a note.\\nAt length."}'],
	});
	expect(
		await sallyport([
			...[
				"servers",
				"add",
				"notes",
				"--url",
				"https://notes.example.org/mcp",
				"--header",
				"X-Team: a: b",
			],
			...[
				"--slot",
				"TOKEN=header:Authorization,personal,optional",
				"--access",
				"admins",
				"--tools",
				"read, write",
			],
		]),
	).toEqual({ code: 0, stdout: "notes added: 1 tool\n", stderr: "" });
	const list = await sallyport(["servers", "list"]);
	expect(list.stdout.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
		["NAME", "KIND", "WHERE", "STATUS", "ACCESS"],
		["notes", "http", "https://notes.example.org/mcp", "asleep", "admins"],
		[""],
	]);
	const show = (await sallyport(["servers", "show", "notes"])).stdout;
	expect(show).toContain("header      X-Team=a: b\n");
	expect(show).toContain(
		"slot TOKEN  header Authorization, personal, optional\n",
	);
	expect(show).toContain("tools       read, write\n");
	const json = JSON.parse(
		(await sallyport(["servers", "show", "notes", "--json"])).stdout,
	);
	expect(Object.keys(json)).toEqual(["server"]);
	expect(json.server.slots).toEqual([
		{
			name: "TOKEN",
			injection: "header",
			target: "Authorization",
			personal: true,
			optional: true,
		},
	]);
	expect((await sallyport(["servers", "tools", "notes"])).stdout).toBe(
		"TOOL  DESCRIPTION\nread  Reads a note.\n",
	);
	expect(await sallyport(["servers", "logs", "notes"])).toEqual({
		code: 0,
		stdout: "",
		stderr: "notes has written nothing\n",
	});
	expect((await sallyport(["servers", "restart", "notes"])).stdout).toBe(
		"notes did not run: its next call starts it anew\n",
	);
	expect((await sallyport(["servers", "disable", "notes"])).stdout).toBe(
		"notes disabled\n",
	);
	expect((await sallyport(["servers", "enable", "notes"])).stdout).toBe(
		"notes enabled\n",
	);
	expect(
		(await sallyport(["servers", "remove", "notes", "--yes"])).stdout,
	).toBe("notes removed\n");
	const none = await sallyport(["servers", "list"]);
	expect([none.stdout, none.stderr]).toEqual([
		"",
		"no servers yet: sallyport servers add --help\n",
	]);
});

test("what follows -- belongs to the server, flags and all", async () => {
	await sallyport([
		"servers",
		"add",
		"local",
		"--command",
		"cat",
		"--env",
		"MODE=a=b",
		"--disabled",
		"--",
		"--json",
		"-x",
		"--",
	]);
	const { server } = JSON.parse(
		(await sallyport(["servers", "show", "local", "--json"])).stdout,
	);
	expect(server.transport).toEqual({
		kind: "command",
		command: "cat",
		args: ["--json", "-x", "--"],
		env: { MODE: "a=b" },
	});
	expect(server.enabled).toBe(false);
});

test("a server that does not answer is a warning on stderr, in two lines, and no failure", async () => {
	const { code, stdout, stderr } = await sallyport([
		"servers",
		"add",
		"notes",
		"--url",
		"https://notes.example.org",
	]);
	expect([code, stdout]).toEqual([0, "notes added\n"]);
	expect(stderr).toBe(
		"sallyport: warning: notes does not answer\nsallyport: hint: look at its log\n",
	);
});

test.each<[string, readonly string[], number, string]>([
	[
		"a duplicate slug",
		["servers", "add", "notes", "--url", "https://x.example"],
		5,
		"a server named notes exists",
	],
	[
		"a bad slug",
		["servers", "add", "No_tes", "--url", "https://x.example"],
		2,
		"name must be 1 to 32 of a-z",
	],
	[
		"no way to reach it",
		["servers", "add", "other"],
		2,
		"a server is reached in exactly one way",
	],
	[
		"a server nobody has",
		["servers", "show", "nobody"],
		3,
		"there is no server named nobody",
	],
	[
		"a slug that is no path",
		["servers", "show", "../keys"],
		3,
		"there is no server named ../keys",
	],
	[
		"a slot nobody declared",
		["secrets", "set", "notes", "OTHER"],
		3,
		"notes has no slot of that name",
	],
	["a dead server", ["servers", "tools", "notes"], 7, "notes does not answer"],
	[
		"a taken address",
		["users", "add", "owner@example.org", "--password-file", "-"],
		5,
		"there is a user owner@example.org",
	],
	[
		"a key nobody has",
		["keys", "revoke", "key_x", "--yes"],
		3,
		"there is no key key_x",
	],
	[
		"a link for a gateway that is owned",
		["setup-link"],
		5,
		"this gateway has an owner",
	],
])(
	"%s ends with the exit code of its kind, as text and as JSON",
	async (_, argv, exit, message) => {
		await sallyport([
			"servers",
			"add",
			"notes",
			"--url",
			"https://notes.example.org",
		]);
		const text = await sallyport(argv, "a long enough password\n");
		expect([text.code, text.stdout]).toEqual([exit, ""]);
		expect(text.stderr).toStartWith(`sallyport: error: ${message}`);
		expect(text.stderr).toContain("\nsallyport: hint: ");
		const json = await sallyport(
			[...argv, "--json"],
			"a long enough password\n",
		);
		expect([json.code, json.stdout]).toEqual([exit, ""]);
		const { error } = JSON.parse(json.stderr);
		expect(error.message).toStartWith(message);
		expect(Object.keys(error)).toEqual(["code", "message", "hint"]);
	},
);

test("secrets are set from standard input, listed without their values, and cleared", async () => {
	await sallyport([
		...["servers", "add", "notes", "--url", "https://notes.example.org"],
		...[
			"--slot",
			"TEAM=header:X-Team",
			"--slot",
			"MINE=header:X-Mine,personal",
		],
	]);
	const set = await sallyport(
		["secrets", "set", "notes", "TEAM"],
		"canary-1\n",
	);
	expect([set.stdout, set.stderr]).toEqual(["notes TEAM set (shared)\n", ""]);
	const list = await sallyport(["secrets", "list"]);
	expect(list.stdout).toMatch(
		/notes {3}MINE {2}owner@example\.org {2}not set\n/,
	);
	expect(list.stdout).toMatch(/notes {3}TEAM {2}shared {13}set {6}\d{4}-/);
	expect(list.stdout).not.toContain("canary");
	expect((await sallyport(["secrets", "clear", "notes", "TEAM"])).code).toBe(2);
	expect(
		(await sallyport(["secrets", "clear", "notes", "TEAM", "--yes"])).stdout,
	).toBe("notes TEAM cleared (shared)\n");
	expect(
		(await sallyport(["secrets", "clear", "notes", "TEAM", "--yes"])).code,
	).toBe(3);
});

test("a tool is called by the name clients see; its words are printed, its failure is exit code 7", async () => {
	fixture.scripts.set("notes", {
		tools: ['{"name":"read_all"}', '{"name":"fail"}'],
		call: (params) => ({
			member: "result",
			body: toBytes(
				params.includes("fail")
					? '{"content":[{"type":"text","text":"it broke"}],"isError":true}'
					: `{"content":[{"type":"text","text":"a\\u001b[2Jb"},{"type":"image"}],"got":${params}}`,
			),
		}),
	});
	await sallyport([
		"servers",
		"add",
		"notes",
		"--url",
		"https://notes.example.org",
	]);
	expect((await sallyport(["tools", "list"])).stdout).toContain(
		"notes_read_all",
	);
	const call = await sallyport(["tools", "call", "notes_read_all"]);
	expect([call.code, call.stdout]).toEqual([0, 'a[2Jb\n{"type":"image"}\n']);
	const exact = '{"n": 12345678901234567890}';
	for (const [argv, input] of [
		[["--args", exact], ""],
		[["--args", "-"], `${exact}\n`],
	] as const) {
		const json = await sallyport(
			["tools", "call", "notes_read_all", "--json", ...argv],
			input,
		);
		expect(json.stdout).toStartWith('{"data":{"content":');
		expect(json.stdout).toContain(
			`"arguments":${input === "" ? exact : input}`.trimEnd(),
		);
	}
	const failed = await sallyport(["tools", "call", "notes_fail"]);
	expect([failed.code, failed.stdout]).toEqual([7, "it broke\n"]);
	expect(failed.stderr).toContain(
		"sallyport: error: the tool notes_fail failed",
	);
});

test("a user is added with a password file or an invite link; a key is shown once", async () => {
	const enrolled = await sallyport(
		["users", "add", "ada@example.org", "--password-file", "-"],
		"correct horse battery\n",
	);
	expect([enrolled.stdout, enrolled.stderr]).toEqual([
		"ada@example.org added\n",
		"",
	]);
	const invited = await sallyport([
		"users",
		"add",
		"bob@example.org",
		"--role",
		"admin",
	]);
	expect(invited.stdout).toMatch(
		/^https:\/\/gate\.example\.org\/invite\/sp_in_\S+\n$/,
	);
	expect((await sallyport(["users", "list"])).stdout).toMatch(
		/bob@example\.org +admin +invited/,
	);
	const key = await sallyport([
		"keys",
		"create",
		"ci",
		"--user",
		"ada@example.org",
	]);
	expect(key.stdout).toMatch(/^sp_ak_\S+\n$/);
	const { keys } = JSON.parse(
		(await sallyport(["keys", "list", "--json"])).stdout,
	);
	expect(keys).toMatchObject([
		{ name: "ci", username: "ada@example.org", lastUsedAt: null },
	]);
	expect((await sallyport(["keys", "revoke", keys[0].id, "--yes"])).code).toBe(
		0,
	);
	expect((await sallyport(["keys", "list"])).stderr).toBe("no keys\n");
});

test("clients are made, listed, let in and forgotten; who may come is chosen", async () => {
	const made = await sallyport([
		...["clients", "add", "chat", "--secret"],
		...["--redirect-uri", "https://chat.example.org/cb"],
	]);
	expect(made.stdout).toMatch(
		/^client id +cli_\S+\nclient secret +sp_cs_\S+\n$/,
	);
	expect(made.stderr).toContain("not shown again");
	const id = /cli_\S+/.exec(made.stdout)?.[0] ?? "";
	const listed = await sallyport(["clients", "list"]);
	expect(listed.stdout).toContain("https://chat.example.org/cb");
	expect(listed.stdout).not.toContain("sp_cs_");
	expect((await sallyport(["clients", "approve", id])).code).toBe(0);
	expect((await sallyport(["grants", "list"])).stderr).toContain("no client");
	const both = ["grants", "revoke", "grt_x", "--client", id, "--yes"];
	expect((await sallyport(both)).code).toBe(2);
	const none = ["grants", "revoke", "--client", id, "--yes"];
	expect((await sallyport(none)).stdout).toBe("0 revoked\n");
	expect((await sallyport(["clients", "revoke", id, "--yes"])).code).toBe(0);
	expect((await sallyport(["clients", "revoke", id, "--yes"])).code).toBe(3);

	expect((await sallyport(["clients", "policy"])).stdout).toBe(
		"registration  known\ndocuments     on\ndevice        off\n",
	);
	const changed = [
		...["--registration", "approve"],
		...["--documents", "off"],
		...["--device", "on"],
	];
	expect((await sallyport(["clients", "policy", ...changed])).stdout).toBe(
		"registration  approve\ndocuments     off\ndevice        on\n",
	);
	for (const wrong of [
		["--registration", "anyone"],
		["--documents", "maybe"],
		["--device", "yes"],
	])
		expect((await sallyport(["clients", "policy", ...wrong])).code).toBe(2);
});
