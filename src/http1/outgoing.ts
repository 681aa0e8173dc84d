/**
 * An answer on its way to a client. Any `Response` of the platform can be sent; a `PlainResponse` is written as it
 * is, which costs a call a third.
 *
 * @see RFC 9112 6 and 7, RFC 9110 6.6.1
 */
import { STATUS_CODES } from "node:http";
import type { Bytes } from "../message.ts";
import { type Pieces, readableOf } from "../pieces.ts";
import { type HeaderLines, headerLines } from "./request.ts";

/** All parts of a body, one after another. */
export type Parts = readonly (Bytes | string)[];

/** A class, because every call makes one. */
export class PlainResponse {
	readonly status: number;
	readonly headers: HeaderLines;
	readonly body: Parts | Pieces;

	constructor(status: number, headers: HeaderLines, body: Parts | Pieces) {
		this.status = status;
		this.headers = headers;
		this.body = body;
	}

	/** The same in the platform's own kind. */
	toResponse(): Response {
		const { status, headers, body } = this;
		return new Response(
			isParts(body) ? new Blob(body as BlobPart[]) : readableOf(body),
			{ status, headers: pairsOf(headers) },
		);
	}
}

export function isParts(body: Parts | Pieces): body is Parts {
	return Array.isArray(body);
}

/** The headers of a response as lines. Who makes one checks its values: the platform does. */
export function linesOf(headers: Headers): HeaderLines {
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

function pairsOf(lines: HeaderLines): [string, string][] {
	return lines
		.split("\r\n")
		.filter((line) => line !== "")
		.map((line) => line.split(/: (.*)/, 2) as [string, string]);
}

/** A short answer in plain words. */
export function textResponse(status: number, text: string): PlainResponse {
	return new PlainResponse(status, TEXT_HEADERS, [`${text}\n`]);
}

const TEXT_HEADERS = headerLines({
	"content-type": "text/plain; charset=utf-8",
	"cache-control": "no-store",
	"x-content-type-options": "nosniff",
});

/** The first line of an answer. */
export function statusLine(status: number): string {
	STATUS_LINES[status] ??=
		`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
	return STATUS_LINES[status];
}

const STATUS_LINES: string[] = [];

/** Whether an answer of this status never has a body. */
export function isBodiless(status: number): boolean {
	return status === 204 || status === 304 || status < 200;
}
