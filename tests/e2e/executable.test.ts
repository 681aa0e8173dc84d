/**
 * The executable in hostile surroundings: files in its working directory that Bun itself would obey, and a temporary
 * directory from which nothing may be run, where the Argon2 add-on cannot load and Bun's own takes its place.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { csrfOf, openBrowser, signIn } from "../oauth/authority.ts";
import {
	createAuthenticator,
	passkeyOptionsOf,
} from "../support/authenticator.ts";
import { startGateway } from "../support/gateway.ts";
import { runToEnd } from "../support/processes.ts";
import {
	describeWith,
	executable,
	systemTool,
	type Tool,
} from "../support/tools.ts";

const PASSWORD = "correct horse battery";
const ROOT: Tool = {
	name: "root",
	package: "nothing, but run the tests as root",
	path: process.getuid?.() === 0 ? "/" : null,
};

describeWith([executable()], "the executable", () => {
	const program = executable().path as string;
	let folder: string;

	beforeAll(() => {
		folder = mkdtempSync(join(tmpdir(), "sallyport-executable-"));
	});
	afterAll(() => rmSync(folder, { recursive: true, force: true }));

	test("neither bunfig.toml nor .env of its working directory is read", async () => {
		writeFileSync(
			join(folder, "evil.ts"),
			'console.log("evil"); process.exit(66);',
		);
		writeFileSync(join(folder, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
		writeFileSync(join(folder, ".env"), "SALLYPORT_LOG_LEVEL=evil\n");
		// Reads the configuration, which would refuse that log level.
		const { code, stdout, stderr } = await runToEnd(
			[program, "serve", "--check", "--data-dir", join(folder, "none")],
			{ cwd: folder },
		);
		expect(stderr).toBe("");
		expect(code).toBe(0);
		expect(stdout).not.toContain("evil");
	});

	test("a reader that is slower than the command line gets all of it", async () => {
		const gateway = await startGateway({ compiled: true });
		try {
			const args = Array.from({ length: 50 }, () => "x".repeat(4000)); // more than a pipe holds
			await gateway.cli([
				...["servers", "add", "long", "--command", "true", "--"],
				...args,
			]);
			const { stdout } = await runToEnd([
				...["sh", "-c", '"$@" | (sleep 1; cat)', "sh"],
				...[program, "servers", "show", "long", "--json"],
				...["--data-dir", gateway.dataDir],
			]);
			expect(JSON.parse(stdout)).toMatchObject({ server: { name: "long" } });
		} finally {
			await gateway.stop();
		}
	});

	test("a passkey is judged in it, whose library is loaded only then", async () => {
		const gateway = await startGateway({ compiled: true });
		try {
			const browser = openBrowser({
				issuer: gateway.url,
				send: (path, init) =>
					fetch(new URL(path, gateway.url), { ...init, redirect: "manual" }),
			});
			await signIn(browser, gateway.owner);
			const phone = createAuthenticator(gateway.url);
			const page = await (await browser.get("/account/passkey")).text();
			const added = await browser.post("/account/passkey", {
				csrf: csrfOf(page),
				name: "phone",
				passkey: phone.create(passkeyOptionsOf(page) ?? {}),
			});
			expect(added.status).toBe(200);
			browser.cookies.clear();
			const login = await (await browser.get("/login")).text();
			const signedIn = await browser.post("/login/passkey", {
				csrf: csrfOf(login),
				passkey: phone.get(passkeyOptionsOf(login) ?? {}),
			});
			expect(signedIn.headers.get("Location")).toBe("/");
		} finally {
			await gateway.stop();
		}
	});

	test("without data there is nothing to check and nothing is made", async () => {
		const dataDir = join(folder, "untouched");
		const { code, stdout } = await runToEnd([
			program,
			"serve",
			"--check",
			"--data-dir",
			dataDir,
		]);
		expect(code).toBe(0);
		expect(stdout).toContain("a new data directory");
		expect(await Bun.file(join(dataDir, "sallyport.db")).exists()).toBe(false);
	});

	test("a check finds a wrong master key and a damaged database, and changes neither", async () => {
		const dataDir = join(folder, "checked");
		const check = () =>
			runToEnd([program, "serve", "--check", "--data-dir", dataDir]);
		await runToEnd(
			[
				...[program, "init", "--data-dir", dataDir],
				...["--admin-email", "ada@example.org", "--admin-password-file", "-"],
			],
			{ input: PASSWORD },
		);
		expect((await check()).code).toBe(0);

		const key = join(dataDir, "master.key");
		const right = readFileSync(key);
		writeFileSync(key, `${"0".repeat(64)}\n`);
		const wrong = await check();
		expect(wrong.code).toBe(2);
		expect(wrong.stderr).toContain("master key");
		writeFileSync(key, right);

		const database = join(dataDir, "sallyport.db");
		const damaged = readFileSync(database);
		damaged.fill(0xff, damaged.length / 2, damaged.length / 2 + 8192);
		writeFileSync(database, damaged);
		const spoiled = await check();
		expect(spoiled.code).not.toBe(0);
		expect(spoiled.stderr).toContain("sallyport: hint: ");
		expect(readFileSync(database).equals(damaged)).toBe(true);
	});

	describeWith(
		[systemTool("unshare", "util-linux"), ROOT],
		"with a temporary directory that is mounted noexec",
		() => {
			test("passwords are hashed all the same, and the data can be checked", async () => {
				const mounted = join(folder, "noexec");
				const dataDir = join(folder, "data");
				const inNoexec = (line: string, input = "") =>
					runToEnd(
						[
							...["unshare", "--mount", "sh", "-c"],
							`mkdir -p ${mounted} && mount -t tmpfs -o noexec tmpfs ${mounted} && TMPDIR=${mounted} BUN_TMPDIR=${mounted} ${line}`,
						],
						{ input },
					);
				const refused = await inNoexec(
					`sh -c 'printf "#!/bin/sh\n" >${mounted}/x; chmod 755 ${mounted}/x; ${mounted}/x'`,
				);
				expect(refused.code).toBe(126);
				const made = await inNoexec(
					`${program} init --data-dir ${dataDir} --admin-email ada@example.org --admin-password-file -`,
					PASSWORD,
				);
				expect(made.stdout).toContain("ada@example.org is the owner");
				const checked = await inNoexec(
					`${program} serve --check --data-dir ${dataDir}`,
				);
				expect(checked.stdout).toContain(`can serve ${dataDir}`);
			});
		},
	);

	describeWith(
		[systemTool("unshare", "util-linux"), systemTool("ip", "iproute2"), ROOT],
		"on a machine without IPv6",
		() => {
			test("every address is every address of the other kind", async () => {
				const dataDir = join(folder, "without-ipv6");
				const { stdout } = await runToEnd([
					...["unshare", "--net", "sh", "-c"],
					`echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && ip link set lo up || exit 1
					${program} serve --data-dir ${dataDir} --listen [::]:443 --tls acme --acme-directory https://127.0.0.1:1/dir &
					until [ -S ${dataDir}/admin.sock ]; do sleep 0.1; done
					cat /proc/net/tcp; kill $!; wait`,
				]);
				// Listening (0A) on every address, ports 443 and 80.
				expect(stdout).toContain("00000000:01BB 00000000:0000 0A");
				expect(stdout).toContain("00000000:0050 00000000:0000 0A");
			});
		},
	);
});
