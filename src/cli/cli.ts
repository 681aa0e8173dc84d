/**
 * The command line: words in, an exit code out. One table of commands drives parsing, help and suggestions; every
 * failure ends here, as two lines or one JSON object on stderr, and as its exit code (contract.md 2).
 */
import { parseConfig } from "../config.ts";
import { exitCode } from "../errors.ts";
import { auditCommands } from "./audit.ts";
import { backupCommands } from "./backups.ts";
import { certificateCommands } from "./certificate.ts";
import { createClient } from "./client.ts";
import { clientCommands } from "./clients.ts";
import type { Command, Program } from "./command.ts";
import { completionCommand, completionScript } from "./completion.ts";
import { configCommands } from "./config.ts";
import { connectionCommands } from "./connections.ts";
import { doctorCommands } from "./doctor.ts";
import { grantCommands } from "./grants.ts";
import { helpText } from "./help.ts";
import { identityProviderCommands } from "./identity-provider.ts";
import { keyCommands } from "./keys.ts";
import { asFailure, type Io, printError } from "./output.ts";
import { panicCommands } from "./panic.ts";
import { type Parsed, parseWords } from "./parse.ts";
import { secretCommands } from "./secrets.ts";
import { serverCommands } from "./servers.ts";
import { setupCommands } from "./setup.ts";
import { toolSettingCommands } from "./tool-settings.ts";
import { toolCommands } from "./tools.ts";
import { toolsetCommands } from "./toolsets.ts";
import { userCommands } from "./users.ts";
import { vaultCommands } from "./vault.ts";
import { programCommands } from "./version.ts";

const [SERVE, ...ABOUT] = programCommands;

/** Everything the command line can do, in the order of the help. */
const COMMANDS: readonly Command[] = [
	...(SERVE ? [SERVE] : []),
	...setupCommands,
	...serverCommands,
	...secretCommands,
	...connectionCommands,
	...toolCommands,
	...toolSettingCommands,
	...toolsetCommands,
	...userCommands,
	...identityProviderCommands,
	...clientCommands,
	...grantCommands,
	...keyCommands,
	...auditCommands,
	...configCommands,
	...certificateCommands,
	...backupCommands,
	...vaultCommands,
	...doctorCommands,
	...panicCommands,
	...ABOUT,
	completionCommand,
];

/**
 * Runs what was typed.
 * @param argv without the program's own name; never `serve`, which is `main.ts`'s (but `serve --help` is ours)
 * @returns the exit code
 */
export async function runCli(
	argv: readonly string[],
	io: Io,
	program: Program,
): Promise<number> {
	const end = argv.indexOf("--");
	const json = (end < 0 ? argv : argv.slice(0, end)).includes("--json");
	try {
		const parsed = parseWords(spelledOut(argv), COMMANDS);
		if (parsed.kind === "help") io.stdout(helpText(COMMANDS, parsed.topic));
		else if (parsed.command.noun === "help")
			io.stdout(helpText(COMMANDS, knownTopic(parsed.typed.words)));
		else if (parsed.command === completionCommand)
			io.stdout(completionScript(parsed.typed.words[0], COMMANDS));
		else await run(parsed, io, json, program);
		return 0;
	} catch (error) {
		const failure = asFailure(error);
		printError(io, failure, json);
		return exitCode(failure.code);
	}
}

async function run(
	{ command, typed }: Extract<Parsed, { kind: "run" }>,
	io: Io,
	json: boolean,
	program: Program,
): Promise<void> {
	const dataDir = typed.one("data-dir");
	const configFlags = dataDir === undefined ? [] : ["--data-dir", dataDir];
	const client = createClient(() => parseConfig(configFlags, io.env));
	await command.run({ ...typed, io, json, client, configFlags, program });
}

/** The spellings that people try first. */
function spelledOut(argv: readonly string[]): readonly string[] {
	const [first] = argv;
	if (first === "--version" || first === "-V")
		return ["version", ...argv.slice(1)];
	if (first === "-h") return ["--help", ...argv.slice(1)];
	return argv;
}

/** The topic of `help …`, judged like the command itself would be. @throws SallyportError `invalid` */
function knownTopic(words: readonly string[]): readonly string[] {
	if (words.length === 0) return [];
	const parsed = parseWords([...words, "--help"], COMMANDS);
	return parsed.kind === "help" ? parsed.topic : [];
}
