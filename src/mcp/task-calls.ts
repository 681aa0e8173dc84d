/**
 * Calls that become tasks, and calls that speak of tasks: their ids are the caller's out here and the server's in
 * there. Tasks are carried between a client and a server of the same era, each with its own kind; to everybody else a
 * server's tools look as if it had none.
 *
 * @see specification 2025-11-25, basic/utilities/tasks; the tasks extension of 2026-07-28
 */
import { join } from "../assembly.ts";
import { type Bytes, memberOf, withoutMember } from "../message.ts";
import { type Era, RPC } from "../protocol.ts";
import { wholeBody } from "../upstream/reply.ts";
import { runsTasks } from "../upstream/tasks.ts";
import type { Reply, ServerFacts, Upstream } from "../upstream/upstream.ts";
import type { Ask } from "./input.ts";
import { carriesTasks } from "./lists.ts";
import type { Routed } from "./routed.ts";
import { asRpcError, RpcError } from "./rpc.ts";
import type { Target } from "./target.ts";
import {
	createdTask,
	type Rename,
	renameInNotification,
	renameInParams,
	renameInResult,
} from "./task-ids.ts";
import type { Place, Tasks } from "./tasks.ts";
import type { View } from "./view.ts";

/** A call as it goes to the server, and what is done with the answer. */
export type TaskCall = {
	readonly routed: Routed;
	readonly target: Target;
	/** Null: the answer is handed on as it is. */
	readonly finish: ((reply: Reply) => Promise<Reply> | Reply) | null;
};

/** Tasks on one page of a list. Each is asked for at its server. */
const PAGE_MAX = 50;

/** The call with the ids of tasks in the words of whoever reads them. */
export function asTaskCall(
	tasks: Tasks,
	view: View,
	routed: Routed,
	target: Target,
	upstream: Upstream,
	facts: ServerFacts,
): TaskCall {
	if (carriesTasks(view, facts))
		return carried(tasks, view, routed, target, upstream, facts.era);
	const isHinted = facts.era === "legacy" && runsTasks(facts);
	return {
		routed,
		target: isHinted ? withoutHint(routed, target) : target,
		finish: null,
	};
}

/** A call between a client and a server with the same kind of tasks. */
function carried(
	tasks: Tasks,
	view: View,
	routed: Routed,
	target: Target,
	upstream: Upstream,
	era: Era,
): TaskCall {
	const place: Place = { caller: view.caller, era, upstream };
	const rename: Rename = (taskId) => tasks.expose(place, taskId);
	const original: Rename = (exposed) =>
		tasks.open(view, era, exposed)?.taskId ?? null;
	return {
		target,
		routed: {
			...routed,
			onNotification: (message) =>
				routed.onNotification(renameInNotification(message, rename)),
			ask: routed.ask && askInTask(routed.ask, rename, original),
		},
		finish: (reply) =>
			routed.method === "tools/call"
				? finishCall(tasks, place, reply, rename)
				: finishTask(routed.method, reply, rename),
	};
}

/** A call that asks a server for a task which its client could not follow: the wish is left out, as for any other server. */
function withoutHint({ method }: Routed, target: Target): Target {
	const { params } = target;
	return method === "tools/call" && params && memberOf(params, 0, "task")
		? { ...target, params: withoutMember(params, "task") }
		: target;
}

function askInTask(ask: Ask, rename: Rename, original: Rename): Ask {
	return async ({ method, params }) => {
		const reply = await ask({
			method,
			params: params && renameInParams(params, rename),
		});
		return reply.member === "result" && reply.body instanceof Uint8Array
			? { ...reply, body: renameInParams(reply.body, original) }
			: reply;
	};
}

/** What a call has become: its result, or a task that is minded from now on. */
function finishCall(
	tasks: Tasks,
	place: Place,
	reply: Reply,
	rename: Rename,
): Reply {
	// A task is small; what is streamed is a result.
	if (reply.member !== "result" || !(reply.body instanceof Uint8Array))
		return reply;
	const created = createdTask(place.era, reply.body);
	if (!created) return reply;
	tasks.remember(place, created.taskId, created.ttlMs);
	place.upstream.keepAwake(created.ttlMs);
	return { ...reply, body: renameInResult(reply.body, rename) };
}

async function finishTask(
	method: string,
	reply: Reply,
	rename: Rename,
): Promise<Reply> {
	if (reply.member !== "result" || !method.startsWith("tasks/")) return reply;
	return {
		...reply,
		body: renameInResult(await wholeBody(reply.body), rename),
	};
}

/**
 * A page of the caller's tasks, the newest first, each as its server describes it now. A server's own list would show
 * the tasks of everybody who shares it.
 * @param get asks for one task by its exposed id
 * @throws RpcError for a cursor that is not one of ours
 */
export async function listTasks(
	tasks: Tasks,
	view: View,
	cursor: unknown,
	get: (exposed: string) => Promise<Reply>,
): Promise<Reply> {
	const all = [...tasks.list(view, "legacy")].reverse();
	const at = cursor === undefined ? 0 : all.indexOf(String(cursor)) + 1;
	if (cursor !== undefined && at === 0)
		throw new RpcError(RPC.invalidParams, "the cursor is not one of ours");
	const page = all.slice(at, at + PAGE_MAX);
	const described = await Promise.all(
		page.map((exposed) => bodyOf(get, exposed)),
	);
	const entries = described.flatMap((body) => body ?? []);
	const last = page.at(-1);
	return {
		member: "result",
		body: join([
			'{"tasks":[',
			...entries.flatMap((entry, index) =>
				index === 0 ? [entry] : [",", entry],
			),
			"]",
			...(last !== undefined && at + PAGE_MAX < all.length
				? [`,"nextCursor":${JSON.stringify(last)}`]
				: []),
			"}",
		]),
	};
}

/** A task's description; nothing for one that its server has forgotten, or that cannot be asked for now. */
async function bodyOf(
	get: (exposed: string) => Promise<Reply>,
	exposed: string,
): Promise<Bytes | null> {
	try {
		const { member, body } = await get(exposed);
		return member === "result" ? await wholeBody(body) : null;
	} catch (error) {
		if (asRpcError(error)) return null;
		throw error;
	}
}
