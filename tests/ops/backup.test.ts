/** Backups of a gateway with secrets, and what becomes of them on this machine, on another, and when they are bad. */
import { Database } from "bun:sqlite";
import {
	afterEach,
	beforeEach,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrations } from "../../migrations/index.ts";
import { openData } from "../../src/app.ts";
import { type Config, parseConfig } from "../../src/config.ts";
import {
	createBackup,
	listBackups,
	pruneBackups,
	verifyBackup,
} from "../../src/ops/backup.ts";
import { createBackups, isBackupDue } from "../../src/ops/backup-schedule.ts";
import { encodeRecoveryCode } from "../../src/ops/recovery-code.ts";
import {
	FORMER_URL,
	preparationFolder,
	prepareRestore,
	queueRestore,
} from "../../src/ops/restore.ts";
import { decideSetup } from "../../src/ops/setup-steps.ts";
import { findSetting, setSetting } from "../../src/store/instance.ts";
import { setPackage } from "../../src/store/packages.ts";
import { SHARED } from "../../src/store/secrets.ts";
import { createServer, requireServer } from "../../src/store/servers.ts";
import { createUser, listUsers } from "../../src/store/users.ts";
import { credentialsFor, setSecret } from "../../src/upstream/credentials.ts";
import { readKek } from "../../src/vault.ts";

setDefaultTimeout(30_000);

const NOW = 1_800_000_000;
const PASSPHRASE = "five random words it is";
const SECRET = "the secret of the weather";

let folder: string;
let first: Config;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "sallyport-backup-"));
	first = machine("first");
	fill(first);
});
afterEach(() => rmSync(folder, { recursive: true }));

function machine(name: string): Config {
	return parseConfig(["--data-dir", join(folder, name)], {
		SALLYPORT_CONFIG: "/nonexistent",
	});
}

/** An owner, a server with a secret, an installed package and an address. */
function fill(config: Config): void {
	const { db, vault, close } = openData(config);
	createUser(
		db,
		{ email: "ada@example.org", role: "owner", passwordHash: null },
		NOW,
	);
	const server = createServer(
		db,
		"weather",
		{
			transport: {
				kind: "npm",
				package: "weather",
				version: "1.0.0",
				args: [],
				env: {},
			},
			slots: [
				{
					name: "KEY",
					injection: "env",
					target: "KEY",
					personal: false,
					optional: false,
				},
			],
			access: "everyone",
			tools: null,
			enabled: true,
		},
		NOW,
	);
	const entry = "npm-1.0.0/node_modules/weather/main.js";
	setPackage(db, {
		serverId: server.id,
		ecosystem: "npm",
		name: "weather",
		version: "1.0.0",
		entry,
		installedAt: NOW,
	});
	const installed = join(config.dataDir, "servers/weather/npm-1.0.0");
	mkdirSync(installed, { recursive: true });
	writeFileSync(join(installed, "package.json"), "{}");
	writeFileSync(join(installed, "bun.lock"), "locked");
	const slot = server.slots[0];
	if (!slot) throw new Error("no slot");
	setSecret(db, vault, { server, slot, owner: SHARED, value: SECRET }, NOW);
	setSetting(db, "public_url", "https://gate.example.org");
	for (const what of ["kit", "address", "done"] as const)
		decideSetup(db, what, NOW);
	close();
}

function make(
	passphrase: string | null = null,
	now = NOW,
	schedule: "manual" | "nightly" = "manual",
) {
	return createBackup(
		{
			dataDir: first.dataDir,
			kek: readKek(first.kekFile),
			release: "1.2.3",
		},
		now,
		{ passphrase, schedule },
	);
}

async function restore(
	to: Config,
	path: string,
	text: string | null,
	replacesOwned = false,
) {
	const data = openData(to);
	try {
		const prepared = preparationFolder(to.dataDir);
		const contents = await prepareRestore(
			{
				path,
				keys: { text, kek: readKek(to.kekFile) },
				folder: prepared,
				kek: readKek(to.kekFile),
				current: data.db,
				replacesOwned,
			},
			NOW,
		);
		queueRestore(to.dataDir, prepared);
		return contents;
	} finally {
		data.close();
	}
}

/** What the server of a machine would be started with. */
function secretAt(config: Config): string | undefined {
	const { db, vault, close } = openData(config);
	try {
		const server = requireServer(db, "weather");
		return credentialsFor(db, vault, server, SHARED).env["KEY"];
	} finally {
		close();
	}
}

test("a backup is one private file that shows nothing of what is in it", async () => {
	const backup = await make(PASSPHRASE);
	expect(statSync(backup.path).mode & 0o777).toBe(0o600);
	const bytes = readFileSync(backup.path);
	for (const inside of [
		"ada@example.org",
		"weather",
		SECRET,
		PASSPHRASE,
		"SQLite",
		readKek(first.kekFile),
	])
		expect(bytes.includes(inside), String(inside)).toBe(false);
	expect(readdirSync(join(first.dataDir, "backups"))).toEqual([backup.name]);
	expect(listBackups(first.dataDir)).toEqual([backup]);
	expect(backup).toMatchObject({ hasPassphrase: true, release: "1.2.3" });
});

test("it opens with its passphrase, with the recovery code, and with the machine's own key", async () => {
	const { path } = await make(PASSPHRASE);
	const kek = readKek(first.kekFile);
	for (const keys of [
		{ text: PASSPHRASE, kek: null },
		{ text: encodeRecoveryCode(kek).toLowerCase(), kek: null },
		{ text: null, kek },
	])
		expect(await verifyBackup(path, keys, folder)).toMatchObject({
			owner: "ada@example.org",
			users: 1,
			servers: ["weather"],
			publicUrl: "https://gate.example.org",
		});
	expect(readdirSync(folder)).toEqual(["first"]);
});

test.each<[string, string | null, string]>([
	["another passphrase", "another passphrase", "does not open this backup"],
	["nothing", null, "this machine's key does not open"],
	[
		"another recovery code",
		encodeRecoveryCode(new Uint8Array(32)),
		"does not open this backup",
	],
])("with %s it does not open, and says what would", async (_, text, words) => {
	const { path } = await make(PASSPHRASE);
	const kek = text === null ? new Uint8Array(32) : null;
	const opened = verifyBackup(path, { text, kek }, folder);
	await expect(opened).rejects.toThrow(words);
	await expect(opened).rejects.toMatchObject({
		code: "forbidden",
		hint: "it opens with its passphrase, or the recovery code of the gateway it is of",
	});
});

test("a backup that was changed, cut off, added to or reordered is refused, wherever", async () => {
	const { path } = await make();
	const whole = readFileSync(path);
	const kek = readKek(first.kekFile);
	const header = whole.indexOf("}\n") + 2;
	const bad: Readonly<Record<string, Buffer>> = {
		"a changed byte": Buffer.from(whole),
		"a changed header": Buffer.from(
			whole.toString("latin1").replace("1.2.3", "9.2.3"),
			"latin1",
		),
		"no end": whole.subarray(0, whole.length - 40),
		"only a header": whole.subarray(0, header),
		"half a frame": whole.subarray(0, header + 1000),
		"more after the end": Buffer.concat([whole, Buffer.from("x")]),
		"without its first frame": Buffer.concat([
			whole.subarray(0, header),
			whole.subarray(header + 4 + whole.readUInt32BE(header)),
		]),
	};
	bad["a changed byte"]?.writeUInt8(
		(whole[header + 500] ?? 0) ^ 1,
		header + 500,
	);
	for (const [what, bytes] of Object.entries(bad)) {
		const file = join(folder, "bad.backup");
		writeFileSync(file, bytes);
		await expect(
			verifyBackup(file, { text: null, kek }, folder),
			what,
		).rejects.toMatchObject({ code: "invalid" });
	}
	for (const text of ["", "not a backup at all", "sallyport-backup 1\n{}\n"]) {
		const file = join(folder, "bad.backup");
		writeFileSync(file, text);
		await expect(
			verifyBackup(file, { text: null, kek }, folder),
			text,
		).rejects.toThrow("not a sallyport backup");
	}
});

test("one of a newer release is told apart from a bad one, and nothing changes", async () => {
	const { path } = await make();
	const newer = join(folder, "newer.backup");
	writeFileSync(
		newer,
		readFileSync(path, "latin1").replace(
			"sallyport-backup 1",
			"sallyport-backup 2",
		),
		"latin1",
	);
	const second = machine("second");
	await expect(restore(second, newer, null)).rejects.toThrow("newer release");

	// The same of the store inside.
	const db = new Database(join(first.dataDir, "sallyport.db"));
	db.run(`PRAGMA user_version = ${migrations.length + 1}`);
	db.close();
	await expect(make(null, NOW + 1)).rejects.toThrow("newer release");
	expect(listBackups(first.dataDir)).toHaveLength(1);
});

test("on a new machine everything is there again, under that machine's own key", async () => {
	const { path } = await make(PASSPHRASE);
	const second = machine("second");
	const before = openData(second);
	before.close();
	const key = readFileSync(second.kekFile, "utf8");
	const contents = await restore(second, path, PASSPHRASE);
	expect(contents).toMatchObject({ owner: "ada@example.org" });

	expect(secretAt(second)).toBe(SECRET);
	expect(readFileSync(second.kekFile, "utf8")).toBe(key);
	const lock = join(second.dataDir, "servers/weather/npm-1.0.0/bun.lock");
	expect(readFileSync(lock, "utf8")).toBe("locked");
	const { db, close } = openData(second);
	// The name leads to the old machine still, and the kit opens the old machine's backups only.
	expect(findSetting(db, "public_url")).toBeNull();
	expect(findSetting(db, FORMER_URL)).toBe("https://gate.example.org");
	expect(findSetting(db, "setup_kit_at")).toBeNull();
	close();
	expect(
		readdirSync(second.dataDir).filter((name) => name.includes("restor")),
	).toEqual([expect.stringMatching(/^sallyport\.db\.before-restore-/)]);
});

test("on the same machine the address and the kit stay, and what was there is kept beside", async () => {
	const { path } = await make();
	const { db, close } = openData(first);
	db.run("DELETE FROM servers");
	close();
	await expect(restore(first, path, null)).rejects.toMatchObject({
		code: "conflict",
		hint: expect.stringContaining("--yes"),
	});
	await restore(first, path, null, true);
	expect(secretAt(first)).toBe(SECRET);
	const again = openData(first);
	expect(findSetting(again.db, "public_url")).toBe("https://gate.example.org");
	expect(findSetting(again.db, "setup_kit_at")).not.toBeNull();
	again.close();
	expect(
		readdirSync(first.dataDir).some((name) => name.includes("before-restore")),
	).toBe(true);
});

test("a restore that fails changes nothing", async () => {
	const { path } = await make(PASSPHRASE);
	const second = machine("second");
	await expect(restore(second, path, "wrong passphrase")).rejects.toThrow();
	const { db, close } = openData(second);
	expect(listUsers(db)).toEqual([]);
	close();
	expect(existsSync(join(second.dataDir, "restore"))).toBe(false);
});

test("a passphrase that protects nothing is refused before anything is written", async () => {
	await expect(make("short")).rejects.toThrow("at least 10 characters");
	expect(listBackups(first.dataDir)).toEqual([]);
});

test("nightly ones are made once a night, need no passphrase, and the newest seven are kept", async () => {
	const day = 86_400;
	const at = (text: string): number => Date.parse(`${text}Z`) / 1000;
	expect(isBackupDue(null, NOW)).toBe(true);
	const night = at("2026-11-25T03:00:00");
	expect(isBackupDue(night - 1, night)).toBe(true);
	expect(isBackupDue(night, night + 1)).toBe(false);
	expect(isBackupDue(night, night + day - 1)).toBe(false);
	expect(isBackupDue(night, night + day)).toBe(true);
	expect(isBackupDue(night - 1, night + 3 * 3600)).toBe(true);
	expect(isBackupDue(night + 1, at("2026-11-26T02:00:00"))).toBe(false);

	await make(null, NOW, "manual");
	for (let n = 0; n < 9; n++) await make(null, NOW + n * day, "nightly");
	pruneBackups(first.dataDir, 7);
	const left = listBackups(first.dataDir);
	expect(left.filter(({ schedule }) => schedule === "nightly")).toHaveLength(7);
	expect(left.at(-1)?.schedule).toBe("manual");
	expect(left[0]?.createdAt).toBe(NOW + 8 * day);
});

test("the schedule makes one when it is due, and keeps what went wrong until it does not", async () => {
	const { db, close } = openData(first);
	let now = NOW;
	const place = {
		dataDir: first.dataDir,
		kek: readKek(first.kekFile),
		release: "1",
	};
	const silent = () => {};
	const backups = createBackups({
		db,
		clock: { now: () => now, nowMs: () => 0 },
		log: { debug: silent, info: silent, warn: silent, error: silent },
		place,
	});
	await backups.check();
	expect(backups.list()).toEqual([]);
	backups.setSchedule("nightly", "ada");
	await backups.check();
	await backups.check();
	expect(backups.list()).toMatchObject([{ schedule: "nightly" }]);
	now += 86_400;
	// A backup that its key would not open is none.
	db.run("UPDATE keyring SET wrapped = zeroblob(61)");
	await backups.check();
	expect(backups.failure()).toMatchObject({ at: now });
	now += 3600;
	await backups.check();
	expect(backups.failure()?.at).toBe(now - 3600);
	close();
});
