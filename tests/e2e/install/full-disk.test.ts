/** An upgrade on a disk that turns out to be too small, at each place where that can happen after it has begun. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { version as VERSION } from "../../../package.json";
import {
	type Machine,
	machineTools,
	startMachine,
} from "../../support/machine.ts";
import { freePort } from "../../support/processes.ts";
import { type Releases, startReleases } from "../../support/releases.ts";
import { describeWith, executable } from "../../support/tools.ts";

setDefaultTimeout(120_000);

/** Larger unpacked than the disk. */
const HUGE = "9.0.0";
const HUGE_BYTES = 700_000_000;
/** Fills the data's disk, but for a little, once it was asked whether it can serve. */
const FILLING = "9.1.0";
const FILLING_PROGRAM = `#!/bin/sh
case "$*" in
version) echo "sallyport ${FILLING}" ;;
"serve --check "*)
	free=$(df -Pk /var/lib/sallyport | awk 'NR == 2 { print $4 }')
	head -c $(((free - LEFT) * 1024)) /dev/zero >/var/lib/sallyport/filler
	;;
*) exit 1 ;;
esac
`;

describeWith(
	[...machineTools(), executable()],
	"an upgrade on a disk that fills up",
	() => {
		let machine: Machine;
		let releases: Releases;

		beforeAll(async () => {
			const [started, port] = await Promise.all([startMachine(), freePort()]);
			machine = started;
			releases = startReleases();
			releases.add(VERSION, readFileSync(executable().path as string));
			releases.point(VERSION);
			await machine.shell(
				`mount -t tmpfs -o size=600m tmpfs /opt
				mkdir /var/lib/sallyport && mount -t tmpfs -o size=8m tmpfs /var/lib/sallyport
				useradd --system --user-group --home-dir /var/lib/sallyport sallyport
				chown sallyport:sallyport /var/lib/sallyport && chmod 0700 /var/lib/sallyport`,
			);
			const { code, stderr } = await install("--listen", `localhost:${port}`);
			if (code !== 0) throw new Error(stderr);
		}, 300_000);

		afterAll(async () => {
			await releases?.stop();
			await machine?.stop();
		});

		const install = (...flags: readonly string[]) =>
			machine.run(["sh", "-s", "--", "--mirror", releases.url, ...flags], {
				input: releases.script,
			});
		const expectTheOldOneToServe = async (): Promise<void> => {
			expect(await machine.shell("sallyport version")).toBe(
				`sallyport ${VERSION}\n`,
			);
			expect(await machine.shell("systemctl is-active sallyport")).toBe(
				"active\n",
			);
			await machine.shell("sallyport servers list");
			expect(await machine.shell("ls /opt/sallyport")).toBe(
				"current\nreleases\n",
			);
		};

		test("while the executable is unpacked: it says where, and the old release has not even stopped", async () => {
			releases.add(HUGE, new Uint8Array(HUGE_BYTES));
			const before = await machine.shell(
				"systemctl show -p MainPID --value sallyport",
			);
			const { code, stderr } = await install("--version", HUGE);
			expect(code).toBe(1);
			expect(stderr).toContain(
				"error: the executable could not be unpacked in /opt/sallyport",
			);
			expect(stderr).toContain("hint: look for free space there");
			expect(
				await machine.shell("systemctl show -p MainPID --value sallyport"),
			).toBe(before);
			await expectTheOldOneToServe();
		});

		test("while the database is copied: it says where, and the old release runs again", async () => {
			// Stopped once, the database is one file, without a log of changes beside it.
			await machine.shell("systemctl restart sallyport");
			const size = Number(
				await machine.shell(
					"du -k /var/lib/sallyport/sallyport.db | awk '{ print $1 }'",
				),
			);
			releases.add(
				FILLING,
				FILLING_PROGRAM.replace("LEFT", String(Math.floor(size * 0.8))),
			);
			const { code, stderr } = await install("--version", FILLING);
			expect(stderr).toContain("error: the database could not be copied");
			expect(stderr).toContain(
				"hint: look for free space in /var/lib/sallyport",
			);
			expect(stderr).toContain(`rolled back: sallyport ${VERSION} runs again`);
			expect(code).toBe(9);
			await expectTheOldOneToServe();
			expect(await machine.shell("ls /var/lib/sallyport")).not.toContain(
				"before-upgrade",
			);
		});
	},
);
