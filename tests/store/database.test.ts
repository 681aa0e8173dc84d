import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import {
	chownSync,
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrations } from "../../migrations/index.ts";
import {
	dumpSchema,
	handBack,
	lockFolder,
	openDatabase,
	transaction,
} from "../../src/store/database.ts";

function inFolder(work: (folder: string) => void): void {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-db-"));
	try {
		work(folder);
	} finally {
		rmSync(folder, { recursive: true });
	}
}

test("the migrations arrive at schema.sql", () => {
	const db = openDatabase(":memory:");
	const truth = readFileSync(
		join(import.meta.dir, "../../migrations/schema.sql"),
		"utf8",
	);
	expect(dumpSchema(db)).toBe(truth);
});

test("every table is STRICT", () => {
	const db = openDatabase(":memory:");
	const loose = db
		.query(
			"SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%'",
		)
		.all();
	expect(loose).toEqual([]);
});

test("a newer database is refused and left alone", () =>
	inFolder((folder) => {
		const path = join(folder, "sallyport.db");
		openDatabase(path).close();
		const newer = new Database(path);
		newer.run(`PRAGMA user_version = ${migrations.length + 1}`);
		newer.close();
		expect(() => openDatabase(path)).toThrow("newer release");
		expect(new Database(path).query("PRAGMA user_version").get()).toEqual({
			user_version: migrations.length + 1,
		});
	}));

test("an older database is copied before it is migrated, and a failed migration changes nothing", () =>
	inFolder((folder) => {
		const path = join(folder, "sallyport.db");
		const db = openDatabase(path);
		db.run("INSERT INTO instance (name, value) VALUES ('kept', 'yes')");
		db.close();
		const broken = [
			...migrations,
			"CREATE TABLE extra (a TEXT) STRICT; INSERT INTO nowhere VALUES (1);",
		];
		expect(() => openDatabase(path, broken)).toThrow();
		const copy = `${path}.schema-${migrations.length}`;
		expect(existsSync(copy)).toBe(true);
		expect(
			new Database(copy).query("SELECT value FROM instance").get(),
		).toEqual({ value: "yes" });
		const after = openDatabase(path);
		expect(
			after.query("SELECT name FROM sqlite_schema WHERE name = 'extra'").get(),
		).toBeNull();
	}));

test("a throw undoes the whole transaction", () => {
	const db = openDatabase(":memory:");
	expect(() =>
		transaction(db, () => {
			db.run("INSERT INTO instance (name, value) VALUES ('a', 'b')");
			throw new Error("no");
		}),
	).toThrow("no");
	expect(db.query("SELECT count(*) AS n FROM instance").get()).toEqual({
		n: 0,
	});
});

test("a data directory is held by one at a time, and given back", () =>
	inFolder((folder) => {
		const unlock = lockFolder(folder);
		expect(() => lockFolder(folder)).toThrow("in use by another sallyport");
		unlock();
		lockFolder(folder)();
	}));

test("what root writes in the service's folder is the service's, but for what a link leads to", () =>
	inFolder((folder) => {
		if (process.getuid?.() !== 0) return;
		const [uid, gid] = [65534, 65534];
		const data = join(folder, "data");
		const outside = join(folder, "outside");
		mkdirSync(join(data, "backups"), { recursive: true });
		chownSync(data, uid, gid);
		writeFileSync(outside, "");
		writeFileSync(join(data, "backups/a.backup"), "");
		symlinkSync(outside, join(data, "link"));
		handBack(data);
		for (const name of ["backups", "backups/a.backup", "link"])
			expect(lstatSync(join(data, name)).uid, name).toBe(uid);
		expect(statSync(outside).uid).toBe(0);
	}));
