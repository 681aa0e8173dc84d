/**
 * Tasks are withheld: they differ wholly between the eras, and half carried they would lose work. A tool loses its
 * `execution`, which speaks of nothing else, and one that cannot be called without a task is left out.
 *
 * @see specification 2025-11-25, basic/utilities/tasks; 2026-07-28 has them as an extension
 */
import {
	type Bytes,
	memberOf,
	membersOf,
	parseJson,
	splice,
} from "../message.ts";
import type { Item } from "./upstream.ts";

/** The tool as it can be called through us, or null when it cannot. */
export function withoutTasks(tool: Item): Item | null {
	const execution = memberOf(tool.bytes, 0, "execution");
	if (!execution) return tool;
	const support = parseJson(tool.bytes, execution) as {
		readonly taskSupport?: unknown;
	} | null;
	return support?.taskSupport === "required"
		? null
		: { key: tool.key, bytes: withoutMember(tool.bytes, "execution") };
}

/** The object without one of its members and that member's comma. */
function withoutMember(bytes: Bytes, key: string): Bytes {
	const members = membersOf(bytes, 0);
	const at = members.findIndex((member) => member.key === key);
	const member = members[at];
	if (!member) return bytes;
	const next = members[at + 1];
	const previous = members[at - 1];
	return splice(bytes, [
		next
			? { start: member.keyStart, end: next.keyStart, text: "" }
			: { start: previous?.end ?? member.keyStart, end: member.end, text: "" },
	]);
}
