/**
 * `sallyport backup …`, `restore` and `recovery-kit`. Making a backup asks the service, or opens the data itself when
 * none runs; verifying and restoring never need one.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { systemClock } from "../clock.ts";
import { type Config, parseConfig } from "../config.ts";
import { SallyportError } from "../errors.ts";
import { storedSettings } from "../ops/address.ts";
import {
	type BackupContents,
	type BackupView,
	backupFolder,
	createBackup,
	listBackups,
	moveBackup,
	verifyBackup,
} from "../ops/backup.ts";
import type { BackupKeys } from "../ops/backup-file.ts";
import { kitOf } from "../ops/backup-schedule.ts";
import {
	preparationFolder,
	prepareRestore,
	queueRestore,
} from "../ops/restore.ts";
import { readKek } from "../vault.ts";
import { type Command, type Context, type Flag, YES } from "./command.ts";
import { readSecret } from "./input.ts";
import {
	printFacts,
	printJson,
	printLine,
	printNote,
	printTable,
	showTime,
} from "./output.ts";

const PASSPHRASE: Flag = {
	name: "passphrase-file",
	value: "F|-",
	summary:
		"its passphrase, or the recovery code, from a file or standard input",
};

/** Commands about backups. */
export const backupCommands: readonly Command[] = [
	{
		noun: "backup",
		verb: "create",
		summary: "one file with everything, which the recovery code opens",
		words: [],
		flags: [
			{
				name: "passphrase-file",
				value: "F|-",
				summary:
					"a passphrase that opens it too, from a file or standard input",
			},
			{
				name: "output",
				value: "FILE",
				summary: "where to put it (the backups folder)",
			},
		],
		examples: [
			"sallyport backup create",
			"pass show gate-backup | sallyport backup create --passphrase-file - --output /mnt/usb/gate.backup",
		],
		run: create,
	},
	{
		noun: "backup",
		verb: "list",
		summary: "the backups in the backups folder",
		words: [],
		flags: [],
		examples: ["sallyport backup list"],
		run: list,
	},
	{
		noun: "backup",
		verb: "verify",
		summary: "open a backup and read all of it; changes nothing",
		words: ["FILE"],
		flags: [PASSPHRASE],
		examples: [
			"sallyport backup verify gate.backup",
			"sallyport backup verify gate.backup --passphrase-file code.txt",
		],
		run: verify,
	},
	{
		noun: "restore",
		verb: null,
		summary:
			"replace everything by what is in a backup (the service is stopped)",
		words: ["FILE"],
		flags: [PASSPHRASE, YES],
		examples: [
			"sallyport restore gate.backup --passphrase-file code.txt",
			"sallyport restore gate.backup --yes",
		],
		run: restore,
	},
	{
		noun: "recovery-kit",
		verb: null,
		summary: "print the page that opens this gateway's backups",
		words: [],
		flags: [],
		examples: ["sallyport recovery-kit > kit.txt"],
		run: kit,
	},
];

async function create(context: Context): Promise<void> {
	const { io, json, client } = context;
	const file = context.one("passphrase-file");
	const passphrase =
		file === undefined ? null : await readSecret(io, file, "the passphrase");
	const output = context.one("output");
	if (output !== undefined && existsSync(output))
		throw new SallyportError("conflict", `${output} exists already`, {
			hint: "a backup is never overwritten: choose another name",
		});
	const made = await client
		.post("/api/backups", passphrase === null ? {} : { passphrase })
		.then(
			(reply) => reply["backup"] as BackupView,
			(error: unknown) => {
				if (!isNotRunning(error)) throw error;
				return createOffline(context, passphrase);
			},
		);
	const backup =
		output === undefined ? made : moveBackup(made.path, resolve(output));
	if (json) return printJson(io, { backup });
	printLine(io, backup.path);
	printNote(
		io,
		`opens with the recovery code${backup.hasPassphrase ? ", or its passphrase" : ""}; read back and found whole`,
	);
}

function isNotRunning(error: unknown): boolean {
	return error instanceof SallyportError && error.code === "unavailable";
}

/** The lock keeps a service from starting meanwhile. */
async function createOffline(
	context: Context,
	passphrase: string | null,
): Promise<BackupView> {
	const config = configOf(context);
	requireData(config);
	const data = context.program.openData(config);
	try {
		return await createBackup(
			{
				dataDir: config.dataDir,
				kek: readKek(config.kekFile),
				release: context.program.version,
			},
			systemClock.now(),
			{ passphrase, schedule: "manual" },
		);
	} finally {
		data.close();
	}
}

async function list(context: Context): Promise<void> {
	const { io, json } = context;
	const backups = listBackups(configOf(context).dataDir);
	if (json) return printJson(io, { backups });
	printTable(
		io,
		["NAME", "MADE", "SIZE", "BY", "OPENS WITH"],
		backups.map((backup) => [
			backup.name,
			showTime(backup.createdAt),
			showSize(backup.bytes),
			backup.schedule === "nightly" ? "itself" : "hand",
			backup.hasPassphrase ? "passphrase or recovery code" : "recovery code",
		]),
		"there are no backups: make one with sallyport backup create",
	);
}

async function verify(context: Context): Promise<void> {
	const { io, json, words } = context;
	const config = configOf(context);
	const path = findBackup(config, words[0] as string);
	let contents: BackupContents;
	try {
		contents = await verifyBackup(
			path,
			await keysOf(context, config),
			config.dataDir,
		);
	} catch (error) {
		if (!(error instanceof SallyportError) || error.code === "not_found")
			throw error;
		const { message, hint, cause } = error;
		throw new SallyportError("unsound", message, {
			...(hint !== undefined && { hint }),
			cause,
		});
	}
	if (json) return printJson(io, { path, ...contents });
	printFacts(io, factsOf(contents));
	printNote(io, "every byte was read, and its master key opens its secrets");
}

async function restore(context: Context): Promise<void> {
	const { io, json, words, program } = context;
	const config = configOf(context);
	const path = findBackup(config, words[0] as string);
	const keys = await keysOf(context, config);
	const isNew = !existsSync(join(config.dataDir, "sallyport.db"));
	const data = program.openData(config);
	const folder = preparationFolder(config.dataDir);
	let contents: BackupContents;
	try {
		contents = await prepareRestore(
			{
				...{ path, keys, folder },
				kek: readKek(config.kekFile),
				current: isNew ? null : data.db,
				replacesOwned: context.has("yes"),
			},
			systemClock.now(),
		);
		queueRestore(config.dataDir, folder);
	} finally {
		data.close();
	}
	// Opening the data is what puts it in place.
	program.openData(config).close();
	if (json) return printJson(io, { restored: contents });
	printFacts(io, factsOf(contents));
	printNote(
		io,
		"restored; what was there stands beside it as sallyport.db.before-restore-…",
	);
	printNote(
		io,
		"next: start the service; on another machine than before, save the new kit, too: sallyport recovery-kit",
	);
}

async function kit(context: Context): Promise<void> {
	const { io, json, client } = context;
	const text = await client.get("/api/recovery-kit").then(
		(reply) => String(reply["kit"]),
		(error: unknown) => {
			if (!isNotRunning(error)) throw error;
			return kitOffline(context);
		},
	);
	if (json) return printJson(io, { kit: text });
	printLine(io, text.trimEnd());
}

function kitOffline(context: Context): string {
	const config = configOf(context);
	requireData(config);
	const { db, close } = context.program.openData(config);
	try {
		const { publicUrl } = config.withDatabase(storedSettings(db));
		const kek = readKek(config.kekFile);
		return kitOf(db, { kek }, publicUrl ?? "not chosen yet", systemClock.now());
	} finally {
		close();
	}
}

function configOf({ configFlags, io }: Context): Config {
	return parseConfig(configFlags, io.env);
}

/** Nothing of these makes a gateway where there is none. */
function requireData({ dataDir }: Config): void {
	if (existsSync(join(dataDir, "sallyport.db"))) return;
	throw new SallyportError("not_found", `there is no gateway in ${dataDir}`, {
		hint: "name its own --data-dir",
	});
}

/** A path, or the name of one in the backups folder. */
function findBackup({ dataDir }: Config, text: string): string {
	const inFolder = join(backupFolder(dataDir), text);
	return !existsSync(text) && !text.includes("/") && existsSync(inFolder)
		? inFolder
		: resolve(text);
}

/** What was typed, and this machine's own key if it has one. */
async function keysOf(context: Context, config: Config): Promise<BackupKeys> {
	const file = context.one("passphrase-file");
	const text =
		file === undefined
			? null
			: await readSecret(context.io, file, "the passphrase");
	// Whoever types a passphrase may not be who may read the key.
	const isKeyed = text === null && existsSync(config.kekFile);
	return { text, kek: isKeyed ? readKek(config.kekFile) : null };
}

function factsOf(
	contents: BackupContents,
): readonly (readonly [string, string])[] {
	return [
		[
			"made",
			`${showTime(contents.createdAt)} by sallyport ${contents.release}`,
		],
		["gateway", contents.instance],
		["address", contents.publicUrl ?? "none"],
		["owner", contents.owner ?? "none"],
		["people", String(contents.users)],
		["servers", contents.servers.join(", ") || "none"],
	];
}

function showSize(bytes: number): string {
	return bytes < 1024 * 1024
		? `${Math.ceil(bytes / 1024)} KiB`
		: `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
