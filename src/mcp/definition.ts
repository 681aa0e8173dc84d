/**
 * The part of a tool, a prompt or the instructions that a model or a person acts on, in one spelling: whatever the
 * order of its members, its white space and the escapes in its strings, the same definition has the same digest.
 *
 * Left out are `icons`, whose addresses may change by the hour, and `_meta`, which belongs to the protocol. A number
 * keeps its own digits. What cannot be put in order (a member that stands twice, which two parsers may read
 * differently) is its own bytes, so that any change of them is one.
 *
 * @see RFC 8785 for the idea; numbers are not normalised here
 */

import { createHash } from "node:crypto";
import { OPEN_ARRAY, OPEN_OBJECT, QUOTE } from "../bytes.ts";
import { MalformedMessage } from "../malformed.ts";
import {
	type Bytes,
	elementsOf,
	isRecord,
	membersOf,
	parseJson,
	type Range,
	textOf,
} from "../message.ts";
import type { Definition } from "../store/tool-pins.ts";
import type { Item } from "../upstream/upstream.ts";

const LEFT_OUT: ReadonlySet<string> = new Set(["_meta", "icons"]);
/** What a rename may change. */
const NAMES: ReadonlySet<string> = new Set(["name", "title"]);

/** The definition of an entry of a list. */
export function definitionOf({ key, bytes }: Item): Definition {
	const members = plainMembers(bytes) ?? sortedMembers(bytes);
	const text = members ? objectText(members) : JSON.stringify(textOf(bytes));
	const alike = members
		? objectText(members.filter(([name]) => !NAMES.has(name)))
		: text;
	return { name: key, text, digest: digest(text), likeness: digest(alike) };
}

/** The instructions of a server as a definition. */
export function definitionOfText(text: string): Definition {
	const json = JSON.stringify(text);
	return { name: "", text: json, digest: digest(json), likeness: digest(json) };
}

type Entry = readonly [name: string, json: string];

/**
 * The members of an object that is written as the engine itself would write it, as most servers do: then it has no
 * member twice and no number with digits of its own, and need not be read byte by byte. Null for any other.
 */
function plainMembers(bytes: Bytes): readonly Entry[] | null {
	const text = textOf(bytes);
	const value: unknown = JSON.parse(text);
	return isRecord(value) && JSON.stringify(value) === text
		? entriesOf(value).filter(([name]) => !LEFT_OUT.has(name))
		: null;
}

function entriesOf(value: Readonly<Record<string, unknown>>): readonly Entry[] {
	return Object.entries(value)
		.map(([name, member]): Entry => [name, canonicalOf(member)])
		.toSorted(byName);
}

function canonicalOf(value: unknown): string {
	if (Array.isArray(value)) return `[${value.map(canonicalOf).join(",")}]`;
	return isRecord(value) ? objectText(entriesOf(value)) : JSON.stringify(value);
}

function sortedMembers(bytes: Bytes): readonly Entry[] | null {
	try {
		return membersOf(bytes, 0)
			.filter(({ key }) => !LEFT_OUT.has(key))
			.map((member): Entry => [member.key, canonical(bytes, member)])
			.toSorted(byName);
	} catch (error) {
		if (error instanceof MalformedMessage) return null;
		throw error;
	}
}

function canonical(bytes: Bytes, range: Range): string {
	switch (bytes[range.start]) {
		case OPEN_OBJECT:
			return objectText(
				membersOf(bytes, range.start)
					.map((member): Entry => [member.key, canonical(bytes, member)])
					.toSorted(byName),
			);
		case OPEN_ARRAY:
			return `[${elementsOf(bytes, range.start)
				.map((element) => canonical(bytes, element))
				.join(",")}]`;
		case QUOTE:
			return JSON.stringify(parseJson(bytes, range));
		default:
			return textOf(bytes, range);
	}
}

function objectText(entries: readonly Entry[]): string {
	return `{${entries
		.map(([name, json]) => `${JSON.stringify(name)}:${json}`)
		.join(",")}}`;
}

function byName([a]: Entry, [b]: Entry): number {
	if (a === b) return 0;
	return a < b ? -1 : 1;
}

function digest(text: string): string {
	return createHash("sha256").update(text).digest("base64url");
}
