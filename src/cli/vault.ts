/** `sallyport vault …`: the keys that everything stored is sealed with. It needs the data to itself, so the service is stopped. */
import { systemClock } from "../clock.ts";
import { parseConfig } from "../config.ts";
import { replaceMasterKey, rotateDataKey } from "../ops/rotate.ts";
import type { Database } from "../store/database.ts";
import { listKeyring } from "../store/instance.ts";
import type { Command, Context } from "./command.ts";
import {
	printJson,
	printLine,
	printNote,
	printTable,
	showTime,
} from "./output.ts";

/** Commands about keys. */
export const vaultCommands: readonly Command[] = [
	{
		noun: "vault",
		verb: "status",
		summary:
			"the keys of the keyring, without the keys (the service is stopped)",
		words: [],
		flags: [],
		examples: ["sallyport vault status"],
		run: status,
	},
	{
		noun: "vault",
		verb: "rotate",
		summary:
			"seal everything with a fresh key and forget the former one (the service is stopped)",
		words: [],
		flags: [],
		examples: ["sallyport vault rotate"],
		run: rotate,
	},
	{
		noun: "vault",
		verb: "rekey",
		summary:
			"make another master key; the recovery kit changes with it (the service is stopped)",
		words: [],
		flags: [],
		examples: [
			"sallyport vault rekey",
			"SALLYPORT_KEK_FILE=/etc/sallyport/master.key sallyport vault rekey",
		],
		run: rekey,
	},
];

/** The data directory to ourselves, for as long as the work takes. @throws SallyportError `conflict` while the service runs */
function withData<T>(
	{ io, configFlags, program }: Context,
	work: (db: Database, kekFile: string) => T,
): T {
	const config = parseConfig(configFlags, io.env);
	const data = program.openData(config);
	try {
		return work(data.db, config.kekFile);
	} finally {
		data.close();
	}
}

async function status(context: Context): Promise<void> {
	const { io, json } = context;
	const keys = withData(context, listKeyring).map(
		({ keyId, purpose, state, createdAt }) => ({
			keyId,
			purpose,
			state,
			createdAt,
		}),
	);
	if (json) return printJson(io, { keys });
	printTable(
		io,
		["KEY", "PURPOSE", "STATE", "MADE"],
		keys.map(({ keyId, purpose, state, createdAt }) => [
			String(keyId),
			purpose,
			state,
			showTime(createdAt),
		]),
		"no keys",
	);
}

async function rotate(context: Context): Promise<void> {
	const { io, json } = context;
	const rotation = withData(context, (db, kekFile) =>
		rotateDataKey(db, kekFile, systemClock.now()),
	);
	if (json) return printJson(io, rotation);
	const { resealed, keyId } = rotation;
	printLine(io, `${resealed} values are sealed with key ${keyId} now`);
}

async function rekey(context: Context): Promise<void> {
	const { io, json } = context;
	const masterKey = withData(context, (db, kekFile) => {
		replaceMasterKey(db, kekFile);
		return kekFile;
	});
	if (json) return printJson(io, { masterKey });
	printLine(io, `${masterKey} is another master key now`);
	printNote(
		io,
		"the recovery code changed with it: save a new kit (sallyport recovery-kit) and make a backup; older backups open with the older kit",
	);
}
