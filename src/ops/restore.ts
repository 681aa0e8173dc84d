/**
 * Restoring: a proven backup is prepared in a folder of the data directory, and takes the store's place when nobody
 * has it open: at once from the command line, at the next start from the browser. What was there stays beside it.
 *
 * The keys inside are wrapped anew by this machine's own master key, so no key file is ever replaced. An address
 * belongs to a machine, not to a backup: the one this gateway has is kept, and the former one is only remembered.
 * (A door: it moves the files of the store.)
 */
import {
	existsSync,
	mkdirSync,
	readdirSync,
	renameSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { SallyportError } from "../errors.ts";
import { recordAudit } from "../store/audit.ts";
import {
	closeDatabase,
	type Database,
	openDatabase,
} from "../store/database.ts";
import {
	clearSetting,
	findSetting,
	listKeyring,
	putKeyring,
	setSetting,
} from "../store/instance.ts";
import { hasOwner } from "../store/users.ts";
import { rewrapKeyring } from "../vault.ts";
import { type BackupContents, type Unpacked, unpackBackup } from "./backup.ts";
import type { BackupKeys } from "./backup-file.ts";
import { undecideSetup } from "./setup-steps.ts";

const STORE = "sallyport.db";

export type RestoreRequest = {
	readonly path: string;
	readonly keys: BackupKeys;
	/** An empty folder, on the same disk as the data. */
	readonly folder: string;
	/** This machine's own master key. */
	readonly kek: Uint8Array;
	/** The store that is to be replaced; null: there is none. */
	readonly current: Database | null;
	/** Whether a gateway that has an owner may be replaced. */
	readonly replacesOwned: boolean;
};

/** The address that a restored gateway had elsewhere: what the wizard proposes. */
export const FORMER_URL = "former_public_url";

/**
 * Prepares a backup to take the store's place. Nothing of the current data is touched.
 * @throws SallyportError as `unpackBackup`; `conflict` when the gateway has an owner and may not be replaced
 */
export async function prepareRestore(
	request: RestoreRequest,
	now: number,
): Promise<BackupContents> {
	const { current, kek } = request;
	if (current && hasOwner(current) && !request.replacesOwned)
		throw new SallyportError("conflict", "this gateway has an owner", {
			hint: "restoring replaces everything it has: say --yes if that is what you want",
		});
	const unpacked = await unpackBackup(
		request.path,
		request.keys,
		request.folder,
	);
	const db = openDatabase(unpacked.database);
	try {
		settle(db, unpacked, { kek, current, now });
	} finally {
		closeDatabase(db);
	}
	const { createdAt, release, instance, owner, users, servers, publicUrl } =
		unpacked;
	return { createdAt, release, instance, owner, users, servers, publicUrl };
}

function settle(
	db: Database,
	unpacked: Unpacked,
	{
		kek,
		current,
		now,
	}: {
		readonly kek: Uint8Array;
		readonly current: Database | null;
		readonly now: number;
	},
): void {
	if (!Buffer.from(kek).equals(unpacked.kek)) {
		putKeyring(db, rewrapKeyring(unpacked.kek, kek, listKeyring(db)));
		// The kit that was saved opens the old machine's backups, not this one's.
		undecideSetup(db, "kit");
	}
	if (current !== null) keepAddress(db, findSetting(current, "public_url"));
	recordAudit(
		db,
		{ actor: "restore", action: "gateway.restore", object: unpacked.instance },
		now,
	);
}

function keepAddress(db: Database, own: string | null): void {
	const former = findSetting(db, "public_url");
	if (former === own) return;
	if (former !== null) setSetting(db, FORMER_URL, former);
	if (own === null) clearSetting(db, "public_url");
	else setSetting(db, "public_url", own);
	undecideSetup(db, "address");
	undecideSetup(db, "done");
}

/** Where a restore is prepared, and where it waits for the store to be closed. */
function waitingFolder(dataDir: string): string {
	return join(dataDir, "restore");
}

/** An empty folder to prepare a restore in; what an earlier attempt left is gone. */
export function preparationFolder(dataDir: string): string {
	const folder = join(dataDir, ".restoring");
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder, { recursive: true, mode: 0o700 });
	return folder;
}

/** Lets what was prepared take the store's place the next time the data is opened. */
export function queueRestore(dataDir: string, folder: string): void {
	rmSync(waitingFolder(dataDir), { recursive: true, force: true });
	renameSync(folder, waitingFolder(dataDir));
}

/**
 * Prepares a backup that came from a browser, and lets it take the store's place at the next start. Only for a gateway
 * that nobody owns. @throws SallyportError as `prepareRestore`
 */
export async function receiveRestore(
	place: { readonly dataDir: string; readonly kek: Uint8Array },
	current: Database,
	received: { readonly file: Uint8Array; readonly key: string },
	now: number,
): Promise<BackupContents> {
	const folder = preparationFolder(place.dataDir);
	const path = join(folder, "received");
	writeFileSync(path, received.file, { mode: 0o600 });
	try {
		const contents = await prepareRestore(
			{
				path,
				keys: { text: received.key, kek: place.kek },
				folder,
				kek: place.kek,
				current,
				replacesOwned: false,
			},
			now,
		);
		rmSync(path);
		queueRestore(place.dataDir, folder);
		return contents;
	} catch (error) {
		rmSync(folder, { recursive: true, force: true });
		throw error;
	}
}

/**
 * Puts a restore that waits in place. Only for whoever holds the lock and has nothing open.
 * @returns whether there was one
 */
export function applyRestore(dataDir: string, now: number): boolean {
	const folder = waitingFolder(dataDir);
	const fresh = join(folder, STORE);
	if (!existsSync(fresh)) return false;
	const at = new Date(now * 1000)
		.toISOString()
		.slice(0, 19)
		.replaceAll(":", "");
	const kept = join(dataDir, `${STORE}.before-restore-${at}`);
	for (const part of ["", "-wal", "-shm"]) {
		const old = join(dataDir, STORE + part);
		if (existsSync(old)) renameSync(old, kept + part);
	}
	placeLockFiles(folder, dataDir);
	// Last: until here a crash leaves the restore waiting, and the next start does it again.
	renameSync(fresh, join(dataDir, STORE));
	rmSync(folder, { recursive: true, force: true });
	return true;
}

/** Lock files go where packages are missing; what is installed stays. */
function placeLockFiles(folder: string, dataDir: string): void {
	const servers = join(folder, "servers");
	if (!existsSync(servers)) return;
	for (const slug of readdirSync(servers))
		for (const installed of readdirSync(join(servers, slug))) {
			const to = join(dataDir, "servers", slug, installed);
			if (existsSync(to)) continue;
			mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
			renameSync(join(servers, slug, installed), to);
		}
}
