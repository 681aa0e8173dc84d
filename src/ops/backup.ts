/**
 * Backups: one file with a snapshot of the store, the master key that opens it, and which server packages were
 * installed (not the packages: they are fetched again). Every new file is opened again before it counts.
 *
 * What a file is encrypted with is `backup-file.ts`; this is what goes in, and what a file must hold to be restored.
 * (A door: it reads and writes backups, and the snapshot is made with `VACUUM INTO`.)
 */
import {
	closeSync,
	existsSync,
	fsyncSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readSync,
	renameSync,
	rmSync,
	statSync,
	writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { SallyportError } from "../errors.ts";
import {
	closeDatabase,
	copyDatabase,
	openDatabase,
	requireIntegrity,
} from "../store/database.ts";
import {
	findSetting,
	listKeyring,
	requireInstanceId,
} from "../store/instance.ts";
import { findPackage } from "../store/packages.ts";
import { listServers } from "../store/servers.ts";
import { listUsers } from "../store/users.ts";
import { openVault } from "../vault.ts";
import {
	type BackupHeader,
	type BackupKeys,
	type ByteSource,
	readBackup,
	readBackupHeader,
	requirePassphrase,
	writeBackup,
} from "./backup-file.ts";

/** Which gateway: where its data is and what opens it. */
export type BackupPlace = {
	readonly dataDir: string;
	readonly kek: Uint8Array;
	readonly release: string;
};

/** A file in the backups folder. */
export type BackupView = Pick<
	BackupHeader,
	"createdAt" | "release" | "schedule"
> & {
	readonly name: string;
	readonly path: string;
	readonly bytes: number;
	/** Whether a passphrase opens it; the recovery code always does. */
	readonly hasPassphrase: boolean;
};

/** What is inside a backup that was opened and found whole. */
export type BackupContents = Pick<BackupHeader, "createdAt" | "release"> & {
	readonly instance: string;
	readonly owner: string | null;
	readonly users: number;
	readonly servers: readonly string[];
	readonly publicUrl: string | null;
};

/** A backup that was taken apart into a folder, and proven. */
export type Unpacked = BackupContents & {
	readonly database: string;
	/** The master key that its keyring is wrapped by. */
	readonly kek: Uint8Array;
	/** The folder with `servers/<slug>/<package>/` lock files. */
	readonly folder: string;
};

const ENDING = ".backup";
const STORE = "sallyport.db";
const KEY = "master.key";
const READ_BYTES = 64 * 1024;
const LOCK_FILES = ["package.json", "bun.lock"];
const LOCK_BYTES_MAX = 4 * 1024 * 1024;
const KEY_BYTES = 32;

/** Where a gateway keeps its backups. */
export function backupFolder(dataDir: string): string {
	return join(dataDir, "backups");
}

/**
 * Makes a backup and opens it again. Whoever uses the store is not held up.
 * @param options.output the file to write; absent: a new one in the backups folder
 * @throws SallyportError `invalid` (passphrase), `conflict` (the file exists), `unavailable` (no space)
 */
export async function createBackup(
	place: BackupPlace,
	now: number,
	options: {
		readonly passphrase: string | null;
		readonly schedule: BackupHeader["schedule"];
		readonly output?: string;
	},
): Promise<BackupView> {
	if (options.passphrase !== null) requirePassphrase(options.passphrase);
	const folder = backupFolder(place.dataDir);
	mkdirSync(folder, { recursive: true, mode: 0o700 });
	const path = options.output ?? join(folder, nameAt(now, options.schedule));
	if (existsSync(path))
		throw new SallyportError("conflict", `${path} exists already`, {
			hint: "a backup is never overwritten: choose another name",
		});
	const scratch = mkdtempSync(join(folder, ".making-"));
	try {
		const snapshot = join(scratch, STORE);
		copyDatabase(join(place.dataDir, STORE), snapshot);
		const partial = join(scratch, "partial");
		await write(place, now, options, snapshot, partial);
		const keys = { text: null, kek: place.kek };
		await unpackBackup(partial, keys, join(scratch, "proof"));
		renameOrCopy(partial, path);
	} finally {
		rmSync(scratch, { recursive: true, force: true });
	}
	return viewOf(path);
}

async function write(
	place: BackupPlace,
	now: number,
	options: {
		readonly passphrase: string | null;
		readonly schedule: BackupHeader["schedule"];
	},
	snapshot: string,
	path: string,
): Promise<void> {
	const db = openDatabase(snapshot);
	const instance = requireInstanceId(db);
	const locks = lockFilesOf(place.dataDir, db);
	closeDatabase(db);
	const descriptor = openSync(path, "wx", 0o600);
	try {
		const writer = await writeBackup(
			{
				createdAt: now,
				release: place.release,
				instance,
				schedule: options.schedule,
			},
			{ passphrase: options.passphrase, kek: place.kek },
			(bytes) => void writeSync(descriptor, bytes),
		);
		writer.add(KEY, place.kek.length, [place.kek]);
		writer.add(STORE, statSync(snapshot).size, chunksOf(snapshot));
		for (const { entry, file } of locks)
			writer.add(entry, statSync(file).size, chunksOf(file));
		writer.end();
		fsyncSync(descriptor);
	} catch (cause) {
		if ((cause as { code?: unknown }).code !== "ENOSPC") throw cause;
		throw new SallyportError("unavailable", "there is no space for a backup", {
			hint: `free some on the disk of ${dirname(path)}`,
			cause,
		});
	} finally {
		closeSync(descriptor);
	}
}

/** What an installed package is made of, exactly: enough to install the same again. */
function lockFilesOf(
	dataDir: string,
	db: Parameters<typeof listServers>[0],
): readonly { readonly entry: string; readonly file: string }[] {
	return listServers(db).flatMap(({ id, slug }) => {
		const installed = findPackage(db, id)?.entry.split("/")[0];
		if (installed === undefined) return [];
		return LOCK_FILES.map((name) => ({
			entry: `servers/${slug}/${installed}/${name}`,
			file: join(dataDir, "servers", slug, installed, name),
		})).filter(
			({ file }) => existsSync(file) && statSync(file).size <= LOCK_BYTES_MAX,
		);
	});
}

/** The backups of a gateway, newest first. What is no backup is left out. */
export function listBackups(dataDir: string): readonly BackupView[] {
	const folder = backupFolder(dataDir);
	if (!existsSync(folder)) return [];
	return readdirSync(folder)
		.filter((name) => name.endsWith(ENDING))
		.flatMap((name) => {
			try {
				return [viewOf(join(folder, name))];
			} catch (error) {
				if (error instanceof SallyportError) return [];
				throw error;
			}
		})
		.toSorted((a, b) => b.createdAt - a.createdAt);
}

/** Takes a backup elsewhere. @throws SallyportError `unavailable` when it cannot be written there: then it stays */
export function moveBackup(from: string, to: string): BackupView {
	try {
		renameOrCopy(from, to);
		rmSync(from, { force: true });
	} catch (cause) {
		throw new SallyportError("unavailable", `cannot write ${to}`, {
			hint: `the backup is whole, and at ${from}`,
			cause,
		});
	}
	return viewOf(to);
}

/** Removes the scheduled backups beyond the newest `keep`. Those made by hand stay. */
export function pruneBackups(dataDir: string, keep: number): void {
	const scheduled = listBackups(dataDir).filter(
		({ schedule }) => schedule === "nightly",
	);
	for (const { path } of scheduled.slice(keep)) rmSync(path, { force: true });
}

/** Opens a backup, reads all of it and throws away what came out. @throws SallyportError as `unpackBackup` */
export async function verifyBackup(
	path: string,
	keys: BackupKeys,
	scratchIn: string,
): Promise<BackupContents> {
	mkdirSync(scratchIn, { recursive: true, mode: 0o700 });
	const scratch = mkdtempSync(join(scratchIn, ".proving-"));
	try {
		const {
			database: _,
			kek: __,
			folder: ___,
			...contents
		} = await unpackBackup(path, keys, join(scratch, "proof"));
		return contents;
	} finally {
		rmSync(scratch, { recursive: true, force: true });
	}
}

/**
 * Takes a backup apart into a new folder and proves it: every byte is authentic, the store is whole and of a release
 * that this one can read, and the master key opens its keyring.
 * @throws SallyportError `invalid` (no backup, damaged), `forbidden` (wrong passphrase or code), `conflict` (newer)
 */
export async function unpackBackup(
	path: string,
	keys: BackupKeys,
	folder: string,
): Promise<Unpacked> {
	mkdirSync(folder, { recursive: true, mode: 0o700 });
	const descriptor = openBackup(path);
	let kek = new Uint8Array();
	let header: BackupHeader;
	try {
		header = readBackupHeader(fromStart(descriptor));
		for await (const entry of readBackup(fromStart(descriptor), keys)) {
			if (entry.path === KEY && entry.length === KEY_BYTES)
				kek = Buffer.concat([...entry.chunks()]);
			else if (entry.path === STORE || isLockFile(entry.path, entry.length))
				writeFile(join(folder, entry.path), entry.chunks());
		}
	} finally {
		closeSync(descriptor);
	}
	const database = join(folder, STORE);
	if (!existsSync(database) || kek.length !== KEY_BYTES)
		throw new SallyportError("invalid", "this backup is not complete", {
			hint: "use another one; nothing was changed",
		});
	return { ...header, ...prove(database, kek), database, kek, folder };
}

function prove(
	path: string,
	kek: Uint8Array,
): Omit<BackupContents, "createdAt" | "release" | "instance"> {
	const db = openDatabase(path);
	try {
		requireIntegrity(db);
		openVault(kek, listKeyring(db));
		const users = listUsers(db);
		return {
			owner: users.find(({ role }) => role === "owner")?.email ?? null,
			users: users.length,
			servers: listServers(db).map(({ slug }) => slug),
			publicUrl: findSetting(db, "public_url"),
		};
	} finally {
		closeDatabase(db);
	}
}

/** `servers/<slug>/<folder>/package.json`, and nothing that could be anything else. */
function isLockFile(path: string, length: number): boolean {
	const match =
		/^servers\/[a-z][a-z0-9-]{0,31}\/npm-[A-Za-z0-9._-]+\/([a-z.]+)$/.exec(
			path,
		);
	return LOCK_FILES.includes(match?.[1] ?? "") && length <= LOCK_BYTES_MAX;
}

function viewOf(path: string): BackupView {
	const descriptor = openBackup(path);
	try {
		const { createdAt, release, schedule, keys } = readBackupHeader(
			fromStart(descriptor),
		);
		return {
			name: path.slice(dirname(path).length + 1),
			path,
			bytes: statSync(path).size,
			createdAt,
			release,
			schedule,
			hasPassphrase: keys.some(({ kind }) => kind === "passphrase"),
		};
	} finally {
		closeSync(descriptor);
	}
}

function openBackup(path: string): number {
	try {
		return openSync(path, "r");
	} catch (cause) {
		throw new SallyportError("not_found", `cannot read ${path}`, {
			hint: "see sallyport backup list",
			cause,
		});
	}
}

/** Reads on from wherever the last read ended. */
function fromStart(descriptor: number): ByteSource {
	let position = 0;
	return (length) => {
		const buffer = Buffer.alloc(length);
		const count = readSync(descriptor, buffer, 0, length, position);
		position += count;
		return buffer.subarray(0, count);
	};
}

function* chunksOf(path: string): Generator<Uint8Array, void, void> {
	const descriptor = openSync(path, "r");
	try {
		const source = fromStart(descriptor);
		for (
			let chunk = source(READ_BYTES);
			chunk.length > 0;
			chunk = source(READ_BYTES)
		)
			yield chunk;
	} finally {
		closeSync(descriptor);
	}
}

function writeFile(path: string, chunks: Iterable<Uint8Array>): void {
	mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
	const descriptor = openSync(path, "w", 0o600);
	try {
		for (const chunk of chunks) writeSync(descriptor, chunk);
		fsyncSync(descriptor);
	} finally {
		closeSync(descriptor);
	}
}

/** The output that was asked for may be on another disk. */
function renameOrCopy(from: string, to: string): void {
	try {
		renameSync(from, to);
	} catch (error) {
		if ((error as { code?: unknown }).code !== "EXDEV") throw error;
		writeFile(to, chunksOf(from));
	}
}

/** `sallyport-2026-11-25T0300.backup`; a colon would be a drive or a host to some programs. */
function nameAt(now: number, schedule: BackupHeader["schedule"]): string {
	const at = new Date(now * 1000)
		.toISOString()
		.slice(0, 19)
		.replaceAll(":", "");
	return `sallyport-${at}-${schedule}${ENDING}`;
}
