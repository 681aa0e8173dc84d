import { describe, expect, test } from "bun:test";
import {
	chmodSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
	createKek,
	createKeyring,
	openFor,
	openVault,
	type Place,
	readKek,
	sealFor,
} from "../src/vault.ts";

const NOW = 1_800_000_000;
const place: Place = {
	table: "secrets",
	column: "sealed",
	row: "sec_1",
	owner: "usr_1",
	version: 1,
};

function inFolder(work: (folder: string) => void): void {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-vault-"));
	try {
		work(folder);
	} finally {
		rmSync(folder, { recursive: true });
	}
}

function freshVault(): ReturnType<typeof openVault> {
	const kek = new Uint8Array(32).fill(7);
	return openVault(kek, createKeyring(kek, NOW));
}

describe("a sealed value", () => {
	test("opens in its place, and its text is not in it", () => {
		const vault = freshVault();
		const sealed = vault.seal(place, "canary-é");
		expect(vault.open(place, sealed)).toBe("canary-é");
		expect(Buffer.from(sealed).includes("canary")).toBe(false);
	});

	test("opens nowhere else (attack 108: swapped rows, columns, users, versions)", () => {
		const vault = freshVault();
		const sealed = vault.seal(place, "canary");
		const elsewhere: readonly Partial<Place>[] = [
			{ table: "clients" },
			{ column: "other" },
			{ row: "sec_2" },
			{ owner: "usr_2" },
			{ version: 2 },
			{ row: "sec_1usr", owner: "_1" },
		];
		for (const change of elsewhere)
			expect(() => vault.open({ ...place, ...change }, sealed)).toThrow(
				"does not open",
			);
	});

	test("with any byte changed does not open", () => {
		const vault = freshVault();
		const sealed = vault.seal(place, "canary");
		for (let index = 0; index < sealed.length; index++) {
			const changed = Uint8Array.from(sealed);
			changed[index] = (changed[index] as number) ^ 1;
			expect(() => vault.open(place, changed)).toThrow();
		}
		expect(() => vault.open(place, sealed.subarray(0, 20))).toThrow(
			"does not open",
		);
	});
});

describe("the master key", () => {
	test("that is wrong is refused, and the keyring is not replaced (attack 109)", () => {
		const keyring = createKeyring(new Uint8Array(32).fill(1), NOW);
		expect(() => openVault(new Uint8Array(32).fill(2), keyring)).toThrow(
			"does not open this database",
		);
	});

	test("survives its file", () =>
		inFolder((folder) => {
			const path = join(folder, "master.key");
			const kek = createKek(path);
			expect(Buffer.from(readKek(path)).equals(kek)).toBe(true);
			expect(() => createKek(path)).toThrow();
		}));

	test("that is missing, empty, malformed or readable by others is refused", () =>
		inFolder((folder) => {
			const path = join(folder, "master.key");
			expect(() => readKek(path)).toThrow("cannot read the master key");
			writeFileSync(path, "", { mode: 0o600 });
			expect(() => readKek(path)).toThrow("is not a key");
			writeFileSync(path, "z".repeat(64), { mode: 0o600 });
			expect(() => readKek(path)).toThrow("is not a key");
			rmSync(path);
			createKek(path);
			chmodSync(path, 0o640);
			expect(() => readKek(path)).toThrow("can be read by others");
			expect(readFileSync(path, "utf8")).toHaveLength(65);
		}));
});

test("a keyed hash differs by key and by credential", () => {
	const other = openVault(
		new Uint8Array(32).fill(9),
		createKeyring(new Uint8Array(32).fill(9), NOW),
	);
	const vault = freshVault();
	expect(vault.mac("a")).toHaveLength(32);
	expect(Buffer.from(vault.mac("a")).equals(vault.mac("b"))).toBe(false);
	expect(Buffer.from(vault.mac("a")).equals(other.mac("a"))).toBe(false);
});

test("what is sealed for a credential opens with that one only (attack 40)", () => {
	const sealed = sealFor("sp_rt_old", "sp_rt_new");
	expect(openFor("sp_rt_old", sealed)).toBe("sp_rt_new");
	expect(openFor("sp_rt_other", sealed)).toBeNull();
});
