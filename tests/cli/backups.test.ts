/** `backup`, `restore` and `recovery-kit` as they are typed, with a service running and without. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createCanaries } from "../support/canaries.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { fixtureCommand, runToEnd } from "../support/processes.ts";
import { REPOSITORY } from "../support/tools.ts";

setDefaultTimeout(30_000);

const canaries = createCanaries();
const PASSPHRASE = canaries.make("passphrase");
let gateway: Gateway;

beforeAll(async () => {
	gateway = await startGateway();
	const [command, ...args] = fixtureCommand("env");
	await gateway.cli([
		...["servers", "add", "env", "--command", command],
		...["--slot", "TOKEN=env:TOKEN", "--", ...args],
	]);
	await gateway.cli(
		["secrets", "set", "env", "TOKEN"],
		canaries.make("secret"),
	);
});
afterAll(() => gateway?.stop());

const file = (name: string): string => join(gateway.dataDir, name);

test("a backup is made by a running service, listed, and verified with each of its keys", async () => {
	const path = (
		await gateway.cli(
			["backup", "create", "--passphrase-file", "-"],
			PASSPHRASE,
		)
	).trim();
	expect(statSync(path).mode & 0o777).toBe(0o600);
	const listed = await gateway.cli(["backup", "list"]);
	expect(listed).toContain("passphrase or recovery code");

	const name = path.split("/").at(-1) ?? "";
	for (const [args, input] of [
		[[], ""],
		[["--passphrase-file", "-"], PASSPHRASE],
	] as const) {
		const said = await gateway.cli(["backup", "verify", name, ...args], input);
		expect(said).toContain("owner    owner@example.org");
		expect(said).toContain("servers  env");
	}
	writeFileSync(file("bad.backup"), readFileSync(path).subarray(0, 3000));
	const bad = await gateway.tryCli(["backup", "verify", file("bad.backup")]);
	expect(bad.code).toBe(8);
	expect(bad.stderr).toContain("damaged or cut off");
});

test("a running gateway is not restored over, nor one that has an owner without being told to", async () => {
	const path = file("moved.backup");
	await gateway.cli(["backup", "create", "--output", path]);
	const again = await gateway.tryCli(["backup", "create", "--output", path]);
	expect(again.code).toBe(5);
	const running = await gateway.tryCli(["restore", path, "--yes"]);
	expect(running.code).toBe(5);
	expect(running.stderr).toContain("in use by another sallyport");
});

test("the kit's code alone brings a gateway back on a new machine", async () => {
	const path = file("moved.backup");
	const shown = await gateway.cli(["recovery-kit"]);
	await gateway.stopped(async () => {
		const printed = await gateway.cli(["recovery-kit"]);
		const plain = (text: string) => text.replace(/^address.*$/m, "");
		expect(plain(printed)).toBe(plain(shown));
		const code = /recovery code\s+(\S+\s+\S+)/.exec(printed)?.[1] ?? "";
		const cli = (args: readonly string[], input = "") =>
			runToEnd(
				[
					...[process.execPath, join(REPOSITORY, "src/main.ts"), ...args],
					...["--data-dir", file("second")],
				],
				{ input },
			);
		const wrong = await cli(
			["restore", path, "--passphrase-file", "-"],
			"some other passphrase",
		);
		expect(wrong.code).toBe(4);
		expect(wrong.stderr).toContain("it opens with the recovery code");
		const restored = await cli(
			["restore", path, "--passphrase-file", "-"],
			code,
		);
		expect(restored.stderr).toContain("restored");
		expect(restored.code).toBe(0);
		expect(existsSync(file("second/sallyport.db"))).toBe(true);
		const refused = await cli(
			["restore", path, "--passphrase-file", "-"],
			code,
		);
		expect(refused.code).toBe(5);
		expect(refused.stderr).toContain("--yes");
		const made = await cli(["backup", "create"]);
		expect(made.code).toBe(0);
		const verified = await cli(["backup", "verify", made.stdout.trim()]);
		expect(verified.stdout).toContain("owner@example.org");
	});
});

test("no secret and no passphrase is in any file", () => {
	expect(canaries.search({ directories: [gateway.dataDir] })).toEqual([]);
});
