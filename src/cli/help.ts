/** The help, made from the table of commands: usage, flags, and examples that can be pasted. */
import { COMMON_FLAGS, type Command, type Flag, nameOf } from "./command.ts";

const INDENT = "  ";

/** Help for everything, for a noun, or for one command. */
export function helpText(
	commands: readonly Command[],
	topic: readonly string[],
): string {
	const [noun, verb] = topic;
	if (noun === undefined) return overview(commands);
	const rows = commands.filter((command) => command.noun === noun);
	const exact = rows.find((command) => command.verb === (verb ?? null));
	if (exact) return details(exact);
	return [
		`sallyport ${noun} VERB`,
		"",
		...columns(rows.map((command) => [synopsis(command), command.summary])),
		"",
		`more: sallyport ${noun} VERB --help`,
		"",
	].join("\n");
}

function overview(commands: readonly Command[]): string {
	return [
		"sallyport: one gate to all your MCP servers",
		"",
		...columns(commands.map((command) => [nameOf(command), command.summary])),
		"",
		"with every command:",
		...columns(COMMON_FLAGS.map((flag) => [spell(flag), flag.summary])),
		"",
		"begin with:",
		`${INDENT}sallyport serve`,
		`${INDENT}sallyport setup-link`,
		`${INDENT}sallyport servers add memory --npm @modelcontextprotocol/server-memory`,
		"",
	].join("\n");
}

function details(command: Command): string {
	return [
		`sallyport ${synopsis(command)}${command.flags.length > 0 ? " [FLAGS]" : ""}${command.takesRest ? " [-- ARG…]" : ""}`,
		"",
		`${INDENT}${command.summary}`,
		"",
		"flags:",
		...columns(
			[...command.flags, ...COMMON_FLAGS].map((flag) => [
				spell(flag),
				flag.summary,
			]),
		),
		"",
		"examples:",
		...command.examples.map((example) => `${INDENT}${example}`),
		"",
	].join("\n");
}

function synopsis(command: Command): string {
	return [nameOf(command), ...command.words].join(" ");
}

function spell(flag: Flag): string {
	return `--${flag.name}${flag.value === undefined ? "" : ` ${flag.value}`}${flag.repeat ? " …" : ""}`;
}

function columns(
	rows: readonly (readonly [string, string])[],
): readonly string[] {
	const width = Math.max(...rows.map(([left]) => left.length));
	return rows.map(
		([left, right]) => `${INDENT}${left.padEnd(width)}${INDENT}${right}`,
	);
}
