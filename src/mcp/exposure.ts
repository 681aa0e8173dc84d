/**
 * What changes on the way out at the shared endpoint: names in list entries, URIs in results. Nothing else.
 *
 * A result is parsed only when a name in it must change, and scanned for one first; its other bytes stay.
 */
import { type Edit, splice } from "../assembly.ts";
import {
	type Bytes,
	elementsOf,
	holds,
	isArray,
	isObject,
	type Member,
	memberOf,
	membersOf,
	parseJson,
	type Range,
	textOf,
} from "../message.ts";
import type { Item, ListKind } from "../upstream/upstream.ts";
import { exposeUri } from "./names.ts";

/** An entry, and the name that a tool or prompt has there. */
type Exposed = Item & { readonly exposed: string };

const URI_KEY = Buffer.from('"uri"');

/** An entry of a list under its exposed name: a tool's or prompt's own, a resource's URI. */
export function exposeItem(slug: string, kind: ListKind, item: Exposed): Bytes {
	const members = membersOf(item.bytes, 0);
	const edits: Edit[] = [];
	for (const member of members) {
		if (kind === "tools" || kind === "prompts") {
			if (member.key === "name") edits.push(renamed(member, item.exposed));
			if (member.key === "_meta")
				edits.push(...uiEdits(slug, item.bytes, member));
		} else if (member.key === (kind === "resources" ? "uri" : "uriTemplate"))
			edits.push(renamed(member, exposeUri(slug, item.key)));
	}
	return splice(item.bytes, edits);
}

/** Whether a result of this method can hold URIs of the server. */
export function mayHoldUris(method: string): boolean {
	return (
		method === "tools/call" ||
		method === "prompts/get" ||
		method === "resources/read" ||
		method === "tasks/get" ||
		method === "tasks/result"
	);
}

/**
 * A result with the URIs of its resources exposed: contents, links and embedded resources.
 * @param isTask it is a task, and the result stands in it
 */
export function exposeResult(slug: string, body: Bytes, isTask = false): Bytes {
	if (!holds(body, URI_KEY) || !isObject(body, 0)) return body;
	// A task that has ended holds its result.
	const result = isTask ? memberOf(body, 0, "result") : undefined;
	if (isTask && (!result || !isObject(body, result.start))) return body;
	return splice(body, resultEdits(slug, body, result?.start ?? 0));
}

function resultEdits(
	slug: string,
	body: Bytes,
	start: number,
): readonly Edit[] {
	const edits: Edit[] = [];
	for (const member of membersOf(body, start)) {
		if (!isArray(body, member.start)) continue;
		if (member.key === "contents")
			for (const content of objects(body, member))
				edits.push(...uriEdits(slug, body, content));
		if (member.key === "content")
			for (const block of objects(body, member))
				edits.push(...blockEdits(slug, body, block));
		if (member.key === "messages")
			for (const message of objects(body, member)) {
				const block = memberOf(body, message.start, "content");
				if (block && isObject(body, block.start))
					edits.push(...blockEdits(slug, body, block));
			}
	}
	return edits;
}

/** `resource_link` carries its URI itself; `resource` carries it in the embedded resource. Other types are not ours to read. */
function blockEdits(slug: string, bytes: Bytes, block: Range): readonly Edit[] {
	const members = membersOf(bytes, block.start);
	const type = members.find((member) => member.key === "type");
	const name = type && textOf(bytes, type);
	if (name === '"resource_link"') return uriEdits(slug, bytes, block);
	const resource = members.find((member) => member.key === "resource");
	return name === '"resource"' && resource && isObject(bytes, resource.start)
		? uriEdits(slug, bytes, resource)
		: [];
}

function uriEdits(slug: string, bytes: Bytes, object: Range): readonly Edit[] {
	const uri = memberOf(bytes, object.start, "uri");
	const value = uri && parseJson(bytes, uri);
	return uri && typeof value === "string"
		? [renamed(uri, exposeUri(slug, value))]
		: [];
}

/** MCP Apps name their page in `_meta.ui.resourceUri`, and in an older spelling. */
function uiEdits(slug: string, bytes: Bytes, meta: Member): readonly Edit[] {
	if (!isObject(bytes, meta.start)) return [];
	return membersOf(bytes, meta.start).flatMap((member) => {
		if (member.key === "ui/resourceUri") return stringEdit(slug, bytes, member);
		if (member.key !== "ui" || !isObject(bytes, member.start)) return [];
		const uri = memberOf(bytes, member.start, "resourceUri");
		return uri ? stringEdit(slug, bytes, uri) : [];
	});
}

function stringEdit(slug: string, bytes: Bytes, range: Range): readonly Edit[] {
	const value = parseJson(bytes, range);
	return typeof value === "string"
		? [renamed(range, exposeUri(slug, value))]
		: [];
}

function renamed(range: Range, name: string): Edit {
	return { start: range.start, end: range.end, text: JSON.stringify(name) };
}

function objects(bytes: Bytes, array: Range): readonly Range[] {
	return elementsOf(bytes, array.start).filter((element) =>
		isObject(bytes, element.start),
	);
}
