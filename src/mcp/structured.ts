/**
 * Structured output for legacy clients: until 2025-11-25 it is an object, and so is its schema's root. What a modern
 * server declares or answers otherwise goes into an object with one member, `result`, as the official SDKs do it.
 *
 * @see specification 2026-07-28, changelog (SEP-2106)
 */
import { join, splice } from "../assembly.ts";
import {
	type Bytes,
	holds,
	isObject,
	memberOf,
	membersOf,
	textOf,
} from "../message.ts";
import { wholeBody } from "../upstream/reply.ts";
import type { Item, Reply } from "../upstream/upstream.ts";

/** A tool as a legacy client may be shown it. */
export function withObjectOutput(tool: Bytes): Bytes {
	const schema = memberOf(tool, 0, "outputSchema");
	if (!schema || hasObjectRoot(tool, schema.start)) return tool;
	const own = tool.subarray(schema.start, schema.end);
	const wrapped = join([
		'{"type":"object","properties":{"result":',
		withBase(own),
		'},"required":["result"]}',
	]);
	return splice(tool, [{ ...schema, text: wrapped }]);
}

/** Whether the output of that tool of a list is wrapped. */
export function wrapsOutput(tools: readonly Item[], name: string): boolean {
	const known = wrapped.get(tools);
	if (known) return known.has(name);
	const names = new Set(
		tools
			.filter(({ bytes }) => withObjectOutput(bytes) !== bytes)
			.map(({ key }) => key),
	);
	wrapped.set(tools, names);
	return names.has(name);
}

/** The tools of a list whose output is wrapped, found once for as long as the list is the same. */
const wrapped = new WeakMap<readonly Item[], ReadonlySet<string>>();

/**
 * A tool's result as a legacy client may be given it.
 * @param always whether its schema says that any value may come; otherwise an object stays what it is
 */
export async function withObjectResult(
	reply: Reply,
	always: boolean,
): Promise<Reply> {
	if (reply.member === "error") return reply;
	// What is too large to be held is an object, unless its schema says something else.
	if (!always && !(reply.body instanceof Uint8Array)) return reply;
	const body = await wholeBody(reply.body);
	const value = holds(body, '"structuredContent"')
		? memberOf(body, 0, "structuredContent")
		: undefined;
	if (!value || (!always && isObject(body, value.start)))
		return { ...reply, body };
	const text = join(['{"result":', body.subarray(value.start, value.end), "}"]);
	return { ...reply, body: splice(body, [{ ...value, text }]) };
}

function hasObjectRoot(bytes: Bytes, start: number): boolean {
	if (!isObject(bytes, start)) return false;
	const type = memberOf(bytes, start, "type");
	return type !== undefined && textOf(bytes, type) === '"object"';
}

/** References into the schema itself (`#/$defs/…`) stay good when it has a name of its own to be relative to. */
function withBase(schema: Bytes): Bytes {
	const refers = holds(schema, '"$ref"') || holds(schema, '"$dynamicRef"');
	if (!isObject(schema, 0) || !refers || memberOf(schema, 0, "$id"))
		return schema;
	const id = `"$id":"urn:sallyport:${Bun.hash(schema).toString(36)}"`;
	const comma = membersOf(schema, 0).length > 0 ? "," : "";
	return join([schema.subarray(0, 1), id, comma, schema.subarray(1)]);
}
