/**
 * Taste and safety that a machine can hold: layers, doors, file names, dead exports, HTML only through JSX.
 *
 * The whole tree is read once. Imports are matched in the text, because a transpiler drops type-only ones and those
 * obey the layers too. The tables here are the security review: widening one is a decision.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize, relative } from "node:path";

const ROOT = join(import.meta.dir, "..");

type Source = {
	readonly path: string;
	readonly text: string;
	readonly imports: readonly string[];
};

function read(folder: string): readonly Source[] {
	return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
		.filter((name) => /\.tsx?$/.test(name) && !name.endsWith(".d.ts"))
		.map((name) => {
			const path = join(folder, name);
			const text = readFileSync(join(ROOT, path), "utf8");
			const imports = [
				...text.matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g),
			].map((match) => normalize(join(dirname(path), match[1] as string)));
			return { path, text, imports };
		});
}

const sources = read("src");
const everything = [
	...sources,
	...read("tests"),
	...read("migrations"),
	...read(".ci"),
];

/** Layer of a file under src/, and its group: files of one group may import each other (architecture.md 3). */
function placeOf(path: string): {
	readonly layer: number;
	readonly group: string;
} {
	const name = relative("src", path);
	const top = name.split("/")[0] as string;
	const layers: Record<string, number> = {
		store: 1,
		oauth: 2,
		people: 2,
		upstream: 2,
		packages: 2,
		builtin: 2,
		tls: 2,
		mcp: 3,
		ops: 4,
		http: 5,
		web: 5,
		api: 5,
		cli: 6,
		"vault.ts": 1,
		"app.ts": 6,
		"main.ts": 7,
		"config.ts": -1,
	};
	return { layer: layers[top] ?? 0, group: top };
}

/** `mcp/` may know of layer 2 only `upstream/`; the data of an embedded file has no layer. */
function mayImport(from: string, to: string): boolean {
	if (to === "package.json") return from === "src/version.ts";
	if (!to.startsWith("src/"))
		return from === "src/store/database.ts" && to.startsWith("migrations/");
	if (to.includes("/assets/")) return true;
	const source = placeOf(from);
	const target = placeOf(to);
	if (source.layer === -1)
		return ["src/errors.ts", "src/log.ts", "src/serving.ts"].includes(to);
	if (target.layer === -1)
		return ["main.ts", "app.ts", "cli"].includes(source.group);
	if (source.group === target.group && source.group !== relative("src", from))
		return true;
	if (source.layer === 0) return target.layer === 0;
	if (source.group === "mcp" && target.layer === 2)
		return target.group === "upstream";
	return target.layer < source.layer;
}

test("a file imports only from the layers below its own", () => {
	const upward = sources.flatMap(({ path, imports }) =>
		imports
			.filter((to) => !mayImport(path, to))
			.map((to) => `${path} imports ${to}`),
	);
	expect(upward).toEqual([]);
});

/** Each effect, and the files that may have it. A trailing slash is a folder. */
const DOORS: readonly {
	readonly effect: string;
	readonly pattern: RegExp;
	readonly allowed: readonly string[];
}[] = [
	{
		effect: "environment and arguments",
		pattern: /process\.(env|argv)|Bun\.(env|argv)/,
		allowed: ["src/config.ts", "src/main.ts"],
	},
	{ effect: "exit", pattern: /process\.exit/, allowed: ["src/main.ts"] },
	{
		effect: "standard output",
		pattern: /process\.stdout/,
		allowed: ["src/main.ts", "src/cli/output.ts"],
	},
	{
		effect: "standard error",
		pattern: /console\.\w+\(|process\.stderr/,
		allowed: ["src/log.ts", "src/main.ts", "src/cli/output.ts"],
	},
	{
		effect: "clock",
		pattern: /Date\.now|new Date\(\)|performance\.now/,
		allowed: ["src/clock.ts", "src/log.ts"],
	},
	{
		effect: "randomness",
		pattern: /Math\.random|randomBytes|randomUUID|getRandomValues/,
		allowed: ["src/mint.ts", "src/vault.ts", "src/tls/acme.ts"],
	},
	{
		effect: "SQL",
		pattern:
			/\.(query|prepare|run)(<[^(]*>)?\(\s*[`"'](SELECT|INSERT|UPDATE|DELETE|PRAGMA|VACUUM|BEGIN|CREATE|WITH)/i,
		allowed: ["src/store/", "src/ops/backup.ts"],
	},
	{
		effect: "outgoing HTTP",
		pattern: /(?<![.\w])fetch\(/,
		allowed: ["src/egress.ts", "src/cli/client.ts"],
	},
	{
		effect: "outgoing connections",
		pattern: /Bun\.connect/,
		allowed: ["src/http1/client-connection.ts", "src/upstream/pipes.ts"],
	},
	{
		effect: "listening",
		pattern: /Bun\.(serve|listen)|node:(net|http|https|tls)"/,
		allowed: ["src/http1/", "src/tls/listeners.ts"],
	},
	{
		effect: "child processes",
		pattern: /Bun\.spawn|node:child_process|Bun\.\$/,
		allowed: ["src/upstream/child.ts", "src/packages/"],
	},
	{
		effect: "files",
		pattern: /node:fs|Bun\.(file|write)/,
		allowed: [
			"src/vault.ts",
			"src/store/database.ts",
			"src/ops/backup.ts",
			"src/ops/restore.ts",
			"src/ops/machine.ts",
			"src/packages/",
			"src/config.ts",
			"src/tls/listeners.ts",
			"src/tls/given-files.ts",
			"src/upstream/child.ts",
			"src/upstream/pipes.ts",
			"src/cli/input.ts",
			"src/cli/output.ts",
			"src/cli/backups.ts",
			"src/app.ts",
		],
	},
	{
		effect: "opening a secret",
		pattern: /vault\.open\(/,
		allowed: [
			"src/upstream/credentials.ts",
			"src/upstream/sealed-tokens.ts",
			"src/tls/sealed-keys.ts",
			"src/people/totp.ts",
			"src/people/provider.ts",
			"src/ops/rotate.ts",
		],
	},
	{
		effect: "raw HTML",
		pattern: /dangerouslySetInnerHTML|<html|<!doctype/i,
		allowed: ["src/web/layout.tsx"],
	},
];

for (const { effect, pattern, allowed } of DOORS)
	test(`${effect} has one door`, () => {
		const breaches = sources
			.filter(
				({ path }) =>
					!allowed.some((door) =>
						door.endsWith("/") ? path.startsWith(door) : path === door,
					),
			)
			.flatMap(({ path, text }) =>
				code(text)
					.split("\n")
					.flatMap((line, index) =>
						pattern.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [],
					),
			);
		expect(breaches).toEqual([]);
	});

/** The text without comments, line for line. */
function code(text: string): string {
	return text
		.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ""))
		.replace(/(^|\s)\/\/[^\n]*/g, "$1");
}

test("a statement is planned once, and not at each use: what SQLite would look at for it is hidden with a +", () => {
	const planned = sources
		.filter(({ path }) => path.startsWith("src/store/"))
		.flatMap(({ path, text }) =>
			[...code(text).matchAll(/`[^`]*`|"[^"\n]*"/g)]
				.map(([sql]) => sql)
				.filter(
					(sql) =>
						(/\b(JOIN|ORDER BY)\b/.test(sql) && /= [?$]/.test(sql)) ||
						/\bLIMIT ([?]|[$]\w+)(?!\w| \+ 0)/.test(sql),
				)
				.map((sql) => `${path} ${sql}`),
		);
	expect(planned).toEqual([]);
});

test("every form that is posted is one of ours, with its token", () => {
	const byHand = sources
		.filter(({ text }) => /method="post"/.test(code(text)))
		.map(({ path }) => path)
		.sort();
	expect(byHand).toEqual([
		"src/web/form.tsx",
		"src/web/passkey.tsx", // its fields are given, the token among them
		"src/web/setup/address.tsx", // goes to another origin, with a token of its own kind
	]);
});

test("no file has a name that says nothing", () => {
	const vague =
		/^(utils?|helpers?|common|misc|types?|managers?|services?|base|index)\.tsx?$/;
	const named = everything
		.map(({ path }) => path)
		.filter((path) => vague.test(basename(path)));
	expect(named).toEqual(["migrations/index.ts"]);
});

test("every file opens with what it is", () => {
	const silent = sources
		.filter(
			({ text }) => !/^(\/\*\* @jsxImportSource[^\n]*\n)?\/\*\*/.test(text),
		)
		.map(({ path }) => path);
	expect(silent).toEqual([]);
});

/** Types are left out: they are the words of the functions that are imported. */
test("no function or value is exported that nobody imports", () => {
	const dead = sources.flatMap(({ path, text }) =>
		[
			...text.matchAll(
				/^export (?:async )?(?:function|const|class) ([A-Za-z0-9_]+)/gm,
			),
		]
			.map((match) => match[1] as string)
			.filter(
				(name) =>
					!everything.some(
						(other) =>
							other.path !== path &&
							new RegExp(`\\b${name}\\b`).test(other.text),
					),
			)
			.map((name) => `${path} ${name}`),
	);
	expect(dead).toEqual([]);
});

test("no type is any and nothing is asserted to be there", () => {
	const loose = sources.flatMap(({ path, text }) =>
		code(text)
			.split("\n")
			.flatMap((line, index) =>
				/\bas any\b|: any\b|<any>|[\w)\]]!(\.|;|\)|,|\[)/.test(line)
					? [`${path}:${index + 1} ${line.trim()}`]
					: [],
			),
	);
	expect(loose).toEqual([]);
});

test("no file names a package registry's host", () => {
	const host = new RegExp(
		["registry", "npmjs"].join("\\.") +
			"|" +
			["files", "pythonhosted"].join("\\."),
	);
	expect(
		everything.filter(({ text }) => host.test(text)).map(({ path }) => path),
	).toEqual([]);
});

test("the type checker reads every file", () => {
	// A folder whose name begins with a dot is passed over unless a pattern names its files.
	const { stdout } = Bun.spawnSync(
		[
			join(ROOT, "node_modules/.bin/tsc"),
			...["-p", ROOT, "--listFilesOnly", "--noEmit"],
		],
		{ stdout: "pipe" },
	);
	const read = new Set(
		stdout
			.toString()
			.split("\n")
			.map((path) => relative(ROOT, path)),
	);
	expect(
		everything.map(({ path }) => path).filter((path) => !read.has(path)),
	).toEqual([]);
});
