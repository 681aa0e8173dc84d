/**
 * A reader of HTTP/1.1 answers that forgives nothing and shares no line with what it judges: what is not exactly an
 * answer as RFC 9112 writes it is an error, so that a test sees every byte too many, too few or out of place.
 */

export type RawAnswer = {
	readonly status: number;
	/** Every value of each header, by its lower-case name. */
	readonly headers: ReadonlyMap<string, readonly string[]>;
	/** The only value of a header; null when there is none. @throws Error when there are several */
	readonly header: (name: string) => string | null;
	/** A character for each byte. */
	readonly body: string;
	/** How many chunks it came in; null when it did not come in chunks. */
	readonly chunks: number | null;
	/** The statuses that came before. */
	readonly interim: readonly number[];
};

/** A whole answer, and where the next one begins. */
export type ReadAnswer = { readonly answer: RawAnswer; readonly end: number };

type Body = Pick<RawAnswer, "body" | "chunks"> & { readonly end: number };

const STATUS_LINE = /^HTTP\/1\.1 ([1-5]\d\d) [\t\x20-\x7e\x80-\xff]*$/;
const FIELD =
	/^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/;
const CHUNK_SIZE = /^[0-9a-f]{1,8}$/i;

/**
 * Reads the answer that stands first in what arrived, a character for each byte.
 * @param method of the request, because an answer to HEAD has no body
 * @param isOver nothing more arrives
 * @returns null while it is not complete
 * @throws Error for what is no answer, or was cut off
 */
export function readAnswer(
	text: string,
	method: string,
	isOver: boolean,
): ReadAnswer | null {
	const interim: number[] = [];
	let start = 0;
	for (;;) {
		const headEnd = text.indexOf("\r\n\r\n", start);
		if (headEnd < 0) return unfinished(text.slice(start), isOver);
		const { status, headers } = readHead(text.slice(start, headEnd));
		const header = (name: string): string | null => only(headers, name);
		start = headEnd + 4;
		if (status < 200) {
			interim.push(status);
			continue;
		}
		const framing = framingOf(status, method, header);
		const body = readBody(text, start, framing, isOver);
		if (!body) return unfinished(text.slice(start), isOver);
		const { end, ...rest } = body;
		return { answer: { status, headers, header, interim, ...rest }, end };
	}
}

/** Every answer in what arrived on a connection that is over. @throws Error when anything is left */
export function readAnswers(
	text: string,
	methods: readonly string[] = [],
): readonly RawAnswer[] {
	const answers: RawAnswer[] = [];
	for (let rest = text; rest !== ""; ) {
		const read = readAnswer(rest, methods[answers.length] ?? "GET", true);
		if (!read) throw new Error("an answer was cut off");
		answers.push(read.answer);
		rest = rest.slice(read.end);
	}
	return answers;
}

function unfinished(rest: string, isOver: boolean): null {
	if (isOver) throw new Error(`the answer was cut off: ${shown(rest)}`);
	return null;
}

function readHead(head: string): {
	readonly status: number;
	readonly headers: ReadonlyMap<string, readonly string[]>;
} {
	const [first = "", ...lines] = head.split("\r\n");
	const status = STATUS_LINE.exec(first)?.[1];
	if (status === undefined) throw new Error(`no status line: ${shown(first)}`);
	const headers = new Map<string, string[]>();
	for (const line of lines) {
		const [, name, value] = FIELD.exec(line) ?? [];
		if (name === undefined || value === undefined)
			throw new Error(`no header: ${shown(line)}`);
		const key = name.toLowerCase();
		headers.set(key, [...(headers.get(key) ?? []), value.trim()]);
	}
	return { status: Number(status), headers };
}

function only(
	headers: ReadonlyMap<string, readonly string[]>,
	name: string,
): string | null {
	const values = headers.get(name.toLowerCase()) ?? [];
	if (values.length > 1) throw new Error(`${name} stands there twice`);
	return values[0] ?? null;
}

/** @see RFC 9112 6.3 */
function framingOf(
	status: number,
	method: string,
	header: (name: string) => string | null,
): number | "chunked" | "close" {
	const coding = header("transfer-encoding");
	const length = header("content-length");
	if (coding !== null && length !== null)
		throw new Error("the answer says its length in two ways");
	if (coding !== null && coding !== "chunked")
		throw new Error(`transfer coding ${coding}`);
	if (length !== null && !/^\d+$/.test(length))
		throw new Error(`length ${length}`);
	if (status === 204 && (coding ?? length) !== null)
		throw new Error("an answer without content says how long it is");
	if (method === "HEAD" || status === 204 || status === 304) return 0;
	if (coding !== null) return "chunked";
	return length === null ? "close" : Number(length);
}

function readBody(
	text: string,
	start: number,
	framing: number | "chunked" | "close",
	isOver: boolean,
): Body | null {
	if (framing === "chunked") return readChunks(text, start);
	if (framing === "close")
		return isOver
			? { body: text.slice(start), chunks: null, end: text.length }
			: null;
	const end = start + framing;
	if (text.length < end) return null;
	return { body: text.slice(start, end), chunks: null, end };
}

function readChunks(text: string, start: number): Body | null {
	const pieces: string[] = [];
	for (let at = start; ; ) {
		const lineEnd = text.indexOf("\r\n", at);
		if (lineEnd < 0) return null;
		const line = text.slice(at, lineEnd);
		if (!CHUNK_SIZE.test(line)) throw new Error(`chunk size ${shown(line)}`);
		const size = Number.parseInt(line, 16);
		const from = lineEnd + 2;
		if (text.length < from + size + 2) return null;
		if (text.slice(from + size, from + size + 2) !== "\r\n")
			throw new Error("a chunk does not end where it says");
		at = from + size + 2;
		if (size === 0)
			return { body: pieces.join(""), chunks: pieces.length, end: at };
		pieces.push(text.slice(from, from + size));
	}
}

function shown(text: string): string {
	return JSON.stringify(text.slice(0, 200));
}
