/**
 * Tasks that callers have at servers: under which id a caller knows one, and whose it is.
 *
 * A task's id out here names the server, the upstream that runs it (a legacy server keeps its tasks in one session)
 * and the server's own id, and is signed for one user and one client: for anybody else, and in the other era, there is
 * no such task, however many people share the server. Nothing is looked up for that, so ids outlive a restart. What is
 * remembered is only for lists and for news, and dies with the process.
 *
 * @see specification 2025-11-25, basic/utilities/tasks ("Security Considerations"); the tasks extension of 2026-07-28
 */
import { timingSafeEqual } from "node:crypto";
import type { Caller } from "../caller.ts";
import type { Clock } from "../clock.ts";
import type { Era } from "../protocol.ts";
import type { Server } from "../store/servers.ts";
import type { Upstream } from "../upstream/upstream.ts";
import { serverIn, type View } from "./view.ts";

/** A task as its server knows it. */
export type Task = {
	readonly server: Server;
	/** Which of the server's upstreams runs it. */
	readonly variant: string;
	readonly taskId: string;
};

/** Whose a task is, and where it runs. */
export type Place = {
	readonly caller: Caller;
	readonly era: Era;
	readonly upstream: Upstream;
};

export type Tasks = {
	/** The id under which this caller knows the task. */
	readonly expose: (place: Place, taskId: string) => string;
	/** The task of that id, if it is one of this caller's at a server of this view. */
	readonly open: (view: View, era: Era, exposed: string) => Task | null;
	/** Which of a server's upstreams that is. */
	readonly variantOf: (upstream: Upstream) => string;
	/** Remembers a task for as long as its server keeps it. */
	readonly remember: (place: Place, taskId: string, ttlMs: number) => void;
	/** The ids of the caller's remembered tasks at the servers of this view, oldest first. */
	readonly list: (view: View, era: Era) => readonly string[];
	/** Who has that task of an upstream, and under which id; null when it is not remembered. */
	readonly ownerOf: (upstream: Upstream, taskId: string) => Remembered | null;
};

export type Remembered = {
	readonly caller: Caller;
	readonly era: Era;
	readonly serverId: string;
	readonly exposed: string;
	readonly untilMs: number;
};

/** Tasks remembered at once; the oldest is forgotten first, and can still be asked for by its id. */
const REMEMBERED_MAX = 10_000;
/** Longer ids of servers are not carried: ours becomes a header's value. */
const ID_LENGTH_MAX = 1024;
const TAG_BYTES = 16;
const VARIANT_BYTES = 4;

export function createTasks(deps: {
	/** A keyed hash. */
	readonly mac: (text: string) => Uint8Array;
	readonly clock: Clock;
}): Tasks {
	const { mac, clock } = deps;
	const remembered = new Map<string, Remembered>();

	const short = (text: string, bytes: number): string =>
		Buffer.from(mac(text).subarray(0, bytes)).toString("base64url");
	const variantOf = ({ capabilities }: Upstream): string =>
		short(`task variant ${capabilities}`, VARIANT_BYTES);
	const tagOf = (
		{ userId, clientId }: Caller,
		era: Era,
		{ id }: Server,
		variant: string,
		taskId: string,
	): string =>
		short(
			`task ${JSON.stringify([userId, clientId, era, id, variant, taskId])}`,
			TAG_BYTES,
		);

	const expose: Tasks["expose"] = ({ caller, era, upstream }, taskId) => {
		const { server } = upstream;
		const variant = variantOf(upstream);
		return [
			server.slug,
			variant,
			tagOf(caller, era, server, variant, taskId),
			Buffer.from(taskId, "utf8").toString("base64url"),
		].join(".");
	};
	const keyOf = ({ server, identity, capabilities }: Upstream): string =>
		`${server.id} ${identity} ${capabilities}`;

	return {
		expose,
		variantOf,
		open: (view, era, exposed) => {
			const [slug, variant, tag, inner, ...more] = exposed.split(".");
			const server = serverIn(view, slug);
			if (!server || !variant || !tag || !inner || more.length > 0) return null;
			const taskId = Buffer.from(inner, "base64url").toString("utf8");
			const expected = tagOf(view.caller, era, server, variant, taskId);
			return taskId.length <= ID_LENGTH_MAX && same(tag, expected)
				? { server, variant, taskId }
				: null;
		},
		remember: (place, taskId, ttlMs) => {
			const { caller, era, upstream } = place;
			remembered.set(`${keyOf(upstream)} ${taskId}`, {
				caller,
				era,
				serverId: upstream.server.id,
				exposed: expose(place, taskId),
				untilMs: clock.nowMs() + ttlMs,
			});
			if (remembered.size > REMEMBERED_MAX)
				remembered.delete(remembered.keys().next().value as string);
		},
		list: ({ caller, servers }, era) => {
			const nowMs = clock.nowMs();
			for (const [key, { untilMs }] of remembered)
				if (untilMs < nowMs) remembered.delete(key);
			return [...remembered.values()]
				.filter(
					(each) =>
						each.era === era &&
						isOwner(each.caller, caller) &&
						servers.some(({ id }) => id === each.serverId),
				)
				.map(({ exposed }) => exposed);
		},
		ownerOf: (upstream, taskId) =>
			remembered.get(`${keyOf(upstream)} ${taskId}`) ?? null,
	};
}

/** Whether two credentials are of the same user and client: tokens are renewed while a task runs. */
export function isOwner(a: Caller, b: Caller): boolean {
	return a.userId === b.userId && a.clientId === b.clientId;
}

function same(a: string, b: string): boolean {
	return (
		a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
	);
}
