/**
 * Which servers can run a call as a task, and what a tool looks like to those who cannot ask for one: it loses its
 * `execution`, which speaks of nothing else, and one that cannot be called without a task is left out.
 *
 * @see specification 2025-11-25, basic/utilities/tasks; the extension `io.modelcontextprotocol/tasks` of 2026-07-28
 */
import { memberOf, objectOf, parseJson, withoutMember } from "../message.ts";
import { EXTENSION, LEGACY_TASKS_REVISION } from "../protocol.ts";
import type { Item, ServerFacts } from "./upstream.ts";

/** Whether the server can run a tool call as a task, in the words of its own era. */
export function runsTasks(facts: ServerFacts | null): boolean {
	if (!facts) return false;
	const { era, protocolVersion, capabilities } = facts;
	if (era === "modern")
		return objectOf(capabilities["extensions"])[EXTENSION.tasks] !== undefined;
	const { requests } = objectOf(capabilities["tasks"]);
	return (
		protocolVersion === LEGACY_TASKS_REVISION &&
		objectOf(objectOf(requests)["tools"])["call"] !== undefined
	);
}

/** The tool as it can be called without a task, or null when it cannot. */
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
