/**
 * Members of a result that must stand in it once and say what we say, whether the result is held whole or still
 * arrives. Where its server wrote one itself, that one's value is replaced; every other byte stays as it is.
 */

import { join, splice } from "../assembly.ts";
import { CLOSE_OBJECT, COLON, COMMA, OPEN_OBJECT, QUOTE } from "../bytes.ts";
import { isSpace, skipSpace } from "../json.ts";
import { type Bytes, holds, membersOf, parseJson } from "../message.ts";
import type { Pieces } from "../pieces.ts";
import type { Reply } from "../upstream/upstream.ts";
import { createValueScan, type ValueScan } from "../value-scan.ts";

/** Raw JSON by key. */
export type Members = Readonly<Record<string, string>>;

/** What becomes of those that the server did not write. */
type Missing = "added" | "left out";

/** How a letter of a key is written otherwise. */
const ESCAPED = "\\u00";
/** A longer key is none of these, however it is spelled, and is not held. */
const KEY_BYTES_MAX = 256;

/** The result with each of the members: in front of its own if it is whole, behind them if it still arrives. */
export function withMembers(
	body: Reply["body"],
	members: Members,
): Reply["body"] {
	return edited(body, members, "added");
}

/** The result with those of the members that it has already. */
export function replaceMembers(
	body: Reply["body"],
	members: Members,
): Reply["body"] {
	return edited(body, members, "left out");
}

function edited(
	body: Reply["body"],
	members: Members,
	missing: Missing,
): Reply["body"] {
	return body instanceof Uint8Array
		? editWhole(body, members, missing)
		: editPieces(body, members, missing);
}

function editWhole(bytes: Bytes, members: Members, missing: Missing): Bytes {
	if (bytes[0] !== OPEN_OBJECT) return bytes;
	const keys = Object.keys(members);
	// Nearly no server writes one of them: the result is not gone through to find that out.
	const own = [...keys.map((key) => `"${key}"`), ESCAPED].some((text) =>
		holds(bytes, text),
	)
		? membersOf(bytes, 0).filter(({ key }) => keys.includes(key))
		: [];
	const added =
		missing === "added"
			? keys.filter((key) => !own.some((member) => member.key === key))
			: [];
	const comma = bytes[skipSpace(bytes, 1)] === CLOSE_OBJECT ? "" : ",";
	return splice(bytes, [
		...(added.length > 0
			? [{ start: 1, end: 1, text: `${textOf(added, members)}${comma}` }]
			: []),
		...own.map((member) => ({ ...member, text: members[member.key] ?? "" })),
	]);
}

function textOf(keys: readonly string[], members: Members): string {
	return keys.map((key) => `"${key}":${members[key]}`).join(",");
}

function editPieces(
	pieces: Pieces,
	members: Members,
	missing: Missing,
): Pieces {
	const edit = createEditor(members, missing);
	return {
		next: async () => {
			for (;;) {
				const piece = await pieces.next();
				if (!piece) return null;
				const out = edit(piece);
				if (out.length > 0) return out;
			}
		},
		cancel: () => pieces.cancel(),
	};
}

type State = "start" | "key" | "colon" | "value" | "comma" | "rest";

/** Goes through an object piece by piece, and gives what is to be sent of each. What is no object passes as it is. */
function createEditor(
	members: Members,
	missing: Missing,
): (piece: Bytes) => Bytes {
	const absent = new Set(missing === "added" ? Object.keys(members) : []);
	let state: State = "start";
	let scan: ValueScan | null = null;
	let isEmpty = true;
	/** The key as it is spelled, or as much of it as is looked at. */
	let key: Bytes = new Uint8Array();
	/** What stands in the place of the value that is gone through. */
	let replacement: string | undefined;

	const begin = (): void => {
		const name = key.length <= KEY_BYTES_MAX ? String(parseJson(key)) : "";
		replacement = Object.hasOwn(members, name) ? members[name] : undefined;
		absent.delete(name);
		key = new Uint8Array();
		scan = createValueScan();
		state = "value";
	};
	/** What stands between two values; gives what is to be put in front of it. */
	const step = (byte: number): string => {
		if (state === "start") state = byte === OPEN_OBJECT ? "key" : "rest";
		else if (state === "colon" && byte === COLON) begin();
		else if (state === "comma" && byte === COMMA) state = "key";
		else if (byte === CLOSE_OBJECT) {
			state = "rest";
			const text = textOf([...absent], members);
			return isEmpty || text === "" ? text : `,${text}`;
		}
		return "";
	};

	return (piece) => {
		const out: (Bytes | string)[] = [];
		let from = 0;
		const upTo = (end: number): void => {
			out.push(piece.subarray(from, end));
			from = end;
		};
		for (let at = 0; at < piece.length && state !== "rest"; ) {
			const byte = piece[at] as number;
			if (!scan?.started() && isSpace(byte)) {
				at++;
				continue;
			}
			if (!scan && state === "key" && byte === QUOTE) {
				scan = createValueScan();
				isEmpty = false;
			}
			if (!scan) {
				const text = step(byte);
				if (text !== "") {
					upTo(at);
					out.push(text);
				}
				at++;
				continue;
			}
			if (replacement !== undefined && !scan.started()) {
				upTo(at);
				out.push(replacement);
			}
			const stop = scan.push(piece, at);
			if (state === "key" && key.length <= KEY_BYTES_MAX)
				key = join([key, piece.subarray(at, stop)]);
			if (replacement !== undefined) from = stop;
			if (scan.ended()) {
				state = state === "key" ? "colon" : "comma";
				scan = null;
				replacement = undefined;
			}
			at = stop;
		}
		upTo(piece.length);
		return join(out);
	};
}
