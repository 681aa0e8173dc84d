/** A listener that a test faces as its clients do, and what it was asked. */
import {
	type Handler,
	type Listener,
	listen,
} from "../../src/tls/listeners.ts";
import { dial, dropAll, type RawClient } from "./raw-client.ts";

export type Facing = {
	readonly port: number;
	/** Method and path of each request that a handler was given. */
	readonly asked: readonly string[];
	readonly dial: () => Promise<RawClient>;
	readonly close: (graceMs: number) => Promise<void>;
};

const listeners = new Set<Listener>();

/** Listens on loopback, in clear, until `leaveAll`. */
export function facing(handler: Handler): Facing {
	const asked: string[] = [];
	const listener = listen("127.0.0.1", 0, (request, connection) => {
		asked.push(`${request.method} ${pathOf(request.url)}`);
		return handler(request, connection);
	});
	listeners.add(listener);
	return {
		port: listener.port,
		asked,
		dial: () => dial(listener.port),
		close: (graceMs) => {
			listeners.delete(listener);
			return listener.close(graceMs);
		},
	};
}

/** Ends every client and every listener of a test. */
export async function leaveAll(): Promise<void> {
	dropAll();
	const all = [...listeners];
	listeners.clear();
	await Promise.all(all.map((listener) => listener.close(0)));
}

/** Path and query, as they stand in the URL. */
export function pathOf(url: string): string {
	return url.slice(url.indexOf("/", url.indexOf("//") + 2));
}

/** A request without a body. */
export function get(path: string, headers = ""): string {
	return `GET ${path} HTTP/1.1\r\nHost: gate.test\r\n${headers}\r\n`;
}

/** A request with a body of this length. */
export function post(path: string, body: string, headers = ""): string {
	return `POST ${path} HTTP/1.1\r\nHost: gate.test\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`;
}

/** A request whose body comes in these chunks. */
export function postChunks(
	path: string,
	chunks: readonly string[],
	headers = "",
): string {
	const body = chunks.map(
		(chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`,
	);
	return `${chunkedHead(path, headers)}${body.join("")}0\r\n\r\n`;
}

/** The head of a request whose body comes in chunks. */
export function chunkedHead(path: string, headers = ""): string {
	return `POST ${path} HTTP/1.1\r\nHost: gate.test\r\nTransfer-Encoding: chunked\r\n${headers}\r\n`;
}

/** Answers with the body of the request. */
export const echo: Handler = async (request) =>
	new Response(Buffer.from(await request.bytes()));

/** So many bytes, a character for each, of which no two stretches are alike. */
export function megabytes(length: number): string {
	const bytes = Buffer.alloc(length);
	for (let at = 0; at < length; at++) bytes[at] = (at ^ (at >> 8)) % 251;
	return bytes.toString("latin1");
}

/** Answers with what the request is understood as: method, URL and body. */
export const told: Handler = async (request) =>
	new Response(
		`${request.method} ${request.url} ${Buffer.from(await request.bytes())}`,
	);
