/**
 * What a command is: one row of a table that drives parsing, help and suggestions alike. A noun's file holds its
 * rows; nothing else knows which flags a command has.
 */
import type { Config } from "../config.ts";
import type { Database } from "../store/database.ts";
import type { Vault } from "../vault.ts";
import type { Client } from "./client.ts";
import type { Io } from "./output.ts";

export type Flag = {
	/** Without its dashes. */
	readonly name: string;
	/** What stands for its value in the help; a flag without one is a switch. */
	readonly value?: string;
	/** May stand more than once. */
	readonly repeat?: true;
	readonly summary: string;
};

export type Command = {
	readonly noun: string;
	/** Null for a noun that is a command by itself (`version`). */
	readonly verb: string | null;
	readonly summary: string;
	/** The words that must follow, `SLUG SLOT`; one in brackets may be left out, one with `…` repeated. */
	readonly words: readonly string[];
	/** Whether everything after `--` belongs to someone else. */
	readonly takesRest?: true;
	readonly flags: readonly Flag[];
	readonly examples: readonly string[];
	readonly run: (context: Context) => Promise<void>;
};

/** What was typed, after it was found to fit the command. */
export type Typed = {
	readonly words: readonly string[];
	readonly rest: readonly string[];
	readonly has: (flag: string) => boolean;
	readonly one: (flag: string) => string | undefined;
	readonly many: (flag: string) => readonly string[];
};

export type Context = Typed & {
	readonly io: Io;
	/** Machine output: one JSON document on stdout. */
	readonly json: boolean;
	/** The running service, over its admin socket. */
	readonly client: Client;
	/** `--data-dir` as configuration flags, for commands that open the data themselves. */
	readonly configFlags: readonly string[];
	readonly program: Program;
};

/** What the command line is given of the rest of the program. */
export type Program = {
	readonly version: string;
	/** Opens the data of a service that is not running. @throws SallyportError `conflict` when it is */
	readonly openData: (config: Config) => {
		readonly db: Database;
		readonly vault: Vault;
		readonly close: () => void;
	};
};

/** Flags of every command. */
export const COMMON_FLAGS: readonly Flag[] = [
	{
		name: "json",
		summary: "one JSON document on stdout, errors as JSON on stderr",
	},
	{
		name: "data-dir",
		value: "DIR",
		summary: "where the gateway keeps its data",
	},
	{ name: "help", summary: "this text" },
];

/** The flag of commands that cannot be undone. */
export const YES: Flag = { name: "yes", summary: "do not ask" };

/** `servers add`, or `version`. */
export function nameOf(command: Command): string {
	return command.verb === null
		? command.noun
		: `${command.noun} ${command.verb}`;
}
