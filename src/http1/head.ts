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
	/** By lower-case name; values of repeated lines joined with a comma. */
	readonly headers: ReadonlyMap<string, string>;
	readonly framing: Framing;
	/** Another request may follow on the connection. */
	readonly persistent: boolean;
};

/** How the body ends: after so many bytes, by its last chunk, or with the connection. */
export type Framing = number | "chunked" | "close";

const LINES_MAX = 200;
const STATUS_LINE =
	/^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a value must not hold
const FORBIDDEN_IN_VALUE = /[\x00-\x08\x0a-\x1f\x7f]/;
const LENGTH = /^\d{1,15}$/;
/** Of these there is one, or nobody knows which one counts. */
const SINGLE = new Set(["content-length", "transfer-encoding", "content-type"]);

/**
 * Reads a head, without the empty line that ends it.
 * @param text in Latin-1
 * @throws SallyportError `upstream` when it is malformed or ambiguous
 */
export function parseHead(text: string): Head {
	const lines = text.split("\r\n");
	const start = STATUS_LINE.exec(lines[0] as string);
	if (!start) throw malformed("its first line is no status line");
	if (lines.length > LINES_MAX) throw malformed("it has too many headers");
	const headers = new Map<string, string>();
	for (let at = 1; at < lines.length; at++)
		addLine(headers, lines[at] as string);
	const status = Number(start[2]);
	const modern = start[1] === "1";
	const framing = framingOf(status, headers, modern);
	return {
		status,
		headers,
		framing,
		persistent:
			modern &&
			framing !== "close" &&
			!hasToken(headers.get("connection"), "close"),
	};
}

function addLine(headers: Map<string, string>, line: string): void {
	const colon = line.indexOf(":");
	const name = line.slice(0, Math.max(0, colon)).toLowerCase();
	// White space before the colon, and lines that continue another, are how heads are smuggled (RFC 9112 5.1, 5.2).
	if (!NAME.test(name)) throw malformed("a header has no proper name");
	const value = line.slice(colon + 1).trim();
	if (FORBIDDEN_IN_VALUE.test(value))
		throw malformed("a header holds a control character");
	const known = headers.get(name);
	if (known !== undefined && SINGLE.has(name))
		throw malformed(`it says ${name} twice`);
	headers.set(name, known === undefined ? value : `${known}, ${value}`);
}

function framingOf(
	status: number,
	headers: ReadonlyMap<string, string>,
	modern: boolean,
): Framing {
	const length = headers.get("content-length");
	const encoding = headers.get("transfer-encoding");
	if (length !== undefined && !LENGTH.test(length))
		throw malformed("its length is no number");
	if (encoding !== undefined) {
		if (length !== undefined || !modern)
			throw malformed("it says its length in two ways");
		if (encoding.toLowerCase() !== "chunked")
			throw malformed("its transfer coding is not known");
	}
	if (status < 200 || status === 204 || status === 304) return 0;
	if (encoding !== undefined) return "chunked";
	return length === undefined ? "close" : Number(length);
}

function hasToken(value: string | undefined, token: string): boolean {
	if (value === undefined) return false;
	return value
		.toLowerCase()
		.split(",")
		.some((part) => part.trim() === token);
}
