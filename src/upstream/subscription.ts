/**
 * The `subscriptions/listen` stream of a modern connection: changes of lists, and of the resources and
 * tasks that are watched.
 *
 * What is wished for is said when a stream begins, so another wish is another stream. The older one is let go when the
 * newer is acknowledged: between them nothing is missed, and something may be heard twice.
 *
 * @see specification 2026-07-28, basic/utilities/subscriptions
 */
import { delay } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { type Bytes, objectOf, parseJson, toBytes } from "../message.ts";
import type { Changes, Talk } from "./connection.ts";
import {
	cancelled,
	LinkError,
	pauseMs,
	type Speaking,
	unwatchable,
} from "./link.ts";
import { type Topic, topicsOf } from "./topic.ts";

export const LISTEN = "subscriptions/listen";

/** The longest a timer can wait. */
const FOREVER_MS = 2 ** 31 - 1;
/** Watchers often come together; they share one new stream. */
const GATHER_MS = 20;
const ACKNOWLEDGE_TIMEOUT_MS = 30_000;

type Stream = {
	readonly abort: AbortController;
	acknowledged: boolean;
};

/** @param lists what the server tells changes of: `tools`, `prompts`, `resources` */
export function createSubscription(
	talk: Talk,
	speaking: Speaking,
	lists: readonly string[],
): Changes {
	const watched = new Set<Topic>();
	/** Watched, and not acknowledged yet. */
	const waiting = new Map<Topic, PromiseWithResolvers<void>>();
	/** Oldest first. */
	const streams: Stream[] = [];
	let release: (() => void) | null = null;
	let ended = false;
	let due: ReturnType<typeof setTimeout> | undefined;

	const wish = (): string =>
		[
			...lists.map((list) => `"${list}ListChanged":true`),
			...listed("resourceSubscriptions", topicsOf("resource", watched)),
			...listed("taskIds", topicsOf("task", watched)),
		].join(",");

	const refuse = (topics: Iterable<Topic>, error: LinkError): void => {
		for (const topic of [...topics]) {
			const wanted = waiting.get(topic);
			if (!wanted) continue;
			waiting.delete(topic);
			watched.delete(topic);
			wanted.reject(error);
		}
	};

	const acknowledge = (
		stream: Stream,
		topics: readonly Topic[],
		message: Bytes,
	): void => {
		stream.acknowledged = true;
		for (const older of streams.slice(0, Math.max(0, streams.indexOf(stream))))
			older.abort.abort();
		const honoured = honouredIn(message);
		refuse(
			topics.filter((topic) => !honoured.has(topic)),
			unwatchable(),
		);
		for (const topic of topics) {
			waiting.get(topic)?.resolve();
			waiting.delete(topic);
		}
	};

	/** Keeps one stream open until it is let go. */
	const follow = async (stream: Stream): Promise<void> => {
		const { signal } = stream.abort;
		for (let attempt = 0; !signal.aborted && wish() !== ""; attempt++) {
			const topics = [...watched];
			try {
				const reply = await talk.request(
					{
						method: LISTEN,
						params: toBytes(`{"notifications":{${wish()}}}`),
						signal,
						onNotification: (message) => acknowledge(stream, topics, message),
					},
					speaking,
					FOREVER_MS,
				);
				if (reply.member === "error" && !stream.acknowledged)
					return refuse(topics, unwatchable());
			} catch (error) {
				if (!(error instanceof SallyportError)) throw error;
			}
			await delay(pauseMs(attempt), signal);
		}
	};

	const open = (): void => {
		clearTimeout(due);
		due = undefined;
		if (ended) return;
		if (wish() === "") {
			for (const { abort } of streams) abort.abort();
			return;
		}
		release ??= talk.link.takeStream();
		if (!release) {
			refuse(waiting.keys(), noPlace());
			return;
		}
		const stream: Stream = {
			abort: new AbortController(),
			acknowledged: false,
		};
		streams.push(stream);
		void follow(stream).finally(() => {
			streams.splice(streams.indexOf(stream), 1);
			if (streams.length > 0) return;
			release?.();
			release = null;
		});
	};

	const renew = (): void => {
		due ??= setTimeout(open, GATHER_MS);
	};

	void talk.link.closed.then((reason) => {
		ended = true;
		clearTimeout(due);
		for (const { abort } of streams) abort.abort();
		refuse(waiting.keys(), new LinkError("broken", reason));
	});

	return {
		open,
		watch: async (topic) => {
			const known = waiting.get(topic);
			if (known) return known.promise;
			if (watched.has(topic)) return;
			if (ended) throw new LinkError("unsent", "the connection was closed");
			const wanted = Promise.withResolvers<void>();
			watched.add(topic);
			waiting.set(topic, wanted);
			renew();
			const timer = setTimeout(
				() => refuse([topic], silent()),
				ACKNOWLEDGE_TIMEOUT_MS,
			);
			await wanted.promise.finally(() => clearTimeout(timer));
		},
		unwatch: (topic) => {
			refuse([topic], cancelled());
			if (watched.delete(topic)) renew();
		},
	};
}

/** What a server has agreed to tell of. */
function honouredIn(message: Bytes): ReadonlySet<Topic> {
	const { params } = objectOf(parseJson(message));
	const agreed = objectOf(objectOf(params)["notifications"]);
	const of = (key: string): readonly unknown[] => {
		const list = agreed[key];
		return Array.isArray(list) ? list : [];
	};
	return new Set([
		...of("resourceSubscriptions").map((uri): Topic => `resource ${uri}`),
		...of("taskIds").map((id): Topic => `task ${id}`),
	]);
}

/** A member of the wish; none for an empty list. */
function listed(key: string, values: readonly string[]): readonly string[] {
	return values.length > 0 ? [`"${key}":${JSON.stringify(values)}`] : [];
}

function noPlace(): LinkError {
	return new LinkError("final", "too many streams are open", {
		code: "unavailable",
		hint: "try again later",
	});
}

function silent(): LinkError {
	return new LinkError("final", "the server did not confirm the subscription");
}
