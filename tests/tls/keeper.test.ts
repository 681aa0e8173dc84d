import { afterEach, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { createEgress } from "../../src/egress.ts";
import { createLog } from "../../src/log.ts";
import { takeOrderLease } from "../../src/store/certificate-orders.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { createAcme } from "../../src/tls/acme.ts";
import { authorityOf } from "../../src/tls/authority.ts";
import { readCertificate } from "../../src/tls/certificate.ts";
import { createChallenges } from "../../src/tls/challenges.ts";
import { type Keeper, openKeeper } from "../../src/tls/keeper.ts";
import { createKeyring, openVault } from "../../src/vault.ts";

/** Nobody listens there: every order fails at once. */
const NOWHERE = "https://127.0.0.1:1/directory";
const KEK = new Uint8Array(32).fill(7);
const KEYRING = createKeyring(KEK, 0);

const keepers: Keeper[] = [];
afterEach(async () => {
	for (const keeper of keepers.splice(0)) await keeper.stop();
});

async function open(
	sets: readonly (readonly string[])[],
	db: Database = openDatabase(":memory:"),
): Promise<Keeper> {
	const deps = {
		db,
		vault: openVault(KEK, KEYRING),
		clock: systemClock,
		egress: createEgress({ allowPrivate: ["127.0.0.0/8"] }),
		challenges: createChallenges(),
		limits: { timeoutMs: 500, retryDelaysMs: [] },
	};
	const keeper = await openKeeper(
		{
			...deps,
			log: createLog({ level: "error", format: "json", write: () => {} }),
			acme: createAcme(deps, authorityOf({ directory: NOWHERE })),
			directory: NOWHERE,
			show: async () => {},
		},
		sets,
	);
	keepers.push(keeper);
	return keeper;
}

test("before there is a certificate every name has one signed by itself, and the address comes first", async () => {
	const keeper = await open([["gate.example.org"], ["203.0.113.9"]]);
	const materials = keeper.materials();
	expect(materials.map(({ serverName }) => serverName)).toEqual([
		null,
		"gate.example.org",
	]);
	expect(readCertificate(materials[0]?.chain ?? "").names).toEqual([
		"203.0.113.9",
	]);
	expect(keeper.status()).toMatchObject([
		{ names: ["gate.example.org"], trusted: false, renewAt: null },
		{ names: ["203.0.113.9"], trusted: false, renewAt: null },
	]);
});

test("a fingerprint that a person compared is the same after a restart", async () => {
	const db = openDatabase(":memory:");
	const first = await open([["gate.example.org"]], db);
	const second = await open([["gate.example.org"]], db);
	expect(second.materials()).toEqual(first.materials());
	expect(second.status()[0]?.fingerprint).toMatch(/^[0-9a-f]{64}$/);
});

test("without a name the gateway is reached from its own machine, and nothing is ordered", async () => {
	const keeper = await open([]);
	expect(keeper.status()[0]?.names).toEqual(["127.0.0.1", "::1", "localhost"]);
	expect(await keeper.check()).toBe(Number.POSITIVE_INFINITY);
	expect(keeper.status()[0]?.failure).toBeNull();
});

test("names can be added while it runs", async () => {
	const keeper = await open([]);
	await keeper.hold([["203.0.113.9"], ["gate.example.org"]]);
	expect(keeper.status()).toHaveLength(2);
	await expect(keeper.hold([["not a name"]])).rejects.toThrow("is not a name");
	expect(keeper.status()).toHaveLength(2);
});

test("keys are in the store only sealed", async () => {
	const db = openDatabase(":memory:");
	const keeper = await open([["gate.example.org"]], db);
	const key = keeper.materials()[0]?.key ?? "";
	const body = key.split("\n")[1] ?? "";
	expect(body.length).toBeGreaterThan(40);
	const file = Buffer.from(db.serialize());
	expect(file.includes(body)).toBe(false);
	expect(file.includes("PRIVATE KEY")).toBe(false);
});

test("what fails is kept in words, and a manual renewal fails in the same words", async () => {
	const keeper = await open([["gate.example.org"]]);
	await keeper.check();
	const [status] = keeper.status();
	expect(status?.failure).toMatchObject({
		type: "unreachable",
		directory: NOWHERE,
	});
	expect(status?.failure?.remedy).toContain("--acme-directory");
	expect(status?.nextAttemptAt).toBeGreaterThan(systemClock.now() + 50);
	const failure = await keeper.renew(["GATE.example.org"]);
	expect(failure?.detail).toBe(status?.failure?.detail);
});

test("names that are not kept cannot be renewed", async () => {
	const keeper = await open([["gate.example.org"]]);
	await expect(keeper.renew(["other.example.org"])).rejects.toThrow(
		"no certificate is kept for other.example.org",
	);
});

test("while another process orders, nothing is ordered here", async () => {
	const db = openDatabase(":memory:");
	const keeper = await open([["gate.example.org"]], db);
	const now = systemClock.now();
	takeOrderLease(db, "gate.example.org", "somebody else", now, now + 60);
	await keeper.check();
	expect(keeper.status()[0]?.failure).toBeNull();
	await expect(keeper.renew(["gate.example.org"])).rejects.toThrow(
		"an order for these names is running",
	);
});
