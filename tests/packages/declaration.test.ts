/** From a declaration to a form's answers to settings; and from a registry's `server.json` to declarations. */
import { expect, test } from "bun:test";
import {
	type Declaration,
	declareInput,
	readServerJson,
	settleDeclaration,
} from "../../src/packages/declaration.ts";

function declare(
	inputs: Declaration["inputs"],
	way: Declaration["way"] = {
		kind: "npm",
		package: "some-server",
		version: "1.2.3",
		args: ["--stdio"],
	},
): Declaration {
	return {
		name: "Some",
		summary: "",
		way,
		signIn: "none",
		inputs,
		fixed: { env: { MODE: "quiet" }, headers: { "X-Mode": "quiet" } },
		docs: null,
	};
}

const settle = (
	declaration: Declaration,
	typed: Readonly<Record<string, string>> = {},
) => settleDeclaration(declaration, (key) => typed[key] ?? "");

const KEY = declareInput({
	kind: "env",
	target: "API_KEY",
	label: "API key",
	required: true,
});
const LEVEL = declareInput({
	kind: "env",
	target: "LEVEL",
	label: "Level",
	choices: ["low", "high"],
	fallback: "low",
});
const FOLDERS = declareInput({
	kind: "argument",
	target: "",
	key: "argument:0",
	label: "Folders",
	required: true,
	multiple: true,
});

test("what is secret becomes a slot and a secret, never a setting", () => {
	const { settings, secrets, problems } = settle(declare([KEY, LEVEL]), {
		"env:API_KEY": " k-1 ",
	});
	expect(problems.size).toBe(0);
	expect(settings).toEqual({
		npm: "some-server@1.2.3",
		args: ["--stdio"],
		env: { MODE: "quiet", LEVEL: "low" },
		slots: [
			{
				name: "API_KEY",
				injection: "env",
				target: "API_KEY",
				personal: false,
				optional: false,
			},
		],
	});
	expect([...secrets]).toEqual([["API_KEY", "k-1"]]);
	expect(JSON.stringify(settings)).not.toContain("k-1");
});

test("a name that says it is secret is, whatever its owner says of it", () => {
	const input = declareInput({
		kind: "env",
		target: "MY_TOKEN",
		label: "x",
		secret: false,
	});
	expect(input.secret).toBe(true);
});

test("arguments are given one by one, flags before theirs; a prefix is not doubled", () => {
	const flag = declareInput({
		kind: "argument",
		target: "--level",
		key: "argument:1",
		label: "Level",
	});
	const npm = settle(declare([FOLDERS, flag]), {
		"argument:0": "/a b\n\n/c; rm -rf /\n",
		"argument:1": "3",
	});
	expect(npm.settings.args).toEqual([
		...["--stdio", "/a b", "/c; rm -rf /"],
		...["--level", "3"],
	]);
	const token = declareInput({
		kind: "header",
		target: "Authorization",
		label: "Token",
		prefix: "Bearer ",
	});
	const remote = declare([token], { kind: "remote", url: "https://a.example" });
	for (const typed of ["t", "Bearer t"]) {
		const { secrets, settings } = settle(remote, {
			"header:Authorization": typed,
		});
		expect(secrets.get("AUTHORIZATION")).toBe("Bearer t");
		expect(settings).toMatchObject({
			url: "https://a.example",
			headers: { "X-Mode": "quiet" },
		});
	}
});

test("each thing that is wrong is told at its field", () => {
	const port = declareInput({
		kind: "env",
		target: "PORT",
		label: "Port",
		format: "number",
	});
	const { problems } = settle(declare([KEY, LEVEL, FOLDERS, port]), {
		"env:LEVEL": "middle",
		"env:PORT": "eighty",
	});
	expect(Object.fromEntries(problems)).toEqual({
		"env:API_KEY": "Enter API key.",
		"env:LEVEL": "Level is one of low, high.",
		"argument:0": "Enter Folders.",
		"env:PORT": "Port is a number.",
	});
	const lines = settle(declare([KEY]), { "env:API_KEY": "a\nb" });
	expect(lines.problems.get("env:API_KEY")).toContain("one line");
});

test("a personal secret is each person's to give: whoever adds the server may leave it", () => {
	const { problems, settings } = settle(declare([{ ...KEY, personal: true }]));
	expect(problems.size).toBe(0);
	expect(settings.slots).toMatchObject([{ personal: true, optional: false }]);
});

/** After io.github.domdomegg/airtable-mcp-server and the schema's own examples. */
const FILE = {
	$schema:
		"https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
	name: "io.github.example/weather",
	title: "Weather",
	description: "Forecasts\nand <b>history</b>",
	websiteUrl: "https://weather.example.org",
	remotes: [
		{
			type: "streamable-http",
			url: "https://weather.example.org/mcp",
			headers: [
				{
					name: "Authorization",
					value: "Bearer {token}",
					variables: {
						token: {
							description: "From your account",
							isRequired: true,
							isSecret: true,
						},
					},
				},
				{ name: "X-Edition", value: "2026" },
			],
		},
		{ type: "streamable-http", url: "https://{tenant}.example.org/mcp" },
	],
	packages: [
		{
			registryType: "npm",
			identifier: "@example/weather",
			version: "1.0.2",
			environmentVariables: [
				{
					name: "WEATHER_API_KEY",
					description: "The key",
					isRequired: true,
					isSecret: true,
				},
				{ name: "UNITS", choices: ["metric", "imperial"], default: "metric" },
			],
			packageArguments: [
				{ type: "positional", value: "serve" },
				{
					type: "named",
					name: "--station",
					valueHint: "station",
					isRequired: true,
				},
				{ type: "positional", valueHint: "folder", isRepeated: true },
			],
		},
		{
			registryType: "oci",
			identifier: "ghcr.io/example/weather",
			version: "1",
		},
	],
};

test("a registry's file gives a declaration for each way we can run it, the network first", () => {
	const found = readServerJson(FILE) ?? [];
	expect(found.map(({ way }) => way)).toEqual([
		{ kind: "remote", url: "https://weather.example.org/mcp" },
		{
			kind: "npm",
			package: "@example/weather",
			version: "1.0.2",
			args: ["serve"],
		},
	]);
	const [remote, npm] = found;
	expect(remote).toMatchObject({
		name: "Weather",
		summary: "Forecasts and <b>history</b>",
		signIn: "key",
		docs: "https://weather.example.org",
		fixed: { headers: { "X-Edition": "2026" } },
		inputs: [
			{
				key: "header:Authorization",
				prefix: "Bearer ",
				secret: true,
				required: true,
				help: "From your account",
			},
		],
	});
	expect(npm?.inputs).toMatchObject([
		{ key: "env:WEATHER_API_KEY", label: "Weather API key", secret: true },
		{ key: "env:UNITS", choices: ["metric", "imperial"], fallback: "metric" },
		{
			key: "argument:1",
			target: "--station",
			label: "station",
			required: true,
		},
		{ key: "argument:2", target: "", label: "folder", multiple: true },
	]);
});

test("the spelling of old files is read too", () => {
	const [npm] =
		readServerJson({
			name: "io.github.example/old",
			packages: [
				{
					registry_type: "npm",
					identifier: "old-server",
					version: "1.0.0",
					environment_variables: [
						{ name: "LEVEL", is_required: true, is_secret: true },
					],
				},
			],
		}) ?? [];
	expect(npm?.inputs).toMatchObject([
		{ target: "LEVEL", required: true, secret: true },
	]);
});

test.each([
	null,
	"text",
	{},
	{ name: "x" },
	{
		name: "x",
		packages: [{ registryType: "oci", identifier: "y", version: "1" }],
	},
	{ name: "x", remotes: [{ url: "http://plain.example.org" }] },
	{ name: "x", remotes: "all" },
])("%p is nothing that can be run", (value) => {
	expect(readServerJson(value)).toBeNull();
});
