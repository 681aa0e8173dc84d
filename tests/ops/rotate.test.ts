/** Rotating the data key and replacing the master key. That they survive a kill is attack 110. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import {
	existsSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replaceMasterKey, rotateDataKey } from "../../src/ops/rotate.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { insertKeyring, listKeyring } from "../../src/store/instance.ts";
import { SEALED_COLUMNS } from "../../src/store/sealed.ts";
import { openKey, sealKey } from "../../src/tls/sealed-keys.ts";
import {
	createKek,
	createKeyring,
	openVault,
	readKek,
	settleKek,
	type Vault,
} from "../../src/vault.ts";

const NOW = 1_800_000_000;
const DIRECTORY = "https://ca.example/directory";

let folder: string;
let kekFile: string;
let db: Database;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "sallyport-rotate-"));
	kekFile = join(folder, "master.key");
	db = openDatabase(join(folder, "sallyport.db"));
	insertKeyring(db, createKeyring(createKek(kekFile), NOW));
	db.query(
		"INSERT INTO acme_accounts (directory, url, key_sealed, created_at) VALUES (?, ?, ?, ?)",
	).run(
		DIRECTORY,
		"https://ca.example/account/1",
		sealKey(vault(), "acme_accounts", DIRECTORY, "a private key"),
		NOW,
	);
});
afterEach(() => {
	db.close();
	rmSync(folder, { recursive: true });
});

function vault(): Vault {
	return openVault(readKek(kekFile), listKeyring(db));
}

function sealedKey(): Uint8Array {
	return (
		db.query("SELECT key_sealed AS sealed FROM acme_accounts").get() as {
			sealed: Uint8Array;
		}
	).sealed;
}

function opened(): string {
	return openKey(vault(), "acme_accounts", DIRECTORY, sealedKey());
}

test("after a rotation everything opens, sealed with the fresh key, and the former key opens nothing any more", () => {
	const [before, sealed] = [vault(), sealedKey()];
	expect(rotateDataKey(db, kekFile, NOW + 1)).toEqual({
		keyId: 3,
		resealed: 1,
	});
	expect(opened()).toBe("a private key");
	expect(openKey(before, "acme_accounts", DIRECTORY, sealed)).toBe(
		"a private key",
	);
	expect(() =>
		openKey(before, "acme_accounts", DIRECTORY, sealedKey()),
	).toThrow();
	expect(() => openKey(vault(), "acme_accounts", DIRECTORY, sealed)).toThrow();
	expect(
		listKeyring(db).map(({ keyId, purpose, state, wrapped }) => [
			keyId,
			purpose,
			state,
			wrapped.length > 0,
		]),
	).toEqual([
		[1, "data", "retired", false],
		[2, "mac", "active", true],
		[3, "data", "active", true],
	]);
	rotateDataKey(db, kekFile, NOW + 2);
	expect(opened()).toBe("a private key");
});

test("a value that does not open stops a rotation, and nothing has changed", () => {
	db.run("UPDATE acme_accounts SET directory = 'https://elsewhere.example/'");
	const [before, sealed] = [listKeyring(db), sealedKey()];
	expect(() => rotateDataKey(db, kekFile, NOW)).toThrow(
		"does not open in its place",
	);
	expect(listKeyring(db)).toEqual(before);
	expect(sealedKey()).toEqual(sealed);
});

test("credentials are known by the same hashes after both", () => {
	const hash = vault().mac("sp_at_x");
	rotateDataKey(db, kekFile, NOW);
	replaceMasterKey(db, kekFile);
	expect(vault().mac("sp_at_x")).toEqual(hash);
});

test("another master key opens everything, and the former one nothing", () => {
	const former = readKek(kekFile);
	rotateDataKey(db, kekFile, NOW);
	replaceMasterKey(db, kekFile);
	expect(readKek(kekFile)).not.toEqual(former);
	expect(opened()).toBe("a private key");
	expect(() => openVault(former, listKeyring(db))).toThrow(
		"does not open this database's keyring",
	);
	expect(existsSync(`${kekFile}.next`)).toBe(false);
});

test("a replacement that was interrupted is undone before it counted, and finished after", () => {
	const next = `${kekFile}.next`;
	const former = readFileSync(kekFile);
	createKek(next); // interrupted before the keyring was wrapped by it
	settleKek(kekFile, listKeyring(db));
	expect(existsSync(next)).toBe(false);
	writeFileSync(next, "0123", { mode: 0o600 }); // interrupted in the middle of the file
	settleKek(kekFile, listKeyring(db));
	expect(readFileSync(kekFile)).toEqual(former);

	replaceMasterKey(db, kekFile);
	writeFileSync(next, readFileSync(kekFile), { mode: 0o600 });
	writeFileSync(kekFile, former); // interrupted before the new key took the former one's place
	expect(() => vault()).toThrow();
	settleKek(kekFile, listKeyring(db));
	expect(opened()).toBe("a private key");
});

test("every column that the vault seals is known to the rotation", () => {
	const schema = readFileSync(
		join(import.meta.dir, "../../migrations/schema.sql"),
		"utf8",
	);
	const byHolder = new Set(["successor_sealed", "answer_sealed"]);
	// A table that was altered does not end as it was written.
	const tables = schema
		.split(";\n")
		.map((statement) => /CREATE TABLE (\w+) ([\s\S]*)/.exec(statement) ?? []);
	const columns = tables.flatMap(([, table = "", body = ""]) =>
		[...body.matchAll(/^\s*(\w*sealed)\s+BLOB/gm)]
			.map(([, column = ""]) => column)
			.filter((column) => !byHolder.has(column))
			.map((column) => `${table}.${column}`),
	);
	const known = Object.entries(SEALED_COLUMNS).map((pair) => pair.join("."));
	expect(known.toSorted()).toEqual(columns.toSorted());
});
