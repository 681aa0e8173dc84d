/**
 * The `subscriptions/listen` stream of a modern connection: changes of lists, and of the resources and
 * tasks that are watched.
 *
 * What is wished for is said when a stream begins, so another wish is another stream. The older one is let go when the
 * newer is acknowledged: between them nothing is missed, and something may be heard twice.
 *
 * @see specification 2026-07-28, basic/utilities/subscriptions
 */
import { Abort } from "../abort.ts";
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
	readonly abort: Abort;
	acknowledged: boolean;
};

/** A class, because every modern connection has one, and most watch nothing. */
export class Subscription implements Changes {
	readonly #talk: Talk;
	readonly #speaking: Speaking;
	readonly #lists: readonly string[];
	readonly #watched = new Set<Topic>();
	/** Watched, and not acknowledged yet. */
	readonly #waiting = new Map<Topic, PromiseWithResolvers<void>>();
	/** Oldest first. */
	readonly #streams: Stream[] = [];
	#release: (() => void) | null = null;
	#ended = false;
	#due: ReturnType<typeof setTimeout> | undefined;

	/** @param lists what the server tells changes of: `tools`, `prompts`, `resources` */
	constructor(talk: Talk, speaking: Speaking, lists: readonly string[]) {
		this.#talk = talk;
		this.#speaking = speaking;
		this.#lists = lists;
		void talk.link.closed.then((reason) => this.#end(reason));
	}

	open(): void {
		clearTimeout(this.#due);
		this.#due = undefined;
		if (this.#ended) return;
		if (this.#wish() === "") {
			for (const { abort } of this.#streams) abort.abort();
			return;
		}
		this.#release ??= this.#talk.link.takeStream();
		if (!this.#release) {
			this.#refuse(this.#waiting.keys(), noPlace());
			return;
		}
		const stream: Stream = { abort: new Abort(), acknowledged: false };
		this.#streams.push(stream);
		void this.#follow(stream).finally(() => this.#leave(stream));
	}

	async watch(topic: Topic): Promise<void> {
		const known = this.#waiting.get(topic);
		if (known) return known.promise;
		if (this.#watched.has(topic)) return;
		if (this.#ended) throw new LinkError("unsent", "the connection was closed");
		const wanted = Promise.withResolvers<void>();
		this.#watched.add(topic);
		this.#waiting.set(topic, wanted);
		this.#renew();
		const timer = setTimeout(
			() => this.#refuse([topic], silent()),
			ACKNOWLEDGE_TIMEOUT_MS,
		);
		await wanted.promise.finally(() => clearTimeout(timer));
	}

	unwatch(topic: Topic): void {
		this.#refuse([topic], cancelled());
		if (this.#watched.delete(topic)) this.#renew();
	}

	#renew(): void {
		this.#due ??= setTimeout(() => this.open(), GATHER_MS);
	}

	#end(reason: string): void {
		this.#ended = true;
		clearTimeout(this.#due);
		for (const { abort } of this.#streams) abort.abort();
		this.#refuse(this.#waiting.keys(), new LinkError("broken", reason));
	}

	#wish(): string {
		return [
			...this.#lists.map((list) => `"${list}ListChanged":true`),
			...listed("resourceSubscriptions", topicsOf("resource", this.#watched)),
			...listed("taskIds", topicsOf("task", this.#watched)),
		].join(",");
	}

	#refuse(topics: Iterable<Topic>, error: LinkError): void {
		for (const topic of [...topics]) {
			const wanted = this.#waiting.get(topic);
			if (!wanted) continue;
			this.#waiting.delete(topic);
			this.#watched.delete(topic);
			wanted.reject(error);
		}
	}

	#acknowledge(stream: Stream, topics: readonly Topic[], message: Bytes): void {
		stream.acknowledged = true;
		const olderCount = Math.max(0, this.#streams.indexOf(stream));
		for (const older of this.#streams.slice(0, olderCount)) older.abort.abort();
		const honoured = honouredIn(message);
		this.#refuse(
			topics.filter((topic) => !honoured.has(topic)),
			unwatchable(),
		);
		for (const topic of topics) {
			this.#waiting.get(topic)?.resolve();
			this.#waiting.delete(topic);
		}
	}

	/** Keeps one stream open until it is let go. */
	async #follow(stream: Stream): Promise<void> {
		const { abort: signal } = stream;
		for (let attempt = 0; !signal.aborted && this.#wish() !== ""; attempt++) {
			const topics = [...this.#watched];
			try {
				const reply = await this.#talk.request(
					{
						method: LISTEN,
						params: toBytes(`{"notifications":{${this.#wish()}}}`),
						signal,
						onNotification: (message) =>
							this.#acknowledge(stream, topics, message),
					},
					this.#speaking,
					FOREVER_MS,
				);
				if (reply.member === "error" && !stream.acknowledged)
					return this.#refuse(topics, unwatchable());
			} catch (error) {
				if (!(error instanceof SallyportError)) throw error;
			}
			await delay(pauseMs(attempt), signal);
		}
	}

	#leave(stream: Stream): void {
		this.#streams.splice(this.#streams.indexOf(stream), 1);
		if (this.#streams.length > 0) return;
		this.#release?.();
		this.#release = null;
	}
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
