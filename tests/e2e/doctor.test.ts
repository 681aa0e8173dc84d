/**
 * `sallyport doctor` as its operator uses it: of a gateway that runs, of one that does not, of one that cannot; and
 * the bundle, in which none of the canaries may stand that the run has used.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
	chmodSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Finding } from "../../src/ops/finding.ts";
import { createBrowser, type Person } from "../support/browser.ts";
import { createCanaries } from "../support/canaries.ts";
import { createSdk1Client } from "../support/clients/sdk1.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { fixtureCommand, freePort } from "../support/processes.ts";

setDefaultTimeout(60_000);

const canaries = createCanaries();
let gateway: Gateway;
let member: Person;

beforeAll(async () => {
	gateway = await startGateway({
		ownerPassword: canaries.make("owner password"),
		// For the command line, when the gateway does not run: what this one is told by flags.
		env: { SALLYPORT_LISTEN: `localhost:${await freePort()}` },
	});
	const [command, ...args] = fixtureCommand("env", "stdio");
	await gateway.cli([
		...["servers", "add", "env", "--command", command],
		...["--slot", "API_KEY=env:API_KEY"],
		...["--env", `PLACE=${canaries.make("variable")}`],
		...["--", ...args, canaries.make("argument")],
	]);
	await gateway.cli(
		["secrets", "set", "env", "API_KEY"],
		canaries.make("secret"),
	);
	const name = canaries.make("name").slice(0, 30);
	canaries.add("e-mail", `${name}@example.org`);
	member = await gateway.addUser(
		`${name}@example.org`,
		canaries.make("password"),
	);
});
afterAll(() => gateway?.stop());

async function examine(): Promise<{
	readonly code: number;
	readonly findings: readonly Finding[];
	readonly stderr: string;
}> {
	const { code, stdout, stderr } = await gateway.tryCli(["doctor", "--json"]);
	const { findings } = JSON.parse(stdout) as { findings: readonly Finding[] };
	return { code, findings, stderr };
}

function severity(findings: readonly Finding[], code: string): string {
	return findings.find((finding) => finding.code === code)?.severity ?? "none";
}

test("a gateway that runs is asked, and each finding has a code, a severity, a text and a remedy", async () => {
	const { code, findings, stderr } = await examine();
	expect(stderr).toBe("");
	expect(code).toBe(0);
	expect(severity(findings, "service")).toBe("ok");
	for (const name of [
		...["data-folder", "master-key", "disk", "clock", "isolation"],
		...["database", "owner", "waiting-clients", "secrets", "certificate"],
		...["servers", "backups", "outside", "public-url", "ports"],
	])
		expect(severity(findings, name), name).not.toBe("none");
	for (const finding of findings)
		expect(Object.keys(finding).sort()).toEqual([
			"code",
			"remedy",
			"severity",
			"text",
		]);
	const text = await gateway.cli(["doctor"]);
	expect(text).toContain("isolation in force: none");
});

test("a client's attempt is told step by step, and a client that never came is an error", async () => {
	const client = createSdk1Client(gateway.endpoint());
	const browser = createBrowser(member);
	await client.signIn(browser);
	for (const [name, secret] of Object.entries(client.credentials()))
		if (name !== "clientId") canaries.add(name, secret);
	await client.close();
	const told = await gateway.cli(["doctor", "--client", "SDK v1 test"]);
	expect(told).toContain("connected");
	expect(told).toMatch(/registration +ok/);
	const never = await gateway.tryCli(["doctor", "--client", "grok"]);
	expect(never.code).toBe(8);
	expect(never.stdout).toContain("Nothing of Grok has arrived");
	expect(never.stderr).toContain("sallyport: hint:");
});

test("a server that does not start, and a store that others may read, are errors: exit 8", async () => {
	await gateway.cli([
		...["servers", "add", "remote", "--url"],
		`https://nowhere.invalid/${canaries.make("in-a-path")}`,
		...["--header", `X-Team: ${canaries.make("header")}`],
	]);
	chmodSync(gateway.dataDir, 0o755);
	chmodSync(join(gateway.dataDir, "sallyport.db"), 0o644);
	const { code, findings, stderr } = await examine();
	expect(code).toBe(8);
	expect(JSON.parse(stderr)).toMatchObject({ error: { code: "unsound" } });
	expect(severity(findings, "servers")).toBe("error");
	expect(findings[0]?.severity).toBe("error");
	expect(severity(findings, "data-folder")).toBe("error");
	const remedy = findings.find((one) => one.code === "data-folder")?.remedy;
	expect(remedy).toContain("chmod 700");
	chmodSync(gateway.dataDir, 0o700);
});

test("the bundle has no secret, token, password, header, argument, variable or e-mail in it, and is not overwritten", async () => {
	const file = join(gateway.dataDir, "..", `bundle-${process.pid}.json`);
	rmSync(file, { force: true });
	await gateway.cli(["doctor", "--bundle", file]);
	const text = readFileSync(file, "utf8");
	expect(statSync(file).mode & 0o777).toBe(0o600);
	expect(canaries.names().length).toBeGreaterThan(8);
	expect(canaries.search({ texts: { bundle: text } })).toEqual([]);
	for (const hidden of ["example.org", "127.0.0.1", "nowhere.invalid"])
		expect(text).not.toContain(hidden);
	const bundle = JSON.parse(text) as Record<string, unknown>;
	for (const member of [
		"findings",
		"settings",
		"rows",
		"servers",
		"connections",
	])
		expect(bundle).toHaveProperty(member);
	expect((await gateway.tryCli(["doctor", "--bundle", file])).code).toBe(5);
	rmSync(file);
});

test("a gateway that does not run is examined all the same; what keeps it from starting is an error", async () => {
	const { dataDir } = gateway;
	const key = join(dataDir, "master.key");
	const good = readFileSync(key, "utf8");
	await gateway.pause();
	const stopped = await examine();
	expect(stopped.code).toBe(0);
	expect(severity(stopped.findings, "service")).toBe("warning");
	expect(severity(stopped.findings, "data")).toBe("ok");
	expect(await gateway.cli(["doctor", "--client", "SDK v1 test"])).toContain(
		"connected",
	);
	const file = join(dataDir, "..", `stopped-${process.pid}.json`);
	rmSync(file, { force: true });
	await gateway.cli(["doctor", "--bundle", file]);
	const text = readFileSync(file, "utf8");
	expect(canaries.search({ texts: { bundle: text } })).toEqual([]);
	rmSync(file);

	writeFileSync(
		key,
		good.replace(/^./, (digit) => (digit === "0" ? "1" : "0")),
	);
	const wrong = await examine();
	expect(wrong.code).toBe(8);
	expect(wrong.findings.find(({ code }) => code === "data")?.text).toContain(
		"master key does not open",
	);
	chmodSync(key, 0o644);
	const open = await examine();
	expect(severity(open.findings, "master-key")).toBe("error");
	rmSync(key);
	expect((await examine()).code).toBe(8);
	writeFileSync(key, good, { mode: 0o600 });

	const store = join(dataDir, "sallyport.db");
	const whole = readFileSync(store);
	writeFileSync(store, Buffer.alloc(whole.length, 7));
	const damaged = await examine();
	expect(damaged.code).toBe(8);
	expect(severity(damaged.findings, "data")).toBe("error");
	writeFileSync(store, whole);
	await gateway.restart();
	expect(
		(await examine()).findings.find(({ code }) => code === "service")?.severity,
	).toBe("ok");
});
