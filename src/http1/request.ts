/**
 * A request as the bytes that are sent, and header lines as both sides send them. Names and values that could end their
 * line are refused, so that nothing that was meant as a value becomes a header, or a request.
 *
 * @see RFC 9112 3, RFC 9110 5.5
 */

import {
	allocate,
	digitsIn,
	join,
	put,
	putNumber,
	type Writable,
	write,
} from "../assembly.ts";
import { SallyportError } from "../errors.ts";
import { type Bytes, toBytes } from "../message.ts";
import { NAME_CHARACTERS, VALUE_CHARACTERS } from "./fields.ts";

/** Checked header lines, each with its end. */
export type HeaderLines = string & { readonly __lines: true };

export type Request1 = {
	readonly method: "GET" | "POST" | "DELETE";
	/** Path and query; what the client was opened for if absent. */
	readonly path?: string;
	readonly headers: HeaderLines;
	/** Of a POST alone. */
	readonly body?: Bytes | Writable;
	/** Time until the head of the answer; null when whoever asks ends it in time. */
	readonly timeoutMs: number | null;
	/** It changes nothing that was not changed by sending it once. */
	readonly repeatable: boolean;
};

const NAME = new RegExp(`^[${NAME_CHARACTERS}]+$`);
const VALUE = new RegExp(`^[${VALUE_CHARACTERS}]*$`);
/** What frames a message is ours to say. */
const OWN =
	/^(host|connection|content-length|transfer-encoding|te|upgrade|expect|trailer)$/i;

/** @throws SallyportError `invalid` for a header that cannot be sent; its value is not quoted */
export function headerLines(
	headers: Readonly<Record<string, string>>,
): HeaderLines {
	const lines: string[] = [];
	for (const [name, value] of Object.entries(headers)) {
		if (!NAME.test(name) || OWN.test(name) || !VALUE.test(value))
			throw new SallyportError("invalid", "a header cannot be sent", {
				hint: `check the header ${JSON.stringify(name.slice(0, 100))} of the server`,
			});
		lines.push(name, ": ", value.trim(), "\r\n");
	}
	// Joined, not added up: that would be a tree of strings, kept for as long as the connection.
	return lines.join("") as HeaderLines;
}

/** No headers at all. */
export const NO_HEADERS = "" as HeaderLines;

/** Writes requests to one server. */
export type Serializer = (request: Request1) => Bytes;

/** @param host as the Host header says it */
export function createSerializer(
	host: string,
	defaultPath: string,
): Serializer {
	/** The beginning of the last one: from call to call it is the same. */
	let last: Pick<Request1, "method" | "path" | "headers"> | null = null;
	let beginning: Bytes = new Uint8Array();
	const beginningOf = ({ method, path, headers }: Request1): Bytes => {
		if (
			last?.headers === headers &&
			last.method === method &&
			last.path === path
		)
			return beginning;
		last = { method, headers, ...(path !== undefined && { path }) };
		const length = method === "POST" ? LENGTH : "";
		beginning = Buffer.from(
			`${method} ${path ?? defaultPath} HTTP/1.1\r\nhost: ${host}\r\n${headers}${length}`,
			"latin1",
		);
		return beginning;
	};
	return (request) => {
		const start = beginningOf(request);
		if (request.method !== "POST") return join([start, "\r\n"]);
		const { body = NOTHING } = request;
		const { length } = body;
		const bytes = allocate(
			start.length + digitsIn(length) + END.length + length,
		);
		let at = put(bytes, 0, start);
		at += putNumber(bytes, at, length);
		at += put(bytes, at, END);
		write(bytes, at, body);
		return bytes;
	};
}

const LENGTH = "content-length: ";
const END = toBytes("\r\n\r\n");
const NOTHING: Bytes = new Uint8Array();
