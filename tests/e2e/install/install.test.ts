/**
 * `install.sh` on a bare Debian machine with a real systemd, from the first installation to the last trace of it, with
 * a real client connected through an upgrade, a failed upgrade, and an uninstallation that keeps the data. The steps
 * build on each other, in the order of a gateway's life.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { version as VERSION } from "../../../package.json";
import { type Sdk2Client, signedIn } from "../../support/clients/sdk2.ts";
import {
	type Machine,
	machineTools,
	startMachine,
} from "../../support/machine.ts";
import { freePort } from "../../support/processes.ts";
import {
	ARTEFACT,
	buildNextRelease,
	type Releases,
	startReleases,
} from "../../support/releases.ts";
import { describeWith, executable } from "../../support/tools.ts";

setDefaultTimeout(120_000);

const NEXT = "9.0.0";
const BROKEN = "9.1.0";
const REFUSING = "9.2.0";
const HANGING = "9.3.0";
const PERSON = { email: "ada@example.org", password: "a password of ada" };
const NEXT_EXECUTABLE = `/opt/sallyport/releases/${NEXT}-*/sallyport`;
const CONFIG = "/etc/sallyport/sallyport.toml";

/** Says yes to every question and then, when it serves, spoils the database and dies. */
const BROKEN_PROGRAM = `#!/bin/sh
case "$*" in
version) echo "sallyport ${BROKEN}" ;;
"serve --check "*) exec ${NEXT_EXECUTABLE} "$@" ;;
*)
	echo "spoiling the database" >&2
	BUN_BE_BUN=1 ${NEXT_EXECUTABLE} -e 'new (require("bun:sqlite").Database)("/var/lib/sallyport/sallyport.db").run("CREATE TABLE damage (id)")'
	exit 1
	;;
esac
`;

const REFUSING_PROGRAM = `#!/bin/sh
[ "$1" = version ] && echo "sallyport ${REFUSING}" && exit 0
echo "sallyport: error: this data is not to its taste" >&2
exit 5
`;

/** Never becomes ready. */
const HANGING_PROGRAM = `#!/bin/sh
case "$*" in
version) echo "sallyport ${HANGING}" ;;
"serve --check "*) exec ${NEXT_EXECUTABLE} "$@" ;;
*) exec sleep 1000 ;;
esac
`;

/** Which shell runs it, and whose tools come first; what BusyBox lacks (systemctl, openssl, useradd) is the system's. */
const SHELLS = [
	{ shell: "dash", path: "/usr/sbin:/usr/bin:/sbin:/bin" },
	{ shell: "ash", path: "/root/busybox:/usr/sbin:/usr/bin:/sbin:/bin" },
] as const;

for (const { shell, path } of SHELLS)
	describeWith(
		[...machineTools(), executable()],
		`install.sh under ${shell} on a bare machine`,
		() => {
			let machine: Machine;
			let releases: Releases;
			let client: Sdk2Client;
			let port: number;

			beforeAll(async () => {
				[machine, port] = await Promise.all([startMachine(), freePort()]);
				await machine.shell(
					"mkdir /root/busybox && busybox --install -s /root/busybox",
				);
				releases = startReleases();
				releases.add(VERSION, readFileSync(executable().path as string));
				releases.point(VERSION);
				letItReachTheRegistry(machine);
			}, 300_000);

			afterAll(async () => {
				await client?.close();
				await releases?.stop();
				await machine?.stop();
			});

			const install = (...flags: readonly string[]) =>
				machine.run(
					[
						...[shell, "-s", "--", "--mirror", releases.url],
						...["--listen", `localhost:${port}`, ...flags],
					],
					{ input: releases.script, path },
				);
			const runningVersion = async (): Promise<string> =>
				(await machine.shell("sallyport version")).trim();
			const mainPid = async (): Promise<string> =>
				(
					await machine.shell("systemctl show -p MainPID --value sallyport")
				).trim();

			test("a dry run says what it would do and changes no file", async () => {
				const before = await machine.fingerprint();
				const { code, stdout } = await install("--dry-run");
				expect(code).toBe(0);
				expect(stdout).toContain(
					`would verify and install sallyport ${VERSION}`,
				);
				expect(stdout).toContain("would make the user sallyport");
				expect(await machine.fingerprint()).toBe(before);
			});

			test("a script that was cut off does nothing, wherever it was cut", async () => {
				const before = await machine.fingerprint();
				const { script } = releases;
				const lastWord = script.lastIndexOf("main");
				for (const length of [
					Math.floor(script.length * 0.2),
					script.indexOf("SystemCallFilter") + 5,
					Math.floor(script.length * 0.8),
					script.lastIndexOf("{"),
					lastWord + "main".length,
					lastWord + 'main "$@"'.length,
				]) {
					const { stdout } = await machine.run([shell, "-s", "--", "--yes"], {
						input: script.slice(0, length),
						path,
					});
					expect(stdout).toBe("");
				}
				expect(await machine.fingerprint()).toBe(before);
			});

			test("without a network it says so and leaves nothing", async () => {
				const before = await machine.fingerprint();
				const closed = await freePort();
				for (const flags of [[], ["--version", VERSION]]) {
					const { code, stderr } = await install(
						...flags,
						"--mirror",
						`http://127.0.0.1:${closed}`,
					);
					expect(code).toBe(5);
					expect(stderr).toContain("--offline FILE");
				}
				expect(paths(await machine.fingerprint())).toEqual(paths(before));
			});

			test("a file that was tampered with is refused by its checksum", async () => {
				releases.add("6.6.6", "#!/bin/sh\necho sallyport 6.6.6\n");
				writeFileSync(
					releases.file("6.6.6", `${ARTEFACT}.gz`),
					Bun.gzipSync(Buffer.from("#!/bin/sh\necho evil\n")),
				);
				const { code, stderr } = await install("--version", "6.6.6");
				expect(code).toBe(6);
				expect(stderr).toContain("checksum");
				expect(await machine.shell("ls /opt")).toBe("");
			});

			test("checksums that fit a tampered file are refused by their signature", async () => {
				const sums = releases.file("6.6.6", "SHA256SUMS");
				const evil = readFileSync(releases.file("6.6.6", `${ARTEFACT}.gz`));
				writeFileSync(
					sums,
					`${new Bun.CryptoHasher("sha256").update(evil).digest("hex")}  ${ARTEFACT}.gz\n`,
				);
				const { code, stderr } = await install("--version", "6.6.6");
				expect(code).toBe(6);
				expect(stderr).toContain("signature");
				expect(await machine.shell("ls /opt")).toBe("");
			});

			test("a port in use is refused, with the name of who has it", async () => {
				const busy = await freePort();
				await machine.shell(
					`systemd-run -q --unit=holder busybox nc -l -p ${busy}; until ss -ltn | grep -q :${busy}; do sleep 0.1; done`,
				);
				const { code, stderr } = await install("--listen", `localhost:${busy}`);
				await machine.shell("systemctl stop holder");
				expect(code).toBe(8);
				expect(stderr).toMatch(
					new RegExp(`port ${busy} is in use by busybox \\(process \\d+\\)`),
				);
			});

			test("a disk that is too full is told before anything is touched", async () => {
				const { code, stderr } = await machine.run(
					[
						...["unshare", "--mount", "sh", "-c"],
						`mount -t tmpfs -o size=50m tmpfs /opt && exec ${shell} -s -- --mirror ${releases.url}`,
					],
					{ input: releases.script, path },
				);
				expect(code).toBe(8);
				expect(stderr).toContain("/opt has 50 MB left");
				expect(stderr).toContain("make room there");
			});

			test("the first installation ends with a setup link of a service that runs", async () => {
				const { code, stdout, stderr } = await install();
				expect(stderr).toBe("");
				expect(code).toBe(0);
				expect(stdout).toContain(`http://localhost:${port}/setup#sp_su_`);
				expect(
					(await machine.shell("systemctl is-enabled sallyport")).trim(),
				).toBe("enabled");
				expect((await fetch(`http://localhost:${port}/readyz`)).status).toBe(
					200,
				);
			});

			test("the master key is root's alone and the data the service's", async () => {
				expect(
					await machine.shell(
						"stat -c '%a %U' /etc/sallyport/master.key /var/lib/sallyport /var/lib/sallyport/sallyport.db",
					),
				).toBe("400 root\n700 sallyport\n600 sallyport\n");
				expect(await machine.shell("ls /var/lib/sallyport")).not.toContain(
					"master.key",
				);
			});

			test("the unit is well-formed and exposes little", async () => {
				const unit = "/etc/systemd/system/sallyport.service";
				const verified = await machine.run(["systemd-analyze", "verify", unit]);
				expect(verified.stderr).toBe("");
				expect(verified.code).toBe(0);
				await machine.shell(
					`systemd-analyze security --offline=true --threshold=20 ${unit}`,
				);
			});

			test("a service that hangs is restarted by the watchdog", async () => {
				const dropIn = "/run/systemd/system/sallyport.service.d/watchdog.conf";
				machine.write(
					dropIn,
					"[Service]\nWatchdogSec=1\nTimeoutAbortSec=1\nLimitCORE=0\n",
				);
				await machine.shell(
					"systemctl daemon-reload; systemctl restart sallyport",
				);
				const before = await mainPid();
				await machine.shell(
					`sleep 2.5; test "$(systemctl show -p MainPID --value sallyport)" = ${before}`,
				);
				await machine.shell(
					`kill -STOP ${before}; until systemctl is-active -q sallyport && test "$(systemctl show -p MainPID --value sallyport)" != ${before}; do sleep 0.2; done`,
				);
				expect(await mainPid()).not.toBe(before);
				await machine.shell(
					`rm ${dropIn}; systemctl daemon-reload; systemctl restart sallyport`,
				);
			});

			test("run again it has nothing to do and leaves the service alone", async () => {
				const before = await mainPid();
				const { code, stdout } = await install();
				expect(code).toBe(0);
				expect(stdout).toContain("nothing to do");
				expect(await mainPid()).toBe(before);
			});

			test("the executable alone installs a server from npm and serves it to a real client", async () => {
				expect(
					(await machine.run(["which", "node", "npm", "bun"])).stdout,
				).toBe("");
				await claim(machine);
				await machine.shell(
					"sallyport servers add everything --npm @modelcontextprotocol/server-everything@2026.8.31",
				);
				client = await signedIn(`http://localhost:${port}/mcp`, PERSON);
				expect(await echo("from a bare machine")).toContain(
					"from a bare machine",
				);
			});

			test("root brings a backup back with the code of the kit, and the service opens it as its own", async () => {
				const backup = (await machine.shell("sallyport backup create")).trim();
				const kit = await machine.shell("sallyport recovery-kit");
				const code = /recovery code\s+(\S+\s+\S+)/.exec(kit)?.[1] ?? "";
				machine.write("/root/code.txt", code);
				// It was started often by now.
				await machine.shell(
					`systemctl stop sallyport; sallyport restore ${backup} --passphrase-file /root/code.txt --yes; systemctl reset-failed sallyport; systemctl start sallyport`,
				);
				expect(
					await machine.shell(
						"find /var/lib/sallyport -maxdepth 2 ! -user sallyport",
					),
				).toBe("");
				expect(await echo("restored")).toContain("restored");
			});

			test("an upgrade keeps what a client holds, and a copy of the database", async () => {
				releases.add(NEXT, await buildNextRelease(NEXT));
				releases.point(NEXT);
				writeFileSync(
					machine.path(CONFIG),
					`# mine\n${readFileSync(machine.path(CONFIG), "utf8")}`,
				);
				const { code, stdout } = await install();
				expect(code).toBe(0);
				expect(stdout).toContain(`sallyport ${NEXT} runs (before: ${VERSION})`);
				expect(await runningVersion()).toBe(`sallyport ${NEXT}`);
				expect(await tables()).toContain("next_release");
				expect(readFileSync(machine.path(CONFIG), "utf8")).toStartWith(
					"# mine",
				);
				expect(
					await machine.shell("ls /var/lib/sallyport/before-upgrade"),
				).toContain("sallyport.db");
				expect(await echo("after the upgrade")).toContain("after the upgrade");
			});

			test("a release that dies is rolled back, executable and database", async () => {
				releases.add(BROKEN, BROKEN_PROGRAM);
				releases.point(BROKEN);
				const { code, stderr } = await install();
				expect(code).toBe(9);
				expect(stderr).toContain("spoiling the database");
				expect(stderr).toContain(`rolled back: sallyport ${NEXT} runs again`);
				expect(await runningVersion()).toBe(`sallyport ${NEXT}`);
				expect(await tables()).not.toContain("damage");
				expect(await echo("after the roll-back")).toContain(
					"after the roll-back",
				);
			});

			test("an installer that is ended in the middle puts the old release back", async () => {
				releases.add(HANGING, HANGING_PROGRAM);
				machine.write("/root/install.sh", releases.script);
				await machine.shell(
					`systemd-run --quiet --unit=installer env PATH=${path} ${shell} /root/install.sh --mirror ${releases.url} --version ${HANGING}
				until test "$(systemctl is-active sallyport)" = activating; do sleep 0.1; done
				systemctl stop installer`,
				);
				expect(await runningVersion()).toBe(`sallyport ${NEXT}`);
				expect(await echo("after the interruption")).toContain(
					"after the interruption",
				);
				expect(await machine.shell("ls /opt/sallyport")).toBe(
					"current\nreleases\n",
				);
			});

			test("a release that cannot open a copy of the data never replaces the old one", async () => {
				releases.add(REFUSING, REFUSING_PROGRAM);
				const before = await mainPid();
				const { code, stderr } = await install("--version", REFUSING);
				expect(code).toBe(8);
				expect(stderr).toContain("not to its taste");
				expect(stderr).toContain("nothing was changed");
				expect(await mainPid()).toBe(before);
			});

			test("an older release is refused, even when it is asked for, if the data is too new for it", async () => {
				releases.point(VERSION);
				const unasked = await install();
				expect(unasked.code).toBe(8);
				expect(unasked.stderr).toContain(`--version ${VERSION}`);
				const asked = await install("--version", VERSION);
				expect(asked.code).toBe(8);
				expect(asked.stderr).toContain("newer release");
				expect(await runningVersion()).toBe(`sallyport ${NEXT}`);
			});

			test("uninstalling keeps the data, and installing again finds it", async () => {
				const removed = await install("--uninstall");
				expect(removed.code).toBe(0);
				expect(removed.stdout).toContain("kept: /var/lib/sallyport");
				const left = await machine.run([
					...["ls", "/opt/sallyport", "/usr/local/bin/sallyport"],
					"/etc/systemd/system/sallyport.service",
				]);
				expect(left.stdout).toBe("");
				expect(await machine.shell("ls /var/lib/sallyport")).toContain(
					"sallyport.db",
				);
				releases.point(NEXT);
				expect((await install()).code).toBe(0);
				expect(await echo("after all that")).toContain("after all that");
			});

			test("purging asks, and cannot ask without a terminal", async () => {
				const asked = await install("--uninstall", "--purge");
				expect(asked.code).toBe(2);
				expect(asked.stderr).toContain("--yes");
				expect(await runningVersion()).toBe(`sallyport ${NEXT}`);
				expect((await install("--uninstall", "--purge", "--yes")).code).toBe(0);
				const left = await machine.run([
					...["ls", "-d", "/opt/sallyport", "/etc/sallyport"],
					...["/var/lib/sallyport", "/var/cache/sallyport"],
				]);
				expect(left.stdout).toBe("");
				expect((await machine.run(["id", "sallyport"])).code).not.toBe(0);
			});

			async function echo(message: string): Promise<string> {
				return client.callTool("everything_echo", { message });
			}

			function tables(): Promise<string> {
				return machine.shell(
					`BUN_BE_BUN=1 ${NEXT_EXECUTABLE} -e 'console.log(new (require("bun:sqlite").Database)("/var/lib/sallyport/sallyport.db").query("SELECT group_concat(name) AS names FROM sqlite_schema").get().names)'`,
				);
			}
		},
	);

/** Paths of a fingerprint, without times. */
function paths(fingerprint: string): readonly string[] {
	return fingerprint.split("\n").map((line) => line.split(" ")[0] as string);
}

/** Makes the owner without a browser, as the service's user and with its key. */
async function claim(machine: Machine): Promise<void> {
	const { code, stderr } = await machine.run(
		[
			...["sh", "-c"],
			`systemctl stop sallyport && systemd-run --quiet --pipe --wait -p User=sallyport -p UMask=0077 \
				-p LoadCredential=master.key:/etc/sallyport/master.key \
				sallyport init --admin-email ${PERSON.email} --admin-password-file - && systemctl start sallyport`,
		],
		{ input: PERSON.password },
	);
	if (code !== 0) throw new Error(stderr);
}

/** What this computer needs to reach the registry, given to the service as its administrator would. */
function letItReachTheRegistry(machine: Machine): void {
	const lines = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "NPM_CONFIG_REGISTRY"]
		.flatMap((name) => [name, name.toLowerCase()])
		.filter((name) => Bun.env[name] !== undefined)
		.map((name) => `${name}=${Bun.env[name]}`);
	const authorities = Bun.env["NODE_EXTRA_CA_CERTS"];
	if (authorities) {
		machine.write("/etc/ssl/extra.pem", readFileSync(authorities));
		lines.push("NODE_EXTRA_CA_CERTS=/etc/ssl/extra.pem");
	}
	if (lines.length > 0)
		machine.write("/etc/sallyport/sallyport.env", `${lines.join("\n")}\n`);
}
