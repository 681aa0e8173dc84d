/**
 * What clients hear without asking: that a list has changed, or a log line outside any call.
 *
 * One ear per upstream; every open stream says for which view it listens, and hears only of servers that view has,
 * through upstreams of that view's own identity. Modern streams tag each message with the id of their `listen`
 * request.
 *
 * @see specification 2026-07-28, basic/utilities/subscriptions; 2025-11-25, basic/transports
 */
import type { Caller } from "../caller.ts";
import { every } from "../clock.ts";
import {
	type Bytes,
	memberOf,
	type Range,
	textOf,
	toBytes,
	withoutMember,
} from "../message.ts";
import { META } from "../protocol.ts";
import { wrapAnswer } from "../upstream/envelope.ts";
import type {
	ListKind,
	Upstream,
	UpstreamEvent,
} from "../upstream/upstream.ts";
import { type Bells, createBells } from "./bells.ts";
import { exposeResult } from "./exposure.ts";
import { type LogLevel, loggedBy, mayShow } from "./logging.ts";
import { exposeUri } from "./names.ts";
import type { EventSink } from "./stream.ts";
import { renameInNotification, renameInResult } from "./task-ids.ts";
import { isOwner, type Tasks } from "./tasks.ts";
import type { Ties } from "./ties.ts";
import type { View } from "./view.ts";

/** What a stream wants to hear. */
export type Wish = {
	readonly lists: ReadonlySet<ListChange>;
	/** Watched resources by their exposed URI; asked anew for each change. */
	readonly resources: ReadonlyMap<string, unknown>;
	/** Watched modern tasks by their exposed id. */
	readonly tasks: ReadonlyMap<string, unknown>;
	/** The level from which on log lines are heard; null: none. */
	readonly logLevel: () => LogLevel | null;
	/** The raw JSON id of the modern `listen` request; null in the legacy era. */
	readonly subscriptionId: string | null;
};

export type ListChange = "tools" | "prompts" | "resources";

export type Subscriptions = {
	/** Adds a stream until it ends. `view` is asked anew for each event, so that it is never out of date. */
	readonly add: (
		stream: EventSink,
		wish: Wish,
		view: () => View | null,
	) => void;
	/** Hears an upstream from now on; again and again is once. */
	readonly hear: (upstream: Upstream) => void;
	/** The set of servers changed: every list may have. */
	readonly everythingChanged: () => void;
	readonly close: () => void;
};

type Ear = {
	readonly stream: EventSink;
	readonly bells: Bells;
	readonly wish: Wish;
	readonly view: () => View | null;
};

/** Open streams at once; beyond it the oldest is ended, and its client opens another. */
const STREAMS_MAX = 20_000;

const CHANGE_OF: Readonly<Record<ListKind, ListChange>> = {
	tools: "tools",
	prompts: "prompts",
	resources: "resources",
	resourceTemplates: "resources",
};

/** A server that tells of the same change again and again is heard once in this time. */
const CHANGE_PAUSE_MS = 250;
/** How long a stream may outlive the credential it was opened with. */
const CHECK_MS = 15_000;

export function createSubscriptions(deps: {
	/** Whether what a caller came with is still good. */
	readonly isAlive: (caller: Caller) => boolean;
	readonly tasks: Pick<Tasks, "ownerOf" | "expose">;
	readonly ties: Pick<Ties, "visited" | "rootsFor">;
	readonly checkMs?: number;
}): Subscriptions {
	const ears = new Set<Ear>();
	const stopChecking = every(deps.checkMs ?? CHECK_MS, () => {
		for (const { stream, view } of ears) {
			const seen = view();
			if (!seen || !deps.isAlive(seen.caller)) stream.end();
		}
	});
	const heard = new WeakSet<Upstream>();

	/**
	 * A task concerns the one client that has it: a modern one says which it watches, a legacy one started it here, and
	 * where that is not known nobody is told.
	 */
	const tellOfTask = (
		upstream: Upstream,
		taskId: string,
		message: Bytes,
	): void => {
		const owner = deps.tasks.ownerOf(upstream, taskId);
		for (const { stream, wish, view } of ears) {
			const seen = view();
			if (!seen || !concerns(seen, upstream)) continue;
			if (wish.subscriptionId !== null) {
				if (wish.tasks.size === 0) continue;
				const place = { caller: seen.caller, era: "modern", upstream } as const;
				const exposed = deps.tasks.expose(place, taskId);
				if (wish.tasks.has(exposed))
					stream.send(
						taskNews(seen, upstream, message, exposed, wish.subscriptionId),
					);
			} else if (owner?.era === "legacy" && isOwner(seen.caller, owner.caller))
				stream.send(renameInNotification(message, () => owner.exposed));
		}
	};

	const tell = (event: UpstreamEvent, upstream: Upstream): void => {
		if (event.type === "task_status") {
			tellOfTask(upstream, event.taskId, event.message);
			return;
		}
		if (event.type === "visited") {
			deps.ties.visited(upstream, event.elicitationId, event.message);
			return;
		}
		if (event.type === "roots_asked") {
			const reply = deps.ties.rootsFor(upstream, event.question);
			if (reply) event.answer(reply);
			return;
		}
		for (const ear of ears) {
			const view = ear.view();
			if (!view || !concerns(view, upstream)) continue;
			if (event.type === "list_changed") sendChange(ear, CHANGE_OF[event.list]);
			if (event.type === "log" && mayShow(event.message, ear.wish.logLevel()))
				ear.stream.send(
					view.only
						? event.message
						: loggedBy(upstream.server.slug, event.message),
				);
			if (event.type === "resource_updated") {
				const { slug } = upstream.server;
				const uri = view.only ? event.uri : exposeUri(slug, event.uri);
				if (ear.wish.resources.has(uri)) sendUpdate(ear, uri);
			}
		}
	};

	return {
		add: (stream, wish, view) => {
			const bells = createBells(CHANGE_PAUSE_MS);
			const ear: Ear = { stream, wish, view, bells };
			ears.add(ear);
			stream.onEnd(() => {
				bells.stop();
				ears.delete(ear);
			});
			if (ears.size > STREAMS_MAX)
				(ears.values().next().value as Ear).stream.end();
		},
		hear: (upstream) => {
			if (heard.has(upstream)) return;
			heard.add(upstream);
			upstream.subscribe(tell);
		},
		everythingChanged: () => {
			for (const ear of ears)
				for (const list of ear.wish.lists) sendChange(ear, list);
		},
		close: () => {
			stopChecking();
			for (const { stream, wish } of ears) {
				// A modern stream ends with the result of its `listen` request.
				if (wish.subscriptionId !== null)
					stream.send(
						wrapAnswer(
							wish.subscriptionId,
							"result",
							'{"resultType":"complete"}',
						),
					);
				stream.end();
			}
		},
	};
}

/** Whether a view has that server, through that upstream's identity. */
function concerns({ servers, caller }: View, upstream: Upstream): boolean {
	const { server, identity } = upstream;
	return (
		(identity === "shared" || identity === caller.userId) &&
		servers.some(({ id }) => id === server.id)
	);
}

function sendUpdate({ stream, wish, bells }: Ear, uri: string): void {
	bells.ring(`resource ${uri}`, () =>
		stream.send(
			tagged(
				"notifications/resources/updated",
				wish.subscriptionId,
				`"uri":${JSON.stringify(uri)}`,
			),
		),
	);
}

function sendChange({ stream, wish, bells }: Ear, list: ListChange): void {
	if (!wish.lists.has(list)) return;
	bells.ring(list, () =>
		stream.send(
			tagged(`notifications/${list}/list_changed`, wish.subscriptionId),
		),
	);
}

/** What a modern server says of a task, in the words of whoever watches it. */
function taskNews(
	{ only }: View,
	{ server }: Upstream,
	message: Bytes,
	exposed: string,
	subscriptionId: string,
): Bytes {
	const params = memberOf(message, 0, "params") as Range;
	const renamed = renameInResult(
		message.subarray(params.start, params.end),
		() => exposed,
	);
	const shown = only ? renamed : exposeResult(server.slug, renamed, true);
	const said = textOf(withoutMember(shown, "_meta"));
	return tagged("notifications/tasks", subscriptionId, said.slice(1, -1));
}

/** A notification of ours, tagged for a modern stream. */
export function tagged(
	method: string,
	subscriptionId: string | null,
	extra = "",
): Bytes {
	const meta =
		subscriptionId === null
			? ""
			: `"_meta":{${JSON.stringify(META.subscriptionId)}:${subscriptionId}}`;
	const params = [extra, meta].filter((part) => part !== "").join(",");
	return toBytes(
		`{"jsonrpc":"2.0","method":"${method}"${params === "" ? "" : `,"params":{${params}}`}}`,
	);
}
