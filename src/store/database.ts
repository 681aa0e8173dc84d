/**
 * The database file: opening, migrating forward, refusing what is newer. It knows no table but SQLite's own.
 *
 * What is joined or put in order says `= +?`, not `= ?`: SQLite peeks at the value of the latter when it plans, and so
 * plans anew at every use, which takes up to ten times as long as the look-up. The `+` hides the value from it and
 * changes nothing else; the index is used either way. `LIMIT ?` is the same, and is hidden by `LIMIT ? + 0`.
 *
 * Transactions are synchronous `bun:sqlite` transactions: an `async` function inside one would commit at its first
 * await. Before a migration the file is copied beside itself with `VACUUM INTO`, so that a failed upgrade loses nothing.
 */
import { Database } from "bun:sqlite";
import {
	existsSync,
	lchownSync,
	lstatSync,
	readdirSync,
	rmSync,
} from "node:fs";
import { join } from "node:path";
import { migrations as released } from "../../migrations/index.ts";
import { SallyportError } from "../errors.ts";

export type { Database };

const BUSY_TIMEOUT_MS = 5000;
/**
 * Length of the write-ahead log, 16 MiB, at which it is written into the file. A transaction touches five to seven
 * pages all over the file, and the longer the log, the more of them have come together when each is written once: a
 * sign-in or a refresh takes a tenth less than with SQLite's own 1000. A committed transaction is in the log either way.
 */
const LOG_PAGES = 4000;
/** As deep as `servers/<slug>/<package>/package.json`. */
const HAND_BACK_DEPTH = 3;

/**
 * Opens (or creates) the store and brings its schema up to date.
 * @param path a file, or `:memory:`
 * @throws SallyportError `conflict` when the file was written by a newer release
 */
export function openDatabase(
	path: string,
	migrations: readonly string[] = released,
): Database {
	const db = new Database(path, { create: true, strict: true });
	db.run("PRAGMA journal_mode = WAL");
	db.run("PRAGMA synchronous = NORMAL");
	db.run("PRAGMA foreign_keys = ON");
	db.run("PRAGMA trusted_schema = OFF");
	db.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
	db.run(`PRAGMA wal_autocheckpoint = ${LOG_PAGES}`);
	try {
		migrate(db, path, migrations);
	} catch (error) {
		db.close();
		throw error;
	}
	return db;
}

/**
 * Takes a data directory for this process alone; the lock dies with the process, however it ends.
 * @returns what gives it back
 * @throws SallyportError `conflict` when another process has it
 */
export function lockFolder(folder: string): () => void {
	const lock = new Database(join(folder, "lock"), { create: true });
	try {
		lock.run("PRAGMA busy_timeout = 0");
		lock.run("BEGIN EXCLUSIVE");
	} catch (cause) {
		lock.close();
		throw new SallyportError(
			"conflict",
			`${folder} is in use by another sallyport`,
			{
				hint: "stop the service first, or name another directory with --data-dir",
				cause,
			},
		);
	}
	return () => lock.close();
}

/**
 * What root wrote in a folder of somebody else's becomes theirs: the service runs as that user, and could not open it
 * otherwise. Links are never followed, and packages are left as they are.
 */
export function handBack(folder: string): void {
	if (process.getuid?.() !== 0) return;
	const { uid, gid } = lstatSync(folder);
	if (uid === 0) return;
	const walk = (within: string, depth: number): void => {
		for (const entry of readdirSync(within, { withFileTypes: true })) {
			const path = join(within, entry.name);
			if (lstatSync(path).uid !== uid) lchownSync(path, uid, gid);
			const goesOn = depth > 0 && entry.name !== "node_modules";
			if (entry.isDirectory() && goesOn) walk(path, depth - 1);
		}
	};
	walk(folder, HAND_BACK_DEPTH);
}

/** Writes the write-ahead log into the file and closes it, so that the file alone is the whole store. */
export function closeDatabase(db: Database): void {
	checkpoint(db);
	db.close();
}

/** Writes the write-ahead log into the file, and returns when all of it is on disk. */
export function checkpoint(db: Database): void {
	db.run("PRAGMA wal_checkpoint(TRUNCATE)");
}

/**
 * Copies a store that may be in use to a new file; whoever uses it is not held up.
 * @throws SallyportError `unavailable` when the copy cannot be made, which is mostly for want of space
 */
export function copyDatabase(path: string, copy: string): void {
	const db = new Database(path, { readwrite: true, strict: true });
	try {
		db.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
		db.run("VACUUM INTO ?", [copy]);
	} catch (cause) {
		throw new SallyportError("unavailable", `${path} could not be copied`, {
			hint: "look for free space where temporary files go, and whether the file is damaged",
			cause,
		});
	} finally {
		db.close();
	}
}

/** Whether every page and index of the store is as it should be. @throws SallyportError `invalid` when not */
export function requireIntegrity(db: Database): void {
	const found = db
		.query<{ integrity_check: string }, []>("PRAGMA integrity_check(1)")
		.get()?.integrity_check;
	if (found !== "ok")
		throw new SallyportError("invalid", `the database is damaged: ${found}`, {
			hint: "restore the last backup",
		});
}

/** How many rows each table has, by its name. */
export function countRows(db: Database): Readonly<Record<string, number>> {
	const tables = db
		.query<{ name: string }, []>(
			"SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
		)
		.all();
	return Object.fromEntries(
		tables.map(({ name }) => [
			name,
			db.query<{ n: number }, []>(`SELECT count(*) AS n FROM "${name}"`).get()
				?.n ?? 0,
		]),
	);
}

/** Runs `work` in one transaction that takes the write lock at once; a throw undoes all of it. */
export function transaction<T>(db: Database, work: () => T): T {
	let run = runners.get(db);
	if (!run) {
		run = db.transaction((given: () => unknown) => given()).immediate;
		runners.set(db, run);
	}
	return run(work) as T;
}

/** What runs the transactions of each database: made once, because to make it takes longer than a small one. */
const runners = new WeakMap<Database, (work: () => unknown) => unknown>();

/** The schema as SQLite keeps it, one statement a line group; compared with `migrations/schema.sql` in a test. */
export function dumpSchema(db: Database): string {
	const rows = db
		.query<{ sql: string }, []>(
			"SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type DESC, name",
		)
		.all();
	return `${rows.map((row) => `${row.sql};`).join("\n\n")}\n`;
}

function migrate(
	db: Database,
	path: string,
	migrations: readonly string[],
): void {
	const version = schemaVersion(db);
	if (version > migrations.length)
		throw new SallyportError(
			"conflict",
			`the database is of a newer release (schema ${version}, this release knows ${migrations.length})`,
			{
				hint: "install the newer release again, or restore the backup taken before the upgrade",
			},
		);
	if (version === migrations.length) return;
	if (version > 0 && path !== ":memory:") snapshot(db, path, version);
	for (let next = version; next < migrations.length; next++) {
		const sql = migrations[next] as string;
		transaction(db, () => {
			db.run(sql);
			db.run(`PRAGMA user_version = ${next + 1}`);
		});
	}
}

function schemaVersion(db: Database): number {
	return (
		db.query<{ user_version: number }, []>("PRAGMA user_version").get()
			?.user_version ?? 0
	);
}

/** `sallyport.db` → `sallyport.db.schema-3`: the file as it was before the migration that leaves schema 3. */
function snapshot(db: Database, path: string, version: number): void {
	const copy = `${path}.schema-${version}`;
	if (existsSync(copy)) rmSync(copy);
	db.run("VACUUM INTO ?", [copy]);
}
