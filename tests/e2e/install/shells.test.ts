/**
 * `install.sh` where little is there: BusyBox for shell and tools, wget instead of curl, an executable brought by hand,
 * and a machine without systemd. And what a machine can say about the script's text.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { version as VERSION } from "../../../package.json";
import {
	type Machine,
	machineTools,
	startMachine,
} from "../../support/machine.ts";
import { freePort, runToEnd } from "../../support/processes.ts";
import {
	ARTEFACT,
	type Releases,
	startReleases,
} from "../../support/releases.ts";
import {
	describeWith,
	executable,
	REPOSITORY,
	systemTool,
} from "../../support/tools.ts";

setDefaultTimeout(120_000);

const shellcheck = systemTool("shellcheck", "shellcheck");

describeWith([shellcheck], "install.sh as a text", () => {
	test("shellcheck finds nothing in it", async () => {
		const { stdout } = await runToEnd([
			shellcheck.path as string,
			"--shell=sh",
			join(REPOSITORY, "install.sh"),
		]);
		expect(stdout).toBe("");
	});
});

describeWith(
	[...machineTools(), executable()],
	"install.sh with BusyBox for everything",
	() => {
		/** Its applets come before the system's own; what it lacks (systemctl, openssl, useradd) is the system's. */
		const PATH = "/root/busybox:/usr/sbin:/usr/bin:/sbin:/bin";
		let machine: Machine;
		let releases: Releases;
		let port: number;

		beforeAll(async () => {
			[machine, port] = await Promise.all([startMachine(), freePort()]);
			releases = startReleases();
			releases.add(VERSION, readFileSync(executable().path as string));
			releases.point(VERSION);
			machine.write("/root/install.sh", releases.script);
			for (const name of [ARTEFACT, "SHA256SUMS", "SHA256SUMS.sig"])
				cpSync(
					releases.file(VERSION, name),
					machine.path(`/root/carried-${name.replace(ARTEFACT, "")}`),
				);
			await machine.shell(
				`rm /usr/bin/curl && mkdir /root/busybox /root/carried && busybox --install -s /root/busybox
				cd /root && mv carried- carried/${ARTEFACT} && mv carried-SHA256SUMS carried/SHA256SUMS && mv carried-SHA256SUMS.sig carried/SHA256SUMS.sig`,
			);
		}, 300_000);

		afterAll(async () => {
			await releases?.stop();
			await machine?.stop();
		});

		const install = (...flags: readonly string[]) =>
			machine.run(
				["ash", "/root/install.sh", "--listen", `localhost:${port}`, ...flags],
				{ path: PATH },
			);

		test("cut off anywhere it does nothing under ash either", async () => {
			const { script } = releases;
			for (const part of [0.15, 0.35, 0.55, 0.75, 0.95, 0.9999]) {
				const { stdout } = await machine.run(["ash", "-s", "--", "--help"], {
					path: PATH,
					input: script.slice(0, Math.floor(script.length * part)),
				});
				expect(stdout).toBe("");
			}
			const whole = await machine.run(["ash", "-s", "--", "--help"], {
				path: PATH,
				input: script,
			});
			expect(whole.stdout).toContain("install.sh [FLAGS]");
		});

		test("without systemd it installs, and says how to start by hand", async () => {
			const { code, stdout } = await machine.run(
				[
					...["unshare", "--mount", "sh", "-c"],
					`mount -t tmpfs tmpfs /run/systemd && exec ash /root/install.sh --offline /root/carried/${ARTEFACT} --listen localhost:${port}`,
				],
				{ path: PATH },
			);
			expect(code).toBe(0);
			const byHand = stdout
				.split("\n")
				.filter((line) => line.startsWith("  "))
				.join("\n");
			await machine.shell(
				`(${byHand.replace(/sallyport$/, "sallyport &")}) >/root/by-hand.log 2>&1
				until sallyport servers list; do sleep 0.1; done; busybox killall sallyport; sleep 0.5; rm /var/lib/sallyport/master.key`,
			);
			expect((await install("--uninstall", "--purge", "--yes")).code).toBe(0);
		});

		test("a carried executable is installed without a network", async () => {
			const { code, stdout, stderr } = await install(
				"--offline",
				`/root/carried/${ARTEFACT}`,
			);
			expect(stderr).toBe("");
			expect(code).toBe(0);
			expect(stdout).toContain(`sallyport ${VERSION} is installed and runs`);
			expect((await fetch(`http://localhost:${port}/readyz`)).status).toBe(200);
		});

		test("run again with a download it has nothing to do", async () => {
			const { code, stdout } = await install("--mirror", releases.url);
			expect(code).toBe(0);
			expect(stdout).toContain("nothing to do");
		});

		test("uninstalled and downloaded with wget it runs again on its data", async () => {
			expect((await install("--uninstall")).code).toBe(0);
			const { code, stdout } = await install("--mirror", releases.url);
			expect(code).toBe(0);
			expect(stdout).toContain("downloading");
			expect(stdout).toContain("checking that");
			expect((await fetch(`http://localhost:${port}/readyz`)).status).toBe(200);
		});

		test("with --no-start it is installed and left alone", async () => {
			expect((await install("--uninstall")).code).toBe(0);
			const { code, stdout } = await install(
				"--no-start",
				"--mirror",
				releases.url,
			);
			expect(code).toBe(0);
			expect(stdout).toContain("systemctl enable --now sallyport");
			const { stdout: state } = await machine.run([
				"systemctl",
				"is-active",
				"sallyport",
			]);
			expect(state.trim()).toBe("inactive");
		});

		test("a carried executable that was changed is refused", async () => {
			await machine.shell(`echo x >>/root/carried/${ARTEFACT}`);
			await install("--uninstall");
			const { code, stderr } = await install(
				"--offline",
				`/root/carried/${ARTEFACT}`,
			);
			expect(code).toBe(6);
			expect(stderr).toContain("checksum");
		});

		test("data without its master key is not given a new one", async () => {
			await machine.shell("mv /etc/sallyport/master.key /root/");
			const { code, stderr } = await install("--mirror", releases.url);
			expect(code).toBe(8);
			expect(stderr).toContain("master key");
			await machine.shell("test ! -e /etc/sallyport/master.key");
		});

		test.each([
			[["--frobnicate"], "--frobnicate is not known"],
			[["--version"], "--version needs a value"],
			[["--version", "../../etc"], "../../etc is not a version"],
			[["--listen", "nowhere"], "nowhere is not an address"],
			[["--public-url", "http://gate.example.org"], "is not a public URL"],
			[["--purge"], "--purge goes with --uninstall"],
			[["--mirror", "http://example.org"], "is not an https address"],
			[["--offline", "/nowhere"], "/nowhere is not a file"],
		])("%p is refused in a sentence", async (flags, sentence) => {
			const { code, stderr } = await install(...flags);
			expect(code).toBe(2);
			expect(stderr).toContain(sentence);
			expect(stderr).toContain("install: hint: ");
		});
	},
);
