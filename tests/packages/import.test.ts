import { expect, test } from "bun:test";
import {
	parseClientText,
	readClientFile,
	readClientServer,
} from "../../src/packages/client-file.ts";
import {
	type ImportPlan,
	planImport,
	slugFor,
} from "../../src/packages/import.ts";

/** What a file comes to, by slug. */
function plans(text: string, personal = false): Record<string, ImportPlan> {
	return Object.fromEntries(
		readClientFile(parseClientText(text)).servers.map(([name, value]) => {
			const plan = planImport(name, readClientServer(value), personal);
			return [plan.slug, plan];
		}),
	);
}

function one(server: unknown, personal = false): ImportPlan {
	return planImport("one", readClientServer(server), personal);
}

const TOKEN_SLOT = {
	name: "GITHUB_TOKEN",
	injection: "env",
	target: "GITHUB_TOKEN",
	personal: false,
	optional: false,
};

test("each client's own words for a server on the network come to the same", () => {
	const url = "https://notes.example.org/mcp";
	const files = {
		"Claude Code": `{"mcpServers":{"notes":{"type":"http","url":"${url}","headers":{"X-Team":"a"}}}}`,
		Cursor: `{"mcpServers":{"notes":{"url":"${url}","headers":{"X-Team":"a"}}}}`,
		Windsurf: `{"mcpServers":{"notes":{"serverUrl":"${url}","headers":{"X-Team":"a"}}}}`,
		"Gemini CLI": `{"mcpServers":{"notes":{"httpUrl":"${url}","headers":{"X-Team":"a"}}}}`,
		"VS Code": `{"servers":{"notes":{"type":"http","url":"${url}","headers":{"X-Team":"a",}}}, /* jsonc */ "inputs":[]}`,
		"VS Code's settings": `{"mcp":{"servers":{"notes":{"url":"${url}","headers":{"X-Team":"a"}}}}}`,
		Zed: `// settings\n{"context_servers":{"notes":{"source":"custom","url":"${url}","headers":{"X-Team":"a"}}}}`,
		OpenCode: `{"mcp":{"notes":{"type":"remote","url":"${url}","headers":{"X-Team":"a"}}}}`,
		Codex: `[mcp_servers.notes]\nurl = "${url}"\nhttp_headers = { "X-Team" = "a" }\n`,
		"Claude Desktop": `{"mcpServers":{"notes":{"command":"npx","args":["-y","mcp-remote@latest","${url}","3334","--header","X-Team: a"]}}}`,
	};
	for (const [client, text] of Object.entries(files))
		expect([client, plans(text)]).toEqual([
			client,
			{
				notes: {
					slug: "notes",
					settings: {
						url,
						mode: "auto",
						headers: { "X-Team": "a" },
						slots: [],
						enabled: true,
					},
					secrets: new Map(),
					blanks: new Map(),
					leftOut: [],
				},
			},
		]);
});

test("each client's own words for a program come to the same", () => {
	const files = {
		"Claude Desktop": `{"mcpServers":{"n":{"command":"cat","args":["-u"],"env":{"MODE":"1"}}}}`,
		"VS Code": `{"servers":{"n":{"type":"stdio","command":"cat","args":["-u"],"env":{"MODE":1}}}}`,
		"Zed, formerly": `{"context_servers":{"n":{"command":{"path":"cat","args":["-u"],"env":{"MODE":"1"}}}}}`,
		OpenCode: `{"mcp":{"n":{"type":"local","command":["cat","-u"],"environment":{"MODE":"1"}}}}`,
		Codex: `[mcp_servers.n]\ncommand = "cat"\nargs = ["-u"]\nenv = { MODE = "1" }\n`,
	};
	for (const [client, text] of Object.entries(files))
		expect([client, plans(text)["n"]?.settings]).toEqual([
			client,
			{
				command: "cat",
				args: ["-u"],
				env: { MODE: "1" },
				slots: [],
				enabled: true,
			},
		]);
});

test.each([
	[["npx", "-y", "pkg@1.2.3", "a"]],
	[["npx.cmd", "--yes", "pkg@1.2.3", "a"]],
	[["cmd", "/c", "npx", "-y", "pkg@1.2.3", "a"]],
	[["C:\\Program Files\\nodejs\\npx.cmd", "pkg@1.2.3", "a"]],
	[["/usr/local/bin/bunx", "--bun", "pkg@1.2.3", "a"]],
	[["npm", "exec", "-y", "--", "pkg@1.2.3", "a"]],
	[["pnpm", "dlx", "pkg@1.2.3", "a"]],
])("%p is the npm package", ([command = "", ...args]) => {
	expect(one({ command, args }).settings).toMatchObject({
		npm: "pkg@1.2.3",
		args: ["a"],
	});
});

test("npm that runs no package, and a runner with a flag that changes what is run, are not packages", () => {
	expect(one({ command: "npm", args: ["start"] }).settings).toMatchObject({
		command: "npm",
	});
	expect(() => one({ command: "npx", args: ["-p", "a", "b"] })).toThrow(
		"it runs a package with -p",
	);
	expect(() => one({ command: "npx", args: ["-y"] })).toThrow("no package");
});

test("what is secret by its name or by its looks goes into a slot, and the rest stays plain", () => {
	const secret = {
		GITHUB_TOKEN: "a",
		GITLAB_PAT: "b",
		DATABASE_URL: "postgres://ada:pw@db/x",
		SETTING: `gh${"p_"}0123456789`,
		OTHER: "Zm9vYmFyYmF6cXV4MTIz",
	};
	const plain = {
		PATH: "/usr/bin:/bin",
		HOME_DIR: "/Users/Ada/Documents/Project12",
		MODEL: "claude-sonnet-4-20250514",
		URL: "https://db.example.org/x?y=1",
		EMPTY: "",
	};
	const plan = one({ command: "cat", env: { ...secret, ...plain } });
	expect(plan.settings["env"]).toEqual(plain);
	expect(Object.fromEntries(plan.secrets)).toEqual(secret);
	expect(plan.settings["slots"]).toContainEqual(TOKEN_SLOT);
});

test("a blank is a slot to be given; its own name is the slot's, and half a secret around it is not shown", () => {
	const plan = one({
		url: "https://notes.example.org/mcp",
		headers: {
			Authorization: `Bearer \${input:token}`,
			"X-Own": `\${env:OWN}`,
			"X-Whole": `\${WHOLE}`,
			"X-Half": `hush-\${REST}`,
			"X-Doc": "<your team>",
			"X-Default": `\${MODE:-quiet}`,
			"X-Api-Key": `\${KEY:-}`,
		},
	});
	expect(Object.fromEntries(plan.blanks)).toEqual({
		AUTHORIZATION: `Bearer \${input:token}`,
		X_OWN: `\${env:OWN}`,
		WHOLE: `\${WHOLE}`,
		X_HALF: `\${REST}`,
		X_DOC: "<your team>",
		X_API_KEY: "",
	});
	expect(plan.settings["headers"]).toEqual({ "X-Default": "quiet" });
	expect(plan.secrets.size).toBe(0);
});

test("Codex's names of variables are blanks", () => {
	const plan = plans(
		'[mcp_servers.one]\nurl = "https://a.example/mcp"\nbearer_token_env_var = "TOKEN"\nenv_http_headers = { "X-Key" = "KEY" }\nstartup_timeout_sec = 20\n',
	)["one"];
	expect(Object.fromEntries(plan!.blanks)).toEqual({
		AUTHORIZATION: `Bearer \${TOKEN}`,
		KEY: `\${KEY}`,
	});
	expect(plan!.leftOut).toEqual(["startup_timeout_sec"]);
});

test("mcp-remote's header takes its secret from the variable that it names, and what only mcp-remote needs is named", () => {
	const plan = one({
		command: "npx",
		args: [
			...["mcp-remote", "https://a.example/sse", "--transport", "sse-only"],
			...["--header", `Authorization:\${AUTH}`, "--allow-http"],
			...["--static-oauth-client-info", '{"client_secret":"hush"}'],
		],
		env: { AUTH: "Bearer hush", NODE_ENV: "x" },
	});
	expect(plan.settings).toMatchObject({
		url: "https://a.example/sse",
		mode: "sse",
	});
	expect(Object.fromEntries(plan.secrets)).toEqual({
		AUTHORIZATION: "Bearer hush",
	});
	expect(plan.leftOut).toEqual([
		"--allow-http",
		"--static-oauth-client-info",
		"env.NODE_ENV",
	]);
});

test.each([
	[["--api-key", "hush"]],
	[["--api-key=hush"]],
	[["API_KEY=hush"]],
	[["--header", "Authorization: Bearer hush"]],
	[["postgresql://ada:hush@db/x"]],
	[["https://a.example/mcp?api_key=hush"]],
	[["-x", `sk-${"hush"}-0123456789`]],
	[["-c", "export API_KEY='hush'; exec npx -y pkg"]],
	[["-c", "pkg --token hush"]],
])("a secret among the arguments is refused and not repeated: %#", (args) => {
	let message = "";
	try {
		one({ command: "cat", args });
	} catch (error) {
		const { message: what, hint } = error as Error & { hint: string };
		message = what + hint;
	}
	expect(message).toContain("arguments are kept in clear");
	expect(message).not.toContain("hush");
});

test("numbers, places and docker's names of variables are no secrets", () => {
	const args = [
		"--max-tokens",
		"500",
		"--key-file",
		"/k",
		"-e",
		"GITHUB_TOKEN",
	];
	expect(one({ command: "docker", args }).settings["args"]).toEqual(args);
});

test("a blank that only the client could fill in is refused where it cannot be a slot", () => {
	const blank = `\${workspaceFolder}`;
	expect(() => one({ command: "cat", args: [blank] })).toThrow(blank);
	expect(() => one({ url: `https://a.example/${blank}` })).toThrow(blank);
	expect(
		one({ command: "cat", args: [`\${DIR:-/srv}`] }).settings["args"],
	).toEqual(["/srv"]);
});

test("members that are not carried over are named, as far as they look like names", () => {
	const { leftOut } = one({
		command: "cat",
		cwd: "/",
		"a secret in the wrong place": 1,
		alwaysAllow: [],
	});
	expect(leftOut).toEqual(["cwd", "(another)", "alwaysAllow"]);
	const file = { mcpServers: { a: {} }, theme: "dark", inputs: [] };
	expect(readClientFile(file).leftOut).toEqual(["theme"]);
});

test.each([
	["no server", {}, "there are no servers"],
	["not an object", [1], "there are no servers"],
	[
		"too many",
		{
			servers: Object.fromEntries(
				Array(101)
					.fill({})
					.map((_, i) => [`s${i}`, {}]),
			),
		},
		"more than 100",
	],
])("a file with %s is refused", (_, file, message) => {
	expect(() => readClientFile(file)).toThrow(message);
});

test.each([
	["args that are a text", { command: "cat", args: "-u" }, "its args must be"],
	["a variable that is a list", { command: "cat", env: { A: [] } }, "its env"],
	["neither way", { env: {} }, "neither a command nor a url"],
	["both ways", { command: "cat", url: "https://a.example" }, "both"],
	["no object", "cat", "neither"],
])("a server with %s is refused", (_, server, message) => {
	expect(() => readClientServer(server)).toThrow(message);
});

test.each([
	["deep nesting", '{"a":'.repeat(100_000)],
	["what is neither JSON nor TOML", "{hush"],
	["an empty file", "= hush"],
])("%s is refused in our own words", (_, text) => {
	expect(() => parseClientText(text)).toThrow("neither JSON nor TOML");
});

test("a name becomes a slug", () => {
	expect(
		["GitHub", "My Server!", "42", "日本", "é_x", "a".repeat(40)].map(slugFor),
	).toEqual([
		"github",
		"my-server",
		"server-42",
		"server",
		"e-x",
		"a".repeat(32),
	]);
});

test("a name that is a trap for objects is only a name", () => {
	const [entry] = readClientFile(
		parseClientText(
			'{"mcpServers":{"__proto__":{"command":"cat","env":{"__proto__":"x"}}}}',
		),
	).servers;
	expect(entry?.[0]).toBe("__proto__");
	expect(readClientServer(entry?.[1]).command).toEqual(["cat"]);
});
