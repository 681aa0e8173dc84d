/** From the command line's words to a command and what was typed for it. It runs nothing and prints nothing. */
import { nearest } from "../config.ts";
import { SallyportError } from "../errors.ts";
import {
	COMMON_FLAGS,
	type Command,
	type Flag,
	nameOf,
	type Typed,
} from "./command.ts";

const SECRET_FLAG = /password|secret|token|key/i;

export type Parsed =
	| { readonly kind: "help"; readonly topic: readonly string[] }
	| { readonly kind: "run"; readonly command: Command; readonly typed: Typed };

/** Reads the words. @throws SallyportError `invalid`, with the nearest thing that exists as its hint */
export function parseWords(
	argv: readonly string[],
	commands: readonly Command[],
): Parsed {
	const end = argv.indexOf("--");
	const before = end < 0 ? argv : argv.slice(0, end);
	const rest = end < 0 ? null : argv.slice(end + 1);
	const nouns = [...new Set(commands.map((command) => command.noun))];

	const topic = before.filter((word) => !word.startsWith("-"));
	if (
		topic.length === 0 &&
		before.every((word) =>
			COMMON_FLAGS.some((flag) => word === `--${flag.name}`),
		)
	)
		return { kind: "help", topic: [] };
	const { names, others } = takeNames(before, commands);
	const [noun, verb] = names;
	if (noun === undefined || !nouns.includes(noun)) {
		const fitting = nouns.filter((name) =>
			commands.some((row) => row.noun === name && row.verb === verb),
		);
		throw unknown(
			"command",
			noun ?? "",
			nouns,
			fitting.length > 0 ? fitting : nouns,
		);
	}
	const wantsHelp = others.some((word) => word === "--help" || word === "-h");
	const command = commands.find(
		(row) => row.noun === noun && row.verb === (verb ?? null),
	);
	if (command) {
		if (wantsHelp) return { kind: "help", topic: names };
		return { kind: "run", command, typed: readTyped(command, others, rest) };
	}
	const verbs = commands.flatMap((row) =>
		row.noun === noun && row.verb !== null ? [row.verb] : [],
	);
	if (verb !== undefined) throw unknown(`verb of ${noun}`, verb, verbs);
	if (wantsHelp) return { kind: "help", topic: names };
	throw new SallyportError("invalid", `${noun} needs a verb`, {
		hint: `one of ${verbs.join(", ")}`,
	});
}

/** The noun and the verb are the first words that are not flags; common flags may stand before them. */
function takeNames(
	words: readonly string[],
	commands: readonly Command[],
): { readonly names: readonly string[]; readonly others: readonly string[] } {
	const names: string[] = [];
	const others: string[] = [];
	let wanted = 2;
	for (let index = 0; index < words.length; index++) {
		const word = words[index] as string;
		if (names.length >= wanted)
			return { names, others: [...others, ...words.slice(index)] };
		if (word.startsWith("-")) {
			others.push(word);
			const flag = COMMON_FLAGS.find(({ name }) => word === `--${name}`);
			if (flag?.value !== undefined && index + 1 < words.length)
				others.push(words[++index] as string);
			continue;
		}
		names.push(word);
		if (
			commands.some((command) => command.noun === word && command.verb === null)
		)
			wanted = names.length;
	}
	return { names, others };
}

function readTyped(
	command: Command,
	tokens: readonly string[],
	rest: readonly string[] | null,
): Typed {
	const flags = [...command.flags, ...COMMON_FLAGS];
	const given = new Map<string, string[]>();
	const words: string[] = [];
	for (let index = 0; index < tokens.length; index++) {
		const token = tokens[index] as string;
		if (!token.startsWith("-") || token === "-") {
			words.push(token);
			continue;
		}
		const flag = findFlag(command, flags, token);
		const inline = token.includes("=")
			? token.slice(token.indexOf("=") + 1)
			: undefined;
		const values = given.get(flag.name) ?? [];
		if (values.length > 0 && !flag.repeat)
			throw new SallyportError(
				"invalid",
				`the flag --${flag.name} stands twice`,
				{ hint: "give it once" },
			);
		given.set(flag.name, [
			...values,
			flagValue(flag, inline, () => tokens[++index]),
		]);
	}
	checkWords(command, words);
	if (rest !== null && !command.takesRest)
		throw new SallyportError(
			"invalid",
			`${nameOf(command)} takes nothing after --`,
			{ hint: helpOf(command) },
		);
	return {
		words,
		rest: rest ?? [],
		has: (name) => given.has(name),
		one: (name) => given.get(name)?.[0],
		many: (name) => given.get(name) ?? [],
	};
}

function findFlag(
	command: Command,
	flags: readonly Flag[],
	token: string,
): Flag {
	const name = token.split("=")[0]?.replace(/^--?/, "") ?? "";
	const flag = token.startsWith("--")
		? flags.find((candidate) => candidate.name === name)
		: undefined;
	if (flag) return flag;
	const near = nearest(
		name,
		flags.map((candidate) => candidate.name),
	);
	const secret = SECRET_FLAG.test(name)
		? "secrets are read from standard input or a file; "
		: "";
	throw new SallyportError(
		"invalid",
		`${nameOf(command)} has no flag --${name}`,
		{
			hint:
				secret + (near === null ? helpOf(command) : `did you mean --${near}`),
		},
	);
}

function flagValue(
	flag: Flag,
	inline: string | undefined,
	next: () => string | undefined,
): string {
	if (flag.value === undefined) {
		if (inline === undefined) return "";
		throw new SallyportError(
			"invalid",
			`the flag --${flag.name} takes no value`,
			{ hint: `--${flag.name}` },
		);
	}
	const value = inline ?? next();
	// A value that looks like a flag is far more often a forgotten value; `--x=--y` says that it is meant.
	if (value === undefined || (inline === undefined && value.startsWith("--")))
		throw new SallyportError(
			"invalid",
			`the flag --${flag.name} needs a value`,
			{
				hint: `--${flag.name} ${flag.value}`,
			},
		);
	return value;
}

function checkWords(command: Command, words: readonly string[]): void {
	const missing = command.words[words.length];
	if (missing !== undefined && !missing.startsWith("["))
		throw new SallyportError("invalid", `${nameOf(command)} needs ${missing}`, {
			hint: helpOf(command),
		});
	const isOpen = command.words.at(-1)?.includes("…") === true;
	// Never repeated: what stands where nothing is expected may be a secret.
	if (words.length > command.words.length && !isOpen)
		throw new SallyportError(
			"invalid",
			`${nameOf(command)} was given a word too many`,
			{
				hint: helpOf(command),
			},
		);
}

/** @param likely where to look for what was meant; the nearest in length wins among the equally near */
function unknown(
	what: string,
	word: string,
	candidates: readonly string[],
	likely: readonly string[] = candidates,
): SallyportError {
	const distance = (candidate: string): number =>
		Math.abs(candidate.length - word.length);
	const near = nearest(
		word,
		[...likely].sort((a, b) => distance(a) - distance(b)),
	);
	return new SallyportError("invalid", `there is no ${what} named ${word}`, {
		hint:
			near === null
				? `one of ${candidates.join(", ")}`
				: `did you mean ${near}`,
	});
}

function helpOf(command: Command): string {
	return `see sallyport ${nameOf(command)} --help`;
}
