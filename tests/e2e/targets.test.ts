/**
 * The executables for other machines, run: x64 for old processors here, x64 for musl in a root that has nothing else,
 * arm64 in an emulator. The two that run natively also install a server from npm and call it; the emulator cannot
 * start its own children.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version as VERSION } from "../../package.json";
import { muslRoot } from "../support/musl-root.ts";
import { freePort, type Running, run, runToEnd } from "../support/processes.ts";
import {
	describeWith,
	REPOSITORY,
	systemTool,
	type Tool,
} from "../support/tools.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(180_000);

const CROSS_LIBRARIES = "/usr/aarch64-linux-gnu";
const EVERYTHING = "@modelcontextprotocol/server-everything@2026.8.31";

async function build(target: string): Promise<string> {
	const { code, stderr } = await runToEnd(
		[process.execPath, ".ci/build.ts", "--target", target],
		{ env: environment() },
	);
	if (code !== 0) throw new Error(stderr);
	return join(REPOSITORY, `dist/sallyport-${target}`);
}

/** What reaches the registry from here, and where a program finds its home. */
function environment(): Record<string, string> {
	const names = ["HOME", "NODE_EXTRA_CA_CERTS", "NPM_CONFIG_REGISTRY"];
	return Object.fromEntries(
		names.flatMap((name) => {
			const value = Bun.env[name];
			return value === undefined ? [] : [[name, value]];
		}),
	);
}

/** How a program of the target is started. @param folder where its data may lie, by the path that it sees */
type Target = {
	readonly command: readonly string[];
	readonly folder: string;
};

function journey(start: () => Target, runsChildren: boolean): void {
	let service: Running | null = null;
	afterAll(async () => service?.stop());
	const cli = (args: readonly string[], input = "") => {
		const { command, folder } = start();
		return runToEnd([...command, ...args, "--data-dir", `${folder}/data`], {
			env: environment(),
			input,
		});
	};

	test("it says its version", async () => {
		const { stdout } = await runToEnd([...start().command, "version"]);
		expect(stdout).toBe(`sallyport ${VERSION}\n`);
	});

	test("it makes an owner, and opens what it has written", async () => {
		const made = await cli(
			[
				"init",
				"--admin-email",
				"ada@example.org",
				"--admin-password-file",
				"-",
			],
			"correct horse battery",
		);
		expect(made.stderr).toBe("next: sallyport serve\n");
		expect(made.stdout).toBe("ada@example.org is the owner\n");
		expect((await cli(["serve", "--check"])).stdout).toContain("can serve");
	});

	if (!runsChildren) return;
	test("it serves, installs a server from npm, and a tool answers", async () => {
		const { command, folder } = start();
		const port = await freePort();
		const url = `http://localhost:${port}`;
		service = run(
			[
				...[...command, "serve", "--data-dir", `${folder}/data`],
				...["--listen", `localhost:${port}`],
			],
			{ env: environment() },
		);
		await until("it serves", async () => {
			const answer = await fetch(`${url}/readyz`).catch(() => null);
			return answer?.status === 200;
		});
		const added = await cli([
			"servers",
			"add",
			"everything",
			"--npm",
			EVERYTHING,
		]);
		expect(added.stderr).not.toContain("error");
		expect(added.code).toBe(0);
		const called = await cli([
			...["tools", "call", "everything_echo"],
			...["--args", '{"message":"from afar"}'],
		]);
		expect(called.stdout).toContain("from afar");
	});
}

describeWith([], "the executable for x64 processors of any age", () => {
	let target: Target;
	beforeAll(async () => {
		const folder = mkdtempSync(join(tmpdir(), "sallyport-baseline-"));
		target = { command: [await build("linux-x64-baseline")], folder };
	});
	afterAll(() => rmSync(target.folder, { recursive: true, force: true }));
	journey(() => target, true);
});

describeWith(
	[muslRoot(), systemTool("unshare", "util-linux")],
	"the executable for musl",
	() => {
		let target: Target;
		let root: string;
		beforeAll(async () => {
			root = mkdtempSync(join(tmpdir(), "sallyport-musl-"));
			cpSync(muslRoot().path as string, root, { recursive: true });
			cpSync(await build("linux-x64-musl"), join(root, "sallyport"));
			for (const file of [
				...["/etc/hosts", "/etc/resolv.conf"],
				Bun.env["NODE_EXTRA_CA_CERTS"],
			])
				if (file) cpSync(file, join(root, file), { dereference: true });
			target = {
				command: [
					...["unshare", "--mount", "sh", "-c"],
					'cd "$0" && mount -t proc proc proc && mount --rbind /dev dev && exec chroot . /sallyport "$@"',
					root,
				],
				folder: "",
			};
		});
		afterAll(() => rmSync(root, { recursive: true, force: true }));
		journey(() => target, true);
	},
);

const emulator: Tool = systemTool("qemu-aarch64-static", "qemu-user-static");
const libraries: Tool = {
	name: "the C library for arm64",
	package: "libc6-arm64-cross",
	path: existsSync(CROSS_LIBRARIES) ? CROSS_LIBRARIES : null,
};

describeWith([emulator, libraries], "the executable for arm64", () => {
	let target: Target;
	beforeAll(async () => {
		const folder = mkdtempSync(join(tmpdir(), "sallyport-arm64-"));
		target = {
			command: [
				...[emulator.path as string, "-L", CROSS_LIBRARIES],
				await build("linux-arm64"),
			],
			folder,
		};
	});
	afterAll(() => rmSync(target.folder, { recursive: true, force: true }));
	journey(() => target, false);
});
