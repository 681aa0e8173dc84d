/**
 * Where the ids of tasks stand in messages of either era, and how they are put into another's words. Nothing else of
 * a task is read, but how long its server keeps it.
 *
 * @see specification 2025-11-25, basic/utilities/tasks; the tasks extension of 2026-07-28
 */
import { type Edit, splice } from "../assembly.ts";
import {
	type Bytes,
	holds,
	isObject,
	type Member,
	memberOf,
	membersOf,
	parseJson,
	textOf,
} from "../message.ts";
import { type Era, META } from "../protocol.ts";

/** How one task's id becomes another's; null: it stays as it is. */
export type Rename = (taskId: string) => string | null;

/** A task that a server has made instead of an answer. */
export type Created = { readonly taskId: string; readonly ttlMs: number };

/** How long a task is minded whose server sets no limit. */
const KEPT_MS_MAX = 24 * 3600_000;

/** The task that a `tools/call` became; null when it was answered. */
export function createdTask(era: Era, result: Bytes): Created | null {
	if (!holds(result, '"taskId"')) return null;
	const members = membersOf(result, 0);
	if (era === "modern") {
		const type = find(members, "resultType");
		return type && textOf(result, type) === '"task"'
			? readTask(result, members, "ttlMs")
			: null;
	}
	const task = find(members, "task");
	return task && isObject(result, task.start) && !find(members, "content")
		? readTask(result, membersOf(result, task.start), "ttl")
		: null;
}

function readTask(
	bytes: Bytes,
	members: readonly Member[],
	ttlKey: string,
): Created | null {
	const id = find(members, "taskId");
	const ttl = find(members, ttlKey);
	const taskId = id && parseJson(bytes, id);
	const ttlMs = ttl ? parseJson(bytes, ttl) : null;
	if (typeof taskId !== "string") return null;
	return {
		taskId,
		ttlMs:
			typeof ttlMs === "number" && ttlMs >= 0
				? Math.min(ttlMs, KEPT_MS_MAX)
				: KEPT_MS_MAX,
	};
}

/** A result about tasks with every id of one renamed. */
export function renameInResult(result: Bytes, rename: Rename): Bytes {
	if (!isObject(result, 0)) return result;
	const edits = membersOf(result, 0).flatMap((member) => {
		if (member.key === "taskId") return idEdit(result, member, rename);
		if (!isObject(result, member.start)) return [];
		if (member.key === "task") return idEditIn(result, member, rename);
		return member.key === "_meta" ? relatedEdits(result, member, rename) : [];
	});
	return splice(result, edits);
}

/** The params of a notification or a question with every id of a task renamed; other messages are untouched. */
export function renameInParams(params: Bytes, rename: Rename): Bytes {
	if (!holds(params, '"taskId"')) return params;
	return renameInResult(params, rename);
}

/** A whole notification, likewise. */
export function renameInNotification(message: Bytes, rename: Rename): Bytes {
	if (!holds(message, '"taskId"')) return message;
	const params = memberOf(message, 0, "params");
	if (!params || !isObject(message, params.start)) return message;
	const renamed = renameInResult(
		message.subarray(params.start, params.end),
		rename,
	);
	return splice(message, [{ ...params, text: renamed }]);
}

/** `_meta` of the legacy era says which task a message belongs to. */
function relatedEdits(
	bytes: Bytes,
	meta: Member,
	rename: Rename,
): readonly Edit[] {
	const related = memberOf(bytes, meta.start, META.relatedTask);
	return related && isObject(bytes, related.start)
		? idEditIn(bytes, related, rename)
		: [];
}

function idEditIn(
	bytes: Bytes,
	object: Member,
	rename: Rename,
): readonly Edit[] {
	const id = memberOf(bytes, object.start, "taskId");
	return id ? idEdit(bytes, id, rename) : [];
}

function idEdit(bytes: Bytes, id: Member, rename: Rename): readonly Edit[] {
	const taskId = parseJson(bytes, id);
	const name = typeof taskId === "string" ? rename(taskId) : null;
	return name === null
		? []
		: [{ start: id.start, end: id.end, text: JSON.stringify(name) }];
}

function find(members: readonly Member[], key: string): Member | undefined {
	return members.find((member) => member.key === key);
}
