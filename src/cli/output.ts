/**
 * Everything the command line prints (the door to stdout, and to files that it is told to write). Data goes to stdout, words about it to stderr; colour
 * only on a terminal. Text that came from a server is shown without control characters: it must not drive a terminal.
 */
import { writeFileSync } from "node:fs";
import { asExpected, type ErrorCode, SallyportError } from "../errors.ts";

/** The world as a command sees it; tests give another. */
export type Io = {
	readonly stdout: (text: string) => void;
	readonly stderr: (text: string) => void;
	readonly stdin: () => ReadableStream<Uint8Array>;
	readonly env: Readonly<Record<string, string | undefined>>;
	/** Which of the three are a terminal. */
	readonly isTty: {
		readonly stdin: boolean;
		readonly stdout: boolean;
		readonly stderr: boolean;
	};
};

const BOLD = "\u001b[1m";
const RED = "\u001b[31m";
const YELLOW = "\u001b[33m";
const RESET = "\u001b[0m";
const GAP = "  ";

/** The process's own streams. @param env the process's environment, which only `main.ts` may read */
export function processIo(env: Io["env"]): Io {
	return {
		stdout: (text) => void process.stdout.write(text),
		stderr: (text) => void process.stderr.write(text),
		stdin: () => Bun.stdin.stream(),
		env,
		isTty: {
			stdin: process.stdin.isTTY === true,
			stdout: process.stdout.isTTY === true,
			stderr: process.stderr.isTTY === true,
		},
	};
}

/** One JSON document. @param indent for one that people will read and change */
export function printJson(io: Io, value: unknown, indent = 0): void {
	io.stdout(`${JSON.stringify(value, null, indent)}\n`);
}

/**
 * A new file that only its owner may read, for what is handed on. @throws SallyportError `conflict` when it exists
 */
export function printToFile(path: string, text: string): void {
	try {
		writeFileSync(path, text, { flag: "wx", mode: 0o600 });
	} catch (cause) {
		const isThere = (cause as { code?: unknown }).code === "EEXIST";
		throw new SallyportError(
			isThere ? "conflict" : "invalid",
			isThere ? `${path} exists` : `${path} cannot be written`,
			{
				hint: isThere
					? "name another file; nothing is overwritten"
					: "name a file in a folder that you may write to",
				cause,
			},
		);
	}
}

/** One line of data. */
export function printLine(io: Io, text: string): void {
	io.stdout(`${plain(text)}\n`);
}

/** A line about what is going on, which is not data. */
export function printNote(io: Io, text: string): void {
	io.stderr(`${plain(text)}\n`);
}

/** Rows under a heading, in columns; nothing but `empty` on stderr when there are none. */
export function printTable(
	io: Io,
	heading: readonly string[],
	rows: readonly (readonly string[])[],
	empty: string,
): void {
	if (rows.length === 0) {
		printNote(io, empty);
		return;
	}
	const cells = [heading, ...rows].map((row) =>
		row.map((cell) => plain(cell).replaceAll(/\s+/g, " ")),
	);
	const widths = heading.map((_, column) =>
		Math.max(...cells.map((row) => (row[column] ?? "").length)),
	);
	for (const [index, row] of cells.entries()) {
		const line = row
			.map((cell, column) => cell.padEnd(widths[column] ?? 0))
			.join(GAP)
			.trimEnd();
		io.stdout(`${index === 0 ? paint(io, "stdout", BOLD, line) : line}\n`);
	}
}

/** How something is, in a word before it. */
export function printVerdict(
	io: Io,
	severity: "ok" | "notice" | "warning" | "error",
	code: string,
	text: string,
): void {
	const colour = { ok: "", notice: "", warning: YELLOW, error: RED }[severity];
	const word = severity.padEnd(8);
	io.stdout(
		`${colour === "" ? word : paint(io, "stdout", colour, word)} ${plain(`${code}: ${text}`)}\n`,
	);
}

/** Names and values, one a line. */
export function printFacts(
	io: Io,
	facts: readonly (readonly [string, string])[],
): void {
	const width = Math.max(...facts.map(([name]) => name.length));
	for (const [name, value] of facts)
		io.stdout(`${name.padEnd(width)}${GAP}${plain(value)}\n`);
}

/** `1 tool`, `3 tools`. */
export function countOf(count: number, noun: string): string {
	return `${count} ${count === 1 ? noun : `${noun}s`}`;
}

/** A failure: two lines on stderr, or one JSON object (contract.md 2). */
export function printError(io: Io, error: SallyportError, json: boolean): void {
	const { code, message, hint } = error;
	if (json) {
		io.stderr(`${JSON.stringify({ error: { code, message, hint } })}\n`);
		return;
	}
	io.stderr(
		`sallyport: ${paint(io, "stderr", RED, "error:")} ${oneLine(message)}\n`,
	);
	if (hint !== undefined) io.stderr(`sallyport: hint: ${oneLine(hint)}\n`);
}

/** Something that did not stop the command and that its user should know. */
export function printWarning(
	io: Io,
	warning: { readonly message: string; readonly hint?: string | undefined },
): void {
	io.stderr(
		`sallyport: ${paint(io, "stderr", YELLOW, "warning:")} ${oneLine(warning.message)}\n`,
	);
	if (warning.hint !== undefined)
		io.stderr(`sallyport: hint: ${oneLine(warning.hint)}\n`);
}

/** What any thrown value is to the person who typed the command. */
export function asFailure(error: unknown): SallyportError {
	const expected = asExpected(error);
	if (expected !== null) return expected;
	const code: ErrorCode = "internal";
	return new SallyportError(
		code,
		`internal error: ${error instanceof Error ? error.message : String(error)}`,
		{
			hint: "this is a bug in sallyport; its maintainers want to know",
			cause: error,
		},
	);
}

/** A moment, for people. @param at seconds, or null for never */
export function showTime(at: number | null): string {
	return at === null
		? "never"
		: new Date(at * 1000).toISOString().replace("T", " ").slice(0, 16);
}

/** Without control and invisible formatting characters, but for line ends and tabs. */
function plain(text: string): string {
	return text.replaceAll(/[^\P{C}\n\t]/gu, "");
}

function oneLine(text: string): string {
	return plain(text).replaceAll(/\s+/g, " ").trim();
}

function paint(
	io: Io,
	stream: "stdout" | "stderr",
	colour: string,
	text: string,
): string {
	const wanted =
		io.isTty[stream] &&
		io.env["NO_COLOR"] === undefined &&
		io.env["TERM"] !== "dumb";
	return wanted ? `${colour}${text}${RESET}` : text;
}
