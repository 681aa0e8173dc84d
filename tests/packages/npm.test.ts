import { afterEach, expect, test } from "bun:test";
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SallyportError } from "../../src/errors.ts";
import { createNpm, type Npm } from "../../src/packages/npm.ts";
import { explainFailure } from "../../src/packages/npm-failure.ts";
import { findEntry, readManifest } from "../../src/packages/npm-manifest.ts";
import { parsePackageSpec } from "../../src/packages/npm-spec.ts";

const MEMORY = "@modelcontextprotocol/server-memory";
const MEMORY_VERSION = "2026.8.31";
const folders: string[] = [];

afterEach(() => {
	for (const folder of folders.splice(0))
		rmSync(folder, { recursive: true, force: true });
});

function temporaryFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-npm-"));
	folders.push(folder);
	return folder;
}

function npmIn(
	root: string,
	environment: Record<string, string | undefined> = process.env,
): Npm {
	return createNpm({
		dir: (slug) => join(root, "servers", slug),
		// One for all tests: what was fetched once is not fetched again.
		cacheDir: join(tmpdir(), "sallyport-tests-npm"),
		execPath: process.execPath,
		environment,
	});
}

async function refusal(work: () => unknown): Promise<SallyportError> {
	try {
		await work();
	} catch (error) {
		if (error instanceof SallyportError) return error;
		throw error;
	}
	throw new Error("it was not refused");
}

/** A folder that looks like an installed package. */
function packageFolder(
	manifest: unknown,
	files: Record<string, string> = {},
): string {
	const root = temporaryFolder();
	writeFileSync(join(root, "package.json"), JSON.stringify(manifest));
	for (const [path, text] of Object.entries(files)) {
		mkdirSync(join(root, path, ".."), { recursive: true });
		writeFileSync(join(root, path), text);
	}
	return root;
}

test("a published server is installed at its exact version, and its program is found", async () => {
	const root = temporaryFolder();
	const npm = npmIn(root);
	const installed = await npm.install({
		slug: "memory",
		package: MEMORY,
		version: MEMORY_VERSION,
	});
	expect(installed).toEqual({
		name: MEMORY,
		version: MEMORY_VERSION,
		entry: `npm-${MEMORY_VERSION}/node_modules/${MEMORY}/dist/index.js`,
	});
	expect(
		readFileSync(join(root, "servers/memory", installed.entry), "utf8"),
	).toContain("McpServer");
	expect(readdirSync(join(root, "servers/memory"))).toEqual([
		`npm-${MEMORY_VERSION}`,
	]);

	npm.prune("memory", installed.entry);
	expect(existsSync(join(root, "servers/memory", installed.entry))).toBe(true);
	npm.prune("memory", null);
	expect(readdirSync(join(root, "servers/memory"))).toEqual([]);
	npm.remove("memory");
	expect(existsSync(join(root, "servers/memory"))).toBe(false);
}, 60_000);

test("a version that does not exist is not found, and leaves nothing behind", async () => {
	const root = temporaryFolder();
	const error = await refusal(() =>
		npmIn(root).install({ slug: "memory", package: `${MEMORY}@0.0.0` }),
	);
	expect(error.code).toBe("not_found");
	expect(error.message).toContain("has no version 0.0.0");
	expect(readdirSync(join(root, "servers"))).toEqual([]);
}, 60_000);

test("a failed install leaves what was there before", async () => {
	const root = temporaryFolder();
	mkdirSync(join(root, "servers/memory/npm-1.0.0"), { recursive: true });
	mkdirSync(join(root, "servers/memory/.install-left"));
	const unreachable = {
		...process.env,
		HTTPS_PROXY: "http://127.0.0.1:9",
		https_proxy: "http://127.0.0.1:9",
	};
	const error = await refusal(() =>
		// A version that no other test fetches, so that it cannot come from the cache.
		npmIn(root, unreachable).install({
			slug: "memory",
			package: "left-pad@1.1.0",
		}),
	);
	expect([error.code, error.message]).toEqual([
		"upstream",
		"the npm registry cannot be reached",
	]);
	expect(readdirSync(join(root, "servers/memory"))).toEqual(["npm-1.0.0"]);
}, 60_000);

test("the installer is told how to reach the registry, and nothing else of the environment", async () => {
	const root = temporaryFolder();
	const spy = join(root, "spy");
	writeFileSync(
		spy,
		`#!/bin/sh\n/usr/bin/env > ${root}/seen\necho "$@" > ${root}/arguments\nexit 1\n`,
		{ mode: 0o755 },
	);
	const npm = createNpm({
		dir: (slug) => join(root, "servers", slug),
		cacheDir: join(root, "cache"),
		execPath: spy,
		environment: {
			PATH: "/usr/bin:/bin",
			SALLYPORT_MASTER: "canary-4711",
			NPM_TOKEN: "canary-4712",
			NODE_OPTIONS: "--inspect",
			SSL_CERT_FILE: "/etc/ssl/ca.pem",
		},
	});
	await refusal(() =>
		npm.install({ slug: "memory", package: MEMORY, version: "1.0.0" }),
	);
	const seen = readFileSync(join(root, "seen"), "utf8");
	expect(seen).toContain("BUN_BE_BUN=1");
	expect(seen).toContain("SSL_CERT_FILE=/etc/ssl/ca.pem");
	expect(seen).not.toContain("canary");
	expect(seen).not.toContain("NODE_OPTIONS");
	const words = readFileSync(join(root, "arguments"), "utf8");
	expect(words).toContain("--ignore-scripts");
	expect(words.trim().endsWith(`${MEMORY}@1.0.0`)).toBe(true);
});

test("an install that is asked to stop ends with all it started, and leaves nothing behind", async () => {
	const root = temporaryFolder();
	const spy = join(root, "spy");
	// It starts a process of its own that holds its output, as a clone of a dependency would.
	writeFileSync(spy, `#!/bin/sh\n(sleep 60) &\necho $! > ${root}/pid\nwait\n`, {
		mode: 0o755,
	});
	const npm = createNpm({
		dir: (slug) => join(root, "servers", slug),
		cacheDir: join(root, "cache"),
		execPath: spy,
		environment: { PATH: "/usr/bin:/bin" },
	});
	const stop = new AbortController();
	const error = refusal(() =>
		npm.install({ slug: "memory", package: MEMORY, signal: stop.signal }),
	);
	while (!existsSync(join(root, "pid"))) await Bun.sleep(5);
	stop.abort();
	expect((await error).message).toContain("did not finish");
	expect(readdirSync(join(root, "servers"))).toEqual([]);
	const pid = Number(readFileSync(join(root, "pid"), "utf8"));
	expect(
		existsSync(`/proc/${pid}/stat`) &&
			!readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z "),
	).toBe(false);
});

test("installing the same version again replaces it whole", async () => {
	const root = temporaryFolder();
	const npm = npmIn(root);
	const request = { slug: "pad", package: "left-pad@1.3.0" };
	const first = await npm.install(request);
	const path = join(root, "servers/pad", first.entry);
	const text = readFileSync(path, "utf8");
	writeFileSync(path, "spoiled");
	expect(await npm.install(request)).toEqual(first);
	// Copied, not linked: what a server writes into its own files stays there.
	expect(readFileSync(path, "utf8")).toBe(text);
	expect(readdirSync(join(root, "servers/pad"))).toEqual(["npm-1.3.0"]);
}, 60_000);

test.each([
	"../evil",
	"a b",
	"--global",
	"Upper",
	"git+ssh://host/x",
	"file:../x",
	"npm:left-pad",
	"@scope",
	"@/x",
	"a..b",
	"x;reboot",
	"",
	"x@^1.0.0",
	"x@",
	"x@1.0.0 --registry",
	"x@../y",
	"x@--y",
])("%p is refused as a package before anything runs", async (text) => {
	expect((await refusal(() => parsePackageSpec(text))).code).toBe("invalid");
});

test("names, versions and dist-tags of npm are accepted", () => {
	expect(parsePackageSpec(MEMORY)).toEqual({
		name: MEMORY,
		version: undefined,
	});
	expect(parsePackageSpec(`${MEMORY}@1.2.3-beta.1`)).toEqual({
		name: MEMORY,
		version: "1.2.3-beta.1",
	});
	expect(parsePackageSpec("left-pad@next")).toEqual({
		name: "left-pad",
		version: "next",
	});
});

test("the one program of a package is the server, else the one with the package's name, else main", () => {
	const files = { "a.js": "", "b.js": "" };
	const entry = (manifest: Record<string, unknown>): string => {
		const root = packageFolder(
			{ name: "@x/srv", version: "1.0.0", ...manifest },
			files,
		);
		return findEntry(readManifest("@x/srv", root), root);
	};
	expect(entry({ bin: "./a.js" })).toBe("a.js");
	expect(entry({ bin: { anything: "b.js" } })).toBe("b.js");
	expect(entry({ bin: { other: "a.js", srv: "b.js" } })).toBe("b.js");
	expect(entry({ main: "a" })).toBe("a.js");
});

test("a package without a program, with several, or with one that is elsewhere or no script, is refused", async () => {
	const files = {
		"a.js": "",
		"b.js": "",
		native: "\u007fELF",
		script: "#!/usr/bin/env node\n",
	};
	const outcome = async (
		manifest: Record<string, unknown>,
	): Promise<string> => {
		const root = packageFolder(
			{ name: "srv", version: "1.0.0", ...manifest },
			files,
		);
		symlinkSync("/etc/passwd", join(root, "link.js"));
		return (await refusal(() => findEntry(readManifest("srv", root), root)))
			.message;
	};
	expect(await outcome({})).toBe("srv has no program to run");
	expect(await outcome({ bin: { one: "a.js", two: "b.js" } })).toBe(
		"srv has several programs: one, two",
	);
	const elsewhere = "the program that srv names is not in the package";
	expect(await outcome({ bin: "../../../../../../etc/passwd" })).toBe(
		elsewhere,
	);
	expect(await outcome({ bin: "link.js" })).toBe(elsewhere);
	expect(await outcome({ bin: "missing.js" })).toBe(elsewhere);
	expect(await outcome({ bin: "native" })).toBe(
		"the program of srv is not a JavaScript program",
	);
	const root = packageFolder(
		{ name: "srv", version: "1.0.0", bin: "script" },
		files,
	);
	expect(findEntry(readManifest("srv", root), root)).toBe("script");
});

test("a package that says it is another is refused", async () => {
	const root = packageFolder({ name: "other", version: "1.0.0" });
	expect((await refusal(() => readManifest("srv", root))).code).toBe(
		"upstream",
	);
});

test("a failure is told in our words, without the installer's", () => {
	const spec = { name: "srv", version: undefined };
	const code = (output: string): string =>
		explainFailure(spec, output, false).code;
	expect(code("error: GET https://user:canary@host/srv - 404")).toBe(
		"not_found",
	);
	expect(code("error: GET https://host/srv - 401")).toBe("upstream");
	expect(code("error: ENOSPC writing")).toBe("unavailable");
	expect(
		explainFailure(spec, "error: SELF_SIGNED_CERT_IN_CHAIN", false).hint,
	).toContain("NODE_EXTRA_CA_CERTS");
	expect(explainFailure(spec, "", true).message).toContain(
		"did not finish in time",
	);
	for (const output of [
		"GET https://user:canary@host/srv - 404",
		"something else: canary",
	]) {
		const { message, hint } = explainFailure(spec, output, false);
		expect(`${message} ${hint}`).not.toContain("canary");
	}
});
