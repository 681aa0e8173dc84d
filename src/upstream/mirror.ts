/**
 * The headers with which a modern request repeats what its body says, for those who route by headers.
 *
 * They are made from the body that is sent, never copied from what a client sent us. A tool may ask for some of its
 * arguments as headers too (`x-mcp-header`); one that asks wrongly must not be used over HTTP.
 *
 * @see specification 2026-07-28, basic/transports/streamable-http ("Request Headers", "Schema Extension"), SEP-2243
 */
import { type Edit, splice } from "../assembly.ts";
import {
	type Bytes,
	elementsOf,
	holds,
	isArray,
	isObject,
	memberOf,
	membersOf,
	parseJson,
	stringIn,
} from "../message.ts";
import { HEADER } from "../protocol.ts";

/** The arguments of a tool that travel as headers: header name to where the argument stands. */
export type ParamHeaders = readonly {
	readonly header: string;
	readonly path: readonly string[];
}[];

/** Nothing is marked. */
export const NO_PARAM_HEADERS: ParamHeaders = [];

/** Which of its params `Mcp-Name` repeats, by method. */
export const NAMED_BY: ReadonlyMap<string, string> = new Map([
	["tools/call", "name"],
	["prompts/get", "name"],
	["resources/read", "uri"],
	["tasks/get", "taskId"],
	["tasks/update", "taskId"],
	["tasks/cancel", "taskId"],
]);

const MARK = "x-mcp-header";
/** What stands under these is somebody's value, and no schema. */
const DATA = ["const", "enum", "default", "examples"];
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const PLAIN = /^[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?$/;
const SENTINEL = /^=\?base64\?.*\?=$/;
const TYPES = ["string", "integer", "boolean"];
const SCHEMA_DEPTH_MAX = 64;

/** The headers for one request. Those of the same method and name are the same object, as long as it is remembered. */
export function mirrorHeaders(
	method: string,
	params: Bytes | null,
	paramHeaders: ParamHeaders = NO_PARAM_HEADERS,
): Readonly<Record<string, string>> {
	const key = NAMED_BY.get(method);
	const member = key && params ? memberOf(params, 0, key) : undefined;
	const name = member && params ? stringIn(params, member) : null;
	const plain = plainHeaders(method, name);
	return paramHeaders.length === 0 || !params
		? plain
		: { ...plain, ...argumentHeaders(params, paramHeaders) };
}

type PlainHeaders = Readonly<Record<string, string>>;

/** By method, and by name or null. */
const remembered = new Map<string, Map<string | null, PlainHeaders>>();
/** Beyond these all are forgotten. */
const METHODS_MAX = 50;
const NAMES_MAX = 1000;

function plainHeaders(method: string, name: string | null): PlainHeaders {
	const known = remembered.get(method)?.get(name);
	if (known) return known;
	const made: PlainHeaders = {
		[HEADER.method]: method,
		...(name !== null && { [HEADER.name]: encode(name) }),
	};
	if (remembered.size >= METHODS_MAX) remembered.clear();
	const names = remembered.get(method) ?? new Map();
	if (names.size >= NAMES_MAX) names.clear();
	remembered.set(method, names.set(name, made));
	return made;
}

function argumentHeaders(
	params: Bytes,
	paramHeaders: ParamHeaders,
): Record<string, string> {
	const member = memberOf(params, 0, "arguments");
	const args = member ? parseJson(params, member) : undefined;
	const headers: Record<string, string> = {};
	for (const { header, path } of paramHeaders) {
		const text = textAt(args, path);
		if (text !== null) headers[`Mcp-Param-${header}`] = encode(text);
	}
	return headers;
}

/**
 * Which arguments of a tool travel as headers.
 * @returns null when the tool asks for it in a way the specification forbids: it MUST be left out then
 */
export function paramHeadersOf(tool: Bytes): ParamHeaders | null {
	if (!holds(tool, MARK)) return [];
	const schema = memberOf(tool, 0, "inputSchema");
	const found: { header: string; path: readonly string[] }[] = [];
	if (!schema) return [];
	if (!collect(parseJson(tool, schema), [], true, found, 0)) return null;
	const names = new Set(found.map(({ header }) => header.toLowerCase()));
	return names.size === found.length ? found : null;
}

/**
 * A tool without its marks, when they are such that a client must not use it over HTTP: those of a server that is not
 * reached over HTTP mean nothing to it, and would cost the client a tool.
 */
export function withoutBadMarks(tool: Bytes): Bytes {
	if (paramHeadersOf(tool) !== null) return tool;
	const schema = memberOf(tool, 0, "inputSchema");
	return schema ? splice(tool, markEdits(tool, schema.start, 0)) : tool;
}

/** Takes every mark out, with its comma. */
function markEdits(
	bytes: Bytes,
	start: number,
	depth: number,
): readonly Edit[] {
	if (depth > 2 * SCHEMA_DEPTH_MAX) return [];
	if (isArray(bytes, start))
		return elementsOf(bytes, start).flatMap((element) =>
			markEdits(bytes, element.start, depth + 1),
		);
	if (!isObject(bytes, start)) return [];
	const members = membersOf(bytes, start);
	return members.flatMap((member, at): readonly Edit[] => {
		if (member.key !== MARK)
			return DATA.includes(member.key)
				? []
				: markEdits(bytes, member.start, depth + 1);
		const next = members[at + 1];
		if (next) return [{ start: member.keyStart, end: next.keyStart, text: "" }];
		const from = members[at - 1]?.end ?? member.keyStart;
		return [{ start: from, end: member.end, text: "" }];
	});
}

/** Walks a schema. Marks count only below a chain of `properties`; anywhere else they are a fault. */
function collect(
	node: unknown,
	path: readonly string[],
	reachable: boolean,
	found: { header: string; path: readonly string[] }[],
	depth: number,
): boolean {
	if (node === null || typeof node !== "object") return true;
	if (depth > SCHEMA_DEPTH_MAX) return false;
	const schema = node as Readonly<Record<string, unknown>>;
	if (!Array.isArray(node) && Object.hasOwn(schema, MARK)) {
		const header = schema[MARK];
		const good =
			reachable &&
			path.length > 0 &&
			typeof header === "string" &&
			TOKEN.test(header) &&
			TYPES.includes(String(schema["type"]));
		if (!good) return false;
		found.push({ header, path });
	}
	return Object.entries(schema).every(([key, child]) => {
		// Data, not schemas: a mark in there is somebody's value.
		if (key === MARK || DATA.includes(key)) return true;
		if (key !== "properties" || child === null || typeof child !== "object")
			return collect(child, path, false, found, depth + 1);
		return Object.entries(child).every(([name, property]) =>
			collect(property, [...path, name], reachable, found, depth + 1),
		);
	});
}

function textAt(args: unknown, path: readonly string[]): string | null {
	let node = args;
	for (const key of path) {
		if (node === null || typeof node !== "object" || !Object.hasOwn(node, key))
			return null;
		node = (node as Readonly<Record<string, unknown>>)[key];
	}
	if (typeof node === "string") return node;
	if (typeof node === "boolean") return String(node);
	return typeof node === "number" && Number.isSafeInteger(node)
		? String(node)
		: null;
}

/** A value as a header's: itself when it is plain ASCII, else Base64 in the specification's sentinel. */
function encode(value: string): string {
	return PLAIN.test(value) && !SENTINEL.test(value)
		? value
		: `=?base64?${Buffer.from(value, "utf8").toString("base64")}?=`;
}
