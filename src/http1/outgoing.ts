/**
 * An answer on its way to a client. Any `Response` of the platform can be sent; a `PlainResponse` is written as it
 * is, which costs a call a third.
 *
 * @see RFC 9112 6 and 7, RFC 9110 6.6.1
 */
import { delay } from "../clock.ts";
import { type Bytes, toBytes } from "../message.ts";
import { type Pieces, piecesOf } from "../pieces.ts";
import { type HeaderLines, headerLines } from "./header-lines.ts";

/** All parts of a body, one after another. */
export type Parts = readonly (Bytes | string)[];

/**
 * A response whose parts are written as they are: its header lines are checked, and how its body is framed is the
 * connection's to say. A class, because every call makes one.
 */
export class PlainResponse {
	readonly status: number;
	readonly headers: HeaderLines;
	readonly body: Parts | Pieces;

	constructor(status: number, headers: HeaderLines, body: Parts | Pieces) {
		this.status = status;
		this.headers = headers;
		this.body = body;
	}
}

/**
 * What is there sooner or later, as a promise is: `await` takes it, and so does whoever is to be called back at once.
 */
export type Later<T> = {
	then(
		onThere: (value: T) => void,
		onFailure: (error: unknown) => void,
	): unknown;
};

/** Whether the whole body is there. */
export function isParts(body: Parts | Pieces): body is Parts {
	return Array.isArray(body);
}

/**
 * A response of the platform's own kind as a plain one. It does not say whether its body is there: it is, when it ends
 * as soon as its first piece is read.
 * @param isHasty a piece that is not there at once is not waited for
 * @param onPieces told of what is read from, to let go of it
 */
export async function plainOf(
	response: Response,
	isHasty: boolean,
	onPieces: (pieces: Pieces) => void,
): Promise<PlainResponse> {
	const { status, body } = response;
	const headers = linesOf(response.headers);
	if (!body || isBodiless(status)) {
		void body?.cancel().catch(() => {}); // it is of no interest how it ends
		return new PlainResponse(status, headers, []);
	}
	const pieces = bytesOf(body);
	onPieces(pieces);
	if (EVENTS.test(response.headers.get("content-type") ?? ""))
		return new PlainResponse(status, headers, pieces);
	const first = pieces.next();
	if (isHasty && !(await Promise.race([first, delay(0).then(() => false)])))
		return new PlainResponse(status, headers, pieces);
	const second = (await first) && pieces.next();
	// A few steps for a body that has ended to say so.
	for (let step = 0; second && step < STEPS_TO_END; step++) {
		if (Bun.peek.status(second) !== "pending") break;
		await Promise.resolve();
	}
	return !second || Bun.peek(second) === null
		? new PlainResponse(status, headers, second ? [(await first) as Bytes] : [])
		: new PlainResponse(status, headers, resumed([first, second], pieces));
}

/** Streams whose first piece may be long in coming. */
const EVENTS = /^text\/event-stream\s*(?:;|$)/i;
/** What stands between the end of a body and whoever reads it, in turns of the queue of microtasks. */
const STEPS_TO_END = 8;

/** A web stream may hold texts too. */
function bytesOf(body: ReadableStream<Bytes | string>): Pieces {
	const pieces = piecesOf(body as ReadableStream<Bytes>);
	return {
		next: async () => {
			const piece: Bytes | string | null = await pieces.next();
			return typeof piece === "string" ? toBytes(piece) : piece;
		},
		cancel: () => pieces.cancel(),
	};
}

/** What was read ahead, and then the rest. */
function resumed(ahead: Promise<Bytes | null>[], rest: Pieces): Pieces {
	return {
		next: () => ahead.shift() ?? rest.next(),
		cancel: () => rest.cancel(),
	};
}

/** The headers of a response as lines, but for those that frame it. The platform has checked their values. */
function linesOf(headers: Headers): HeaderLines {
	let lines = "";
	for (const [name, value] of headers)
		if (!FRAMING.has(name)) lines += `${name}: ${value}\r\n`;
	return lines as HeaderLines;
}

/** What frames a message is the connection's to say. */
const FRAMING: ReadonlySet<string> = new Set([
	"connection",
	"content-length",
	"transfer-encoding",
	"keep-alive",
]);

/** A short answer in plain words, which nobody keeps. */
export function textResponse(status: number, text: string): PlainResponse {
	return new PlainResponse(status, TEXT_HEADERS, [`${text}\n`]);
}

const TEXT_HEADERS = headerLines({
	"content-type": "text/plain; charset=utf-8",
	"cache-control": "no-store",
	"x-content-type-options": "nosniff",
});

/** The first line of an answer, with its end. */
export function statusLine(status: number): string {
	STATUS_LINES[status] ??= `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n`;
	return STATUS_LINES[status];
}

const STATUS_LINES: string[] = [];

/** What people read in a status; to a client they mean nothing, and may be missing (RFC 9112 4). */
const REASONS: Readonly<Record<number, string>> = {
	200: "OK",
	201: "Created",
	202: "Accepted",
	204: "No Content",
	302: "Found",
	303: "See Other",
	304: "Not Modified",
	307: "Temporary Redirect",
	308: "Permanent Redirect",
	400: "Bad Request",
	401: "Unauthorized",
	403: "Forbidden",
	404: "Not Found",
	405: "Method Not Allowed",
	406: "Not Acceptable",
	408: "Request Timeout",
	409: "Conflict",
	413: "Content Too Large",
	415: "Unsupported Media Type",
	417: "Expectation Failed",
	421: "Misdirected Request",
	422: "Unprocessable Content",
	429: "Too Many Requests",
	431: "Request Header Fields Too Large",
	500: "Internal Server Error",
	501: "Not Implemented",
	502: "Bad Gateway",
	503: "Service Unavailable",
	505: "HTTP Version Not Supported",
};

/** Whether an answer of this status never has a body (RFC 9112 6.3). */
export function isBodiless(status: number): boolean {
	return status === 204 || status === 304 || status < 200;
}
