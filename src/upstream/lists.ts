/**
 * The lists of one server, whole and remembered. Entries stay the bytes the server wrote; of each only its key is
 * read.
 *
 * @see specification 2026-07-28, server/utilities/pagination and "Caching" (SEP-2549)
 */
import type { Abortable } from "../abort.ts";
import type { SallyportError } from "../errors.ts";
import { MalformedMessage } from "../malformed.ts";
import {
	type Bytes,
	elementsOf,
	type Member,
	memberOf,
	membersOf,
	parseJson,
	textOf,
	toBytes,
} from "../message.ts";
import { RPC } from "../protocol.ts";
import type { Connection } from "./connection.ts";
import { LinkError } from "./link.ts";
import {
	NO_PARAM_HEADERS,
	type ParamHeaders,
	paramHeadersOf,
} from "./mirror.ts";
import { READ_BYTES_MAX, wholeBody } from "./reply.ts";
import { type Call, type Item, LISTS, type ListKind } from "./upstream.ts";

export type Listing = {
	readonly items: readonly Item[];
	/** How long the server says that it holds; undefined when it does not say. */
	readonly ttlMs: number | undefined;
	/** Tools whose arguments travel as headers too. */
	readonly paramHeaders: ReadonlyMap<string, ParamHeaders>;
	/** Names of tools that must not be shown, because their marks are faulty. */
	readonly faulty: readonly string[];
};

const PAGES_MAX = 200;
const ITEMS_MAX = 10_000;
const LIST_BYTES_MAX = 32 * 1024 * 1024;
const LIST_TIMEOUT_MS = 60_000;

export const EMPTY: Listing = {
	items: [],
	ttlMs: undefined,
	paramHeaders: new Map(),
	faulty: [],
};

const CAPABILITY: Readonly<Record<ListKind, string>> = {
	tools: "tools",
	prompts: "prompts",
	resources: "resources",
	resourceTemplates: "resources",
};

/**
 * Asks a server for all pages of a list.
 * @param mirrors whether tools with faulty `x-mcp-header` marks must be left out (modern HTTP)
 * @throws SallyportError `upstream` when it refuses, answers something else, or does not come to an end
 */
export async function fetchList(
	connection: Connection,
	kind: ListKind,
	mirrors: boolean,
	signal: Abortable,
): Promise<Listing> {
	if (!(CAPABILITY[kind] in connection.facts.capabilities)) return EMPTY;
	const { method, member, key } = LISTS[kind];
	const items = new Map<string, Item>();
	const paramHeaders = new Map<string, ParamHeaders>();
	const faulty: string[] = [];
	let ttlMs: number | undefined;
	let bytes = 0;
	let cursor: string | null = null;
	for (let page = 0; page < PAGES_MAX; page++) {
		const params: Bytes | null =
			cursor === null ? null : toBytes(`{"cursor":${cursor}}`);
		const reply = await connection.request(
			{ method, params, signal },
			LIST_TIMEOUT_MS,
		);
		const body = await wholeBody(reply.body, READ_BYTES_MAX);
		if (reply.member === "error") {
			// Servers with resources often have no templates, and say so in this way.
			if (codeOf(body) === RPC.methodNotFound) return EMPTY;
			throw refused(method);
		}
		bytes += body.length;
		if (bytes > LIST_BYTES_MAX) throw endless(method);
		const read = readPage(body, member, key, method);
		for (const item of read.items) {
			const headers =
				mirrors && kind === "tools" ? paramHeadersOf(item.bytes) : [];
			if (headers === null) faulty.push(item.key);
			if (headers === null || items.has(item.key)) continue;
			if (headers.length > 0) paramHeaders.set(item.key, headers);
			items.set(item.key, item);
		}
		if (items.size > ITEMS_MAX) throw endless(method);
		if (read.ttlMs !== undefined)
			ttlMs = Math.min(ttlMs ?? read.ttlMs, read.ttlMs);
		if (read.cursor === null)
			return {
				items: [...items.values()],
				ttlMs,
				// What is kept for days is shared where it is empty.
				paramHeaders: paramHeaders.size > 0 ? paramHeaders : EMPTY.paramHeaders,
				faulty: faulty.length > 0 ? faulty : EMPTY.faulty,
			};
		if (read.cursor === cursor) throw endless(method);
		cursor = read.cursor;
	}
	throw endless(method);
}

/** Whether two listings say the same. */
export function sameItems(a: Listing, b: Listing): boolean {
	return (
		a.items.length === b.items.length &&
		a.items.every((item, at) =>
			Buffer.from(item.bytes).equals(b.items[at]?.bytes ?? new Uint8Array()),
		)
	);
}

/** What of a tool's arguments travels as headers, as its list says. */
export function markedIn(
	{ paramHeaders }: Listing,
	{ params }: Call,
): ParamHeaders {
	if (paramHeaders.size === 0 || !params) return NO_PARAM_HEADERS;
	const name = memberOf(params, 0, "name");
	return (
		paramHeaders.get(String(name && parseJson(params, name))) ??
		NO_PARAM_HEADERS
	);
}

type Page = {
	readonly items: readonly Item[];
	/** The raw JSON of the next cursor; null on the last page. The empty string is a cursor too. */
	readonly cursor: string | null;
	readonly ttlMs: number | undefined;
};

function readPage(
	body: Bytes,
	name: string,
	key: string,
	method: string,
): Page {
	try {
		const members = membersOf(body, 0);
		const find = (wanted: string): Member | undefined =>
			members.find((each) => each.key === wanted);
		const list = find(name);
		if (!list) throw new MalformedMessage(-32600, "the list is missing");
		const next = find("nextCursor");
		const cursor = next ? textOf(body, next) : "null";
		const ttl = find("ttlMs");
		const ttlMs = ttl ? parseJson(body, ttl) : undefined;
		return {
			items: elementsOf(body, list.start).flatMap((range) =>
				itemOf(body.slice(range.start, range.end), key),
			),
			cursor: cursor.startsWith('"') ? cursor : null,
			ttlMs: typeof ttlMs === "number" && ttlMs >= 0 ? ttlMs : undefined,
		};
	} catch (error) {
		if (!(error instanceof MalformedMessage)) throw error;
		throw new LinkError(
			"final",
			`the server's answer to ${method} is not a list`,
		);
	}
}

/** An entry that has its key, or nothing: one broken entry does not cost the others. */
function itemOf(bytes: Bytes, key: string): readonly Item[] {
	try {
		// Proven JSON here, because it is put among the entries of other servers.
		const value = parseJson(bytes) as Readonly<Record<string, unknown>> | null;
		membersOf(bytes, 0);
		const name = value?.[key];
		return typeof name === "string" ? [{ key: name, bytes }] : [];
	} catch (error) {
		if (error instanceof MalformedMessage) return [];
		throw error;
	}
}

function codeOf(error: Bytes): unknown {
	try {
		return (parseJson(error) as { code?: unknown } | null)?.code;
	} catch (broken) {
		if (broken instanceof MalformedMessage) return undefined;
		throw broken;
	}
}

function refused(method: string): SallyportError {
	return new LinkError("final", `the server refused ${method}`);
}

function endless(method: string): SallyportError {
	return new LinkError(
		"final",
		`the server's answer to ${method} does not come to an end`,
	);
}
