/**
 * `sallyport completion bash|zsh|fish`: what a shell needs to finish a command that is being typed, made from the table
 * of commands. Nouns, verbs and flags are completed; what follows them are names and files, which the shell knows best.
 */
import { SallyportError } from "../errors.ts";
import { COMMON_FLAGS, type Command, type Flag } from "./command.ts";

/** How the help lists it; it is `cli.ts` that has the table. */
export const completionCommand: Command = {
	noun: "completion",
	verb: null,
	summary: "finish commands that are typed in bash, zsh or fish",
	words: ["SHELL"],
	flags: [],
	examples: [
		"sallyport completion bash > /etc/bash_completion.d/sallyport",
		"sallyport completion zsh > /usr/local/share/zsh/site-functions/_sallyport",
		"sallyport completion fish > ~/.config/fish/completions/sallyport.fish",
	],
	run: () => {
		throw new SallyportError("internal", "completion is not run from here");
	},
};

const SHELLS: Readonly<
	Record<string, (commands: readonly Command[]) => string>
> = { bash, zsh, fish };

/** A script for the shell to read. @throws SallyportError `invalid` for a shell that is not known */
export function completionScript(
	shell: string | undefined,
	commands: readonly Command[],
): string {
	const script = SHELLS[shell ?? ""];
	if (script) return script(commands);
	throw new SallyportError("invalid", `there is no completion for ${shell}`, {
		hint: "use bash, zsh or fish",
	});
}

/** What may follow which words: `""` for nouns, `servers` for its verbs, `servers add` for its flags. */
function candidates(
	commands: readonly Command[],
): readonly (readonly [string, readonly string[]])[] {
	const nouns = [...new Set(commands.map(({ noun }) => noun))];
	const verbs = nouns.map((noun): [string, string[]] => [
		noun,
		commands
			.filter((row) => row.noun === noun)
			.flatMap(({ verb }) => (verb === null ? [] : [verb])),
	]);
	const flags = commands.map((row): [string, string[]] => [
		row.verb === null ? row.noun : `${row.noun} ${row.verb}`,
		flagsOf(row).map(({ name }) => `--${name}`),
	]);
	const found = new Map<string, string[]>([["", nouns]]);
	for (const [after, words] of [...verbs, ...flags])
		found.set(after, [...(found.get(after) ?? []), ...words]);
	return [...found];
}

function flagsOf({ flags }: Command): readonly Flag[] {
	return [...flags, ...COMMON_FLAGS];
}

/** Words come from our own table: letters and dashes, nothing a shell would read as more. */
function bash(commands: readonly Command[]): string {
	const cases = candidates(commands)
		.map(([after, words]) => `\t\t"${after}") words="${words.join(" ")}" ;;\n`)
		.join("");
	return `# sallyport completion for bash
_sallyport() {
	local current=\${COMP_WORDS[COMP_CWORD]} before="" at words=""
	for ((at = 1; at < COMP_CWORD && at < 3; at++)); do
		case \${COMP_WORDS[at]} in
			-*) break ;;
			*) before="\${before:+$before }\${COMP_WORDS[at]}" ;;
		esac
	done
	case $before in
${cases}		*) before=\${before%% *} ;;
	esac
	if [ -z "$words" ]; then
		case $before in
${cases}		esac
	fi
	COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _sallyport sallyport
`;
}

/** zsh reads what was made for bash. */
function zsh(commands: readonly Command[]): string {
	return `#compdef sallyport
autoload -U +X bashcompinit && bashcompinit
${bash(commands)}`;
}

function fish(commands: readonly Command[]): string {
	const nouns = new Map(
		commands.map(({ noun, verb, summary }) => [
			noun,
			verb === null ? summary : "",
		]),
	);
	const lines = [
		...[...nouns].map(([noun, summary]) =>
			complete("__fish_use_subcommand", `-f -a ${noun}`, summary),
		),
		...commands.flatMap((row) => {
			const seen = `__fish_seen_subcommand_from ${row.noun}`;
			const within =
				row.verb === null
					? seen
					: `${seen}; and __fish_seen_subcommand_from ${row.verb}`;
			return [
				...(row.verb === null
					? []
					: [complete(seen, `-f -a ${row.verb}`, row.summary)]),
				...flagsOf(row).map(({ name, value, summary }) =>
					complete(within, `-l ${name}${value ? " -r" : ""}`, summary),
				),
			];
		}),
	];
	return `# sallyport completion for fish\n${lines.join("\n")}\n`;
}

function complete(when: string, what: string, summary: string): string {
	const quoted = summary.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
	return `complete -c sallyport -n '${when}' ${what} -d '${quoted}'`;
}
