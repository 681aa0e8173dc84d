/**
 * What a person or a pipe gives a command: secrets, documents, a yes. Secrets come from standard input or a file,
 * never from an argument, where other users of the machine could read them. (A door: it reads the files it is named.)
 */
import { readFileSync, statSync } from "node:fs";
import { SallyportError } from "../errors.ts";
import type { Context } from "./command.ts";
import type { Io } from "./output.ts";

const INPUT_BYTES_MAX = 1024 * 1024;
const ANSWER_BYTES_MAX = 1024;

/**
 * The text of a file, or of standard input for `-`.
 * @throws SallyportError `invalid` when it cannot be read, is empty, too large or not UTF-8
 */
export async function readInput(
	io: Io,
	source: string,
	what: string,
): Promise<string> {
	if (source === "-" && io.isTty.stdin)
		throw new SallyportError(
			"invalid",
			`${what} is read from standard input, and that is a terminal`,
			{
				hint: "give it from a file: … < FILE",
			},
		);
	const bytes = source === "-" ? await readStdin(io) : readFile(source, what);
	if (bytes.length > INPUT_BYTES_MAX)
		throw new SallyportError("too_large", `${what} is larger than 1 MiB`, {
			hint: "check what you gave",
		});
	try {
		return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
	} catch {
		throw new SallyportError("invalid", `${what} is not UTF-8 text`, {
			hint: "check what you gave",
		});
	}
}

/** A secret: input without the line end that editors and `echo` put after it. @throws SallyportError `invalid` */
export async function readSecret(
	io: Io,
	source: string,
	what: string,
): Promise<string> {
	const secret = (await readInput(io, source, what)).replace(/\r?\n$/, "");
	if (secret === "")
		throw new SallyportError("invalid", `${what} is empty`, {
			hint: "give it from a file: … < FILE",
		});
	return secret;
}

/**
 * Asks before what cannot be undone, unless `--yes` was given.
 * @throws SallyportError `invalid` when there is nobody to ask, or the answer is no
 */
export async function confirm(
	context: Context,
	question: string,
): Promise<void> {
	const { io } = context;
	if (context.has("yes")) return;
	if (!io.isTty.stdin || !io.isTty.stderr)
		throw new SallyportError(
			"invalid",
			"this cannot be undone, and there is no terminal to ask on",
			{
				hint: "add --yes",
			},
		);
	io.stderr(`${question} [y/N] `);
	const answer = await readLine(io);
	if (!/^y(?:es)?$/i.test(answer.trim()))
		throw new SallyportError("invalid", "nothing was changed", {
			hint: "answer y, or add --yes",
		});
}

async function readStdin(io: Io): Promise<Uint8Array> {
	const parts: Uint8Array[] = [];
	let length = 0;
	for await (const part of io.stdin()) {
		parts.push(part);
		length += part.length;
		if (length > INPUT_BYTES_MAX) break;
	}
	return Buffer.concat(parts);
}

async function readLine(io: Io): Promise<string> {
	let text = "";
	for await (const part of io.stdin()) {
		text += new TextDecoder().decode(part);
		if (text.includes("\n") || text.length > ANSWER_BYTES_MAX) break;
	}
	return text.split("\n")[0] ?? "";
}

function readFile(path: string, what: string): Uint8Array {
	try {
		if (statSync(path).size <= INPUT_BYTES_MAX) return readFileSync(path);
	} catch (cause) {
		throw new SallyportError("invalid", `cannot read ${what} from ${path}`, {
			hint: "check that the file is there and that you may read it",
			cause,
		});
	}
	throw new SallyportError("too_large", `${what} is larger than 1 MiB`, {
		hint: "check what you gave",
	});
}
