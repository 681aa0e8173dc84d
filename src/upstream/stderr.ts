/**
 * The last lines that a child wrote to its standard error, for `servers logs`. Its own secrets are struck out of them
 * before they are kept, also where they stand quoted, encoded, or one line at a time.
 */
import type { Bytes } from "../message.ts";
import { createLineSplitter } from "./lines.ts";

const LINES_MAX = 500;
const LINE_BYTES_MAX = 8 * 1024;
/** Shorter ones would strike out half the text and hide little. */
const REDACTED_LENGTH_MIN = 4;

/** A ring of the last lines. It outlives the child, so that one that ended at once can be explained. */
export class Lines {
	readonly #lines: string[] = [];

	add(line: string): void {
		this.#lines.push(line);
		if (this.#lines.length > LINES_MAX) this.#lines.shift();
	}

	/** Oldest first. */
	list(): readonly string[] {
		return [...this.#lines];
	}
}

/** Reads a stream to its end into the ring. */
export async function collectLines(
	stream: ReadableStream<Bytes>,
	secrets: readonly string[],
	lines: Lines,
): Promise<void> {
	const redact = createRedactor(secrets);
	const splitter = createLineSplitter({
		bytesMax: LINE_BYTES_MAX,
		// A piece of a line might hold a piece of a secret, which nothing would recognise.
		onTooLong: () => lines.add("[a line that is too long was left out]"),
		onLine: (line) => lines.add(redact(Buffer.from(line).toString("utf8"))),
	});
	for await (const chunk of stream) splitter.push(chunk);
	splitter.end();
}

/** Strikes secret values out of a text. */
export function createRedactor(
	secrets: readonly string[],
): (text: string) => string {
	const needles = [...new Set(secrets.flatMap(spellings))]
		.filter((needle) => needle.length >= REDACTED_LENGTH_MIN)
		.toSorted((a, b) => b.length - a.length);
	return (text) =>
		needles.reduce((rest, needle) => rest.replaceAll(needle, "[secret]"), text);
}

function spellings(secret: string): readonly string[] {
	return [
		secret,
		...secret.split(/\r?\n/),
		JSON.stringify(secret).slice(1, -1),
		encodeURIComponent(secret),
		Buffer.from(secret).toString("base64").replace(/=+$/, ""),
		Buffer.from(secret).toString("base64url"),
		Buffer.from(secret).toString("hex"),
	];
}
