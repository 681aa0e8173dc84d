/**
 * A request as the bytes that are sent.
 *
 * @see RFC 9112 3
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
import { type Bytes, toBytes } from "../message.ts";
import type { HeaderLines } from "./header-lines.ts";

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
