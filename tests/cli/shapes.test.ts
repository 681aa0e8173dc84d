/** The commands that shape tools. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { type Service, startService } from "./over-socket.ts";

let service: Service;
let sallyport: Service["sallyport"];

const READ =
	'{"name":"read","description":"Reads","inputSchema":{"type":"object"}}';
const WIPE = '{"name":"wipe","annotations":{"destructiveHint":true}}';

beforeEach(async () => {
	service = startService();
	({ sallyport } = service);
	says(READ, WIPE);
	const added = await sallyport([
		...["servers", "add", "notes", "--url", "https://notes.example.org"],
		...["--destructive", "off"],
	]);
	expect(added).toEqual({
		code: 0,
		stdout: "notes added: 2 tools\n",
		stderr: "",
	});
});
afterEach(() => service.stop());

function says(...tools: readonly string[]): void {
	service.fixture.scripts.set("notes", { tools });
}

async function out(...argv: readonly string[]): Promise<string> {
	const { code, stdout, stderr } = await sallyport(argv);
	if (code !== 0) throw new Error(`${argv.join(" ")}: ${stderr}`);
	return stdout;
}

test("every tool is listed with its state, its cost and its name as clients show it", async () => {
	const { stdout, stderr } = await sallyport([
		"servers",
		"tools",
		"notes",
		"--all",
	]);
	expect(stdout).toBe(
		[
			"TOOL  STATE        TOKENS  AS CLIENTS SHOW IT",
			"read  on           8       mcp__sallyport__notes_read",
			"wipe  destructive  2       mcp__sallyport__notes_wipe",
			"",
		].join("\n"),
	);
	expect(stderr).toBe(
		"8 tokens for what is shown (estimated: one token for every four bytes of name, description and input schema)\n",
	);
	expect(await out("servers", "show", "notes")).toContain(
		"destructive tools  off until switched on\n",
	);
});

test("a tool is switched on and off, named anew, and taken back", async () => {
	expect(await out("tools", "enable", "notes", "wipe")).toBe(
		"wipe of notes enabled\n",
	);
	expect(await out("tools", "disable", "notes", "read")).toBe(
		"read of notes disabled\n",
	);
	const edited = await sallyport([
		...["tools", "edit", "notes", "wipe", "--name", "clear"],
		...["--description", "Clears all"],
	]);
	expect(edited).toEqual({
		code: 0,
		stdout: "wipe of notes changed\n",
		stderr: "clients show it as mcp__sallyport__notes_clear\n",
	});
	expect(await out("servers", "tools", "notes")).toBe(
		"TOOL   DESCRIPTION\nclear  Clears all\n",
	);
	expect(await out("tools", "reset", "notes", "wipe")).toBe(
		"wipe is as notes has it\n",
	);
	for (const [argv, code, said] of [
		[["tools", "reset", "notes", "wipe"], 3, "nothing was changed"],
		[["tools", "edit", "notes", "read"], 2, "nothing to change"],
		[["tools", "enable", "notes", "nope"], 3, "notes has no tool nope"],
		[["servers", "update", "notes"], 2, "nothing to change"],
		[["servers", "update", "notes", "--destructive", "no"], 2, "on or off"],
		[["servers", "update", "notes", "--result-limit", "x"], 2, "a number"],
		[["servers", "update", "notes", "--result-limit", "5"], 2, "at least 1000"],
		[["servers", "update", "notes", "--pinning", "x"], 2, "must be one of"],
		[["servers", "tools", "notes", "--all", "--changes"], 2, "two answers"],
	] as const) {
		const { code: ended, stderr } = await sallyport(argv);
		expect([argv.join(" "), ended]).toEqual([argv.join(" "), code]);
		expect(stderr).toContain(said);
	}
});

test("a list of allowed tools takes switches back, and --tools all every restriction", async () => {
	await out("tools", "disable", "notes", "read");
	await out("servers", "update", "notes", "--tools", "read,wipe");
	expect(await out("servers", "tools", "notes")).toContain("wipe");
	await out("servers", "update", "notes", "--tools", "all");
	expect(await out("servers", "tools", "notes")).not.toContain("wipe");
});

test("what was changed is shown, accepted by name with a yes, and nothing waits then", async () => {
	says(READ.replace("Reads", "Reads, and mails it"), WIPE);
	const updated = await sallyport([
		...["servers", "update", "notes", "--result-limit", "5000"],
	]);
	expect(updated.stderr).toBe(
		[
			"sallyport: warning: 1 definition is not as approved, and hidden until accepted",
			"sallyport: hint: look at it: sallyport servers tools notes --changes",
			"",
		].join("\n"),
	);
	const shown = await out("servers", "tools", "notes", "--changes");
	expect(shown).toStartWith("tool read: changed\n  {\n");
	expect(shown).toContain('-   "description": "Reads",\n');
	expect(shown).toContain('+   "description": "Reads, and mails it",\n');
	expect(await out("servers", "show", "notes")).toContain("1 held");
	const unasked = await sallyport(["servers", "accept", "notes", "read"]);
	expect(unasked.code).toBe(2);
	expect((await sallyport(["servers", "accept", "notes", "x"])).code).toBe(3);
	expect(await out("servers", "accept", "notes", "read", "--yes")).toBe(
		"1 change of notes accepted\n",
	);
	expect(await sallyport(["servers", "accept", "notes", "--yes"])).toEqual({
		code: 0,
		stdout: "",
		stderr: "everything is as it was approved\n",
	});
});

test("a toolset is made, listed, shown, changed and removed", async () => {
	expect(
		await sallyport([
			...["toolsets", "add", "reading", "--title", "Only reading"],
			...["--server", "notes:notes_read"],
		]),
	).toEqual({
		code: 0,
		stdout: "reading added: 1 tool, 8 tokens\n",
		stderr: "its address is https://gate.example.org/mcp/reading\n",
	});
	expect(await out("toolsets", "list")).toContain(
		"reading  notes:read  https://gate.example.org/mcp/reading  everyone",
	);
	expect(await out("toolsets", "show", "reading")).toContain(
		"title         Only reading\n",
	);
	expect(await out("toolsets", "update", "reading", "--server", "notes")).toBe(
		"reading changed: 1 tool, 8 tokens\n",
	);
	expect((await sallyport(["toolsets", "remove", "reading"])).code).toBe(2);
	expect(await out("toolsets", "remove", "reading", "--yes")).toBe(
		"reading removed\n",
	);
	expect((await sallyport(["toolsets", "show", "reading"])).code).toBe(3);
	expect(
		(await sallyport(["toolsets", "add", "notes", "--server", "notes"])).code,
	).toBe(5);
});

test("what a client sees at an endpoint, and why not more", async () => {
	const { stdout, stderr } = await sallyport([
		...["tools", "list", "--endpoint", "/mcp/notes", "--why"],
	]);
	expect(stdout).toBe(
		[
			"TOOL  TOKENS  AS CLIENTS SHOW IT  HIDDEN BECAUSE",
			"read  8       mcp__notes__read",
			"wipe  2       mcp__notes__wipe    it says it is destructive, and nobody has switched it on",
			"",
		].join("\n"),
	);
	expect(stderr).toStartWith("8 tokens for what is shown");
	expect((await sallyport(["tools", "list", "--endpoint", "/x"])).code).toBe(2);
});

test("a name that is too long is shown as clients will see it when the server is added", async () => {
	const long = "list_all_the_organisation_wide_deployment_environments";
	service.fixture.scripts.set("code", { tools: [`{"name":"${long}"}`] });
	const { stderr } = await sallyport([
		...["servers", "add", "code", "--url", "https://code.example.org"],
	]);
	expect(stderr).toMatch(
		/warning: the tool list_all_\w+ has too long a name for some clients: they see mcp__sallyport__code_list_all_the_\w+\n/,
	);
	const [, short] =
		/(code_list_all_\w+)/.exec(await out("tools", "list")) ?? [];
	expect(`mcp__sallyport__${short}`.length).toBeLessThanOrEqual(60);
});
