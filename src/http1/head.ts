/**
 * The head of an answer: a status and headers, and from them alone how long the body is. Whatever two readers could
 * understand differently is refused, because what one takes for the end of an answer the other takes for the
 * beginning of the next, and that one may be somebody else's.
 *
 * @see RFC 9112 2 to 6, RFC 9110 5
 */
import { malformed } from "./failure.ts";

export type Head = {
	readonly status: number;
	/** The value of a header by its lower-case name, the first line of it; null when there is none. */
	readonly header: (name: string) => string | null;
	readonly framing: Framing;
	/** Another request may follow on the connection. */
	readonly persistent: boolean;
};

/** How the body ends: after so many bytes, by its last chunk, or with the connection. */
export type Framing = number | "chunked" | "close";

const STATUS_LINE =
	/^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?(?=\r\n|$)/;
/** What follows it: white space before a colon, and lines that continue another, are how heads are smuggled. */
const LINES = /^(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*)*$/;
const NAMED_LINE = /^\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:/;
const LENGTH = /^\d{1,15}$/;

/**
 * Reads a head, without the empty line that ends it. Looked at as a whole: values are cut out when they are asked for.
 * @param text in Latin-1
 * @throws SallyportError `upstream` when it is malformed or ambiguous
 */
export function parseHead(text: string): Head {
	const start = STATUS_LINE.exec(text);
	if (!start) throw malformed("its first line is no status line");
	const lines = text.slice(start[0].length);
	if (!LINES.test(lines)) throw malformed(faultOf(lines));
	const names = lines.toLowerCase();
	const status = Number(start[2]);
	const modern = start[1] === "1";
	const framing = framingOf(status, lines, names, modern);
	return {
		status,
		header: (name) => fieldOf(lines, names, name),
		framing,
		persistent:
			modern &&
			framing !== "close" &&
			!hasClose(fieldOf(lines, names, "connection")),
	};
}

/** Which of its lines is at fault. */
function faultOf(lines: string): string {
	return lines
		.split(/(?=\r\n)/)
		.every((line) => line === "" || NAMED_LINE.test(line))
		? "a header holds a control character"
		: "a header has no proper name";
}

/** @param names the lines in lower case, in which names are looked for */
function fieldOf(lines: string, names: string, name: string): string | null {
	const at = names.indexOf(`\r\n${name}:`);
	if (at < 0) return null;
	const from = at + name.length + 3;
	const end = lines.indexOf("\r", from);
	return (end < 0 ? lines.slice(from) : lines.slice(from, end)).trim();
}

/** A header of which there is one, or nobody knows which one counts. */
function onlyFieldOf(
	lines: string,
	names: string,
	name: string,
): string | null {
	const value = fieldOf(lines, names, name);
	const field = `\r\n${name}:`;
	if (value !== null && names.indexOf(field) !== names.lastIndexOf(field))
		throw malformed(`it says ${name} twice`);
	return value;
}

function framingOf(
	status: number,
	lines: string,
	names: string,
	modern: boolean,
): Framing {
	const length = onlyFieldOf(lines, names, "content-length");
	const encoding = onlyFieldOf(lines, names, "transfer-encoding");
	if (length !== null && !LENGTH.test(length))
		throw malformed("its length is no number");
	if (encoding !== null) {
		if (length !== null || !modern)
			throw malformed("it says its length in two ways");
		if (encoding.toLowerCase() !== "chunked")
			throw malformed("its transfer coding is not known");
	}
	if (status < 200 || status === 204 || status === 304) return 0;
	if (encoding !== null) return "chunked";
	return length === null ? "close" : Number(length);
}

function hasClose(connection: string | null): boolean {
	return connection !== null && /(?:^|,)\s*close\s*(?:,|$)/i.test(connection);
}
