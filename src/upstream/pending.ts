/**
 * Which answer belongs to which request, on the transports where all of them share one stream (stdio, HTTP+SSE).
 */
import { MalformedMessage } from "../malformed.ts";
import {
	type Bytes,
	cut,
	type Message,
	memberOf,
	parseJson,
	parseMessage,
	textOf,
} from "../message.ts";
import { META } from "../protocol.ts";
import {
	cancelled,
	type Hearing,
	LinkError,
	type Notification,
	type Outgoing,
	timedOut,
} from "./link.ts";
import type { Waiter } from "./patience.ts";
import type { Reply } from "./upstream.ts";

export type Pending = {
	/** Waits for the answer to a request that `send` puts on the wire. `cancel` tells the server to stop. */
	readonly add: (
		outgoing: Outgoing,
		send: () => Promise<void> | void,
		cancel: () => void,
	) => Promise<Reply>;
	/** Takes one message of the server. Returns false when it is not a JSON-RPC message. */
	readonly receive: (bytes: Bytes) => boolean;
	/** Fails everything that waits. */
	readonly fail: (reason: string) => void;
	readonly count: () => number;
};

/** Requests that may wait on one stream. */
const WAITING_MAX = 1000;

export function createPending(
	hearing: Hearing,
	answer: (bytes: Bytes) => void,
): Pending {
	const waiting = new Map<string, Waiting>();

	const only = (): Waiting | undefined =>
		waiting.size === 1 ? waiting.values().next().value : undefined;

	const hear = (notification: Notification): void => {
		const owner = ownerOf(notification, waiting);
		if (owner) {
			owner.outgoing.patience.touch();
			owner.outgoing.onNotification(notification);
		} else hearing.onNotification(notification);
	};
	const respond = (message: Extract<Message, { kind: "response" }>): void => {
		// An error without an id answers what could not be read; it can only be the one request there is.
		const answered = message.id === null ? only() : waiting.get(message.id);
		const { bytes, body, member } = message;
		answered?.resolve({ member, body: cut(bytes, body.start, body.end) });
	};

	return {
		add: (outgoing, send, cancel) => {
			const fault = outgoing.signal.aborted
				? cancelled()
				: waiting.size >= WAITING_MAX
					? tooMany()
					: null;
			if (fault) {
				outgoing.onEnd();
				return Promise.reject(fault);
			}
			const added = new Waiting(waiting, outgoing, cancel);
			try {
				const sent = send();
				if (sent instanceof Promise)
					sent.catch((error: unknown) => added.failToSend(error));
			} catch (error) {
				added.failToSend(error);
			}
			return added.reply;
		},
		receive: (bytes) => {
			try {
				const message = parseMessage(bytes);
				if (message.kind === "response") respond(message);
				else if (message.kind === "notification") hear(message);
				else
					void hearing.onRequest(message, null).then((bytes) => {
						if (bytes) answer(bytes);
					});
				return true;
			} catch (error) {
				if (error instanceof MalformedMessage) return false;
				throw error;
			}
		},
		fail: (reason) => {
			for (const each of [...waiting.values()])
				each.reject(new LinkError("broken", reason));
		},
		count: () => waiting.size,
	};
}

/** A request that waits for its answer. A class, because every call makes one. */
class Waiting implements Waiter, EventListenerObject {
	readonly outgoing: Outgoing;
	readonly reply: Promise<Reply>;
	readonly #all: Map<string, Waiting>;
	readonly #cancel: () => void;
	readonly #resolve: (reply: Reply) => void;
	readonly #reject: (error: LinkError) => void;

	/** Joins all that wait. @param cancel tells the server to stop */
	constructor(
		all: Map<string, Waiting>,
		outgoing: Outgoing,
		cancel: () => void,
	) {
		const { promise, resolve, reject } = Promise.withResolvers<Reply>();
		this.outgoing = outgoing;
		this.reply = promise;
		this.#all = all;
		this.#cancel = cancel;
		this.#resolve = resolve;
		this.#reject = reject;
		all.set(String(outgoing.id), this);
		outgoing.patience.start(this);
		outgoing.signal.addEventListener("abort", this);
	}

	resolve(reply: Reply): void {
		this.#finish();
		this.#resolve(reply);
	}

	reject(error: LinkError): void {
		this.#finish();
		this.#reject(error);
	}

	failToSend(error: unknown): void {
		this.reject(
			error instanceof LinkError
				? error
				: new LinkError("broken", "the request could not be sent"),
		);
	}

	/** Its caller wants it no more. */
	handleEvent(): void {
		this.#cancel();
		this.reject(cancelled());
	}

	onLate(): void {
		this.#cancel();
		this.reject(timedOut(this.outgoing));
	}

	#finish(): void {
		const { outgoing } = this;
		outgoing.patience.stop();
		outgoing.signal.removeEventListener("abort", this);
		// A failure to send may be told after the answer has come all the same.
		if (this.#all.delete(String(outgoing.id))) outgoing.onEnd();
	}
}

function tooMany(): LinkError {
	return new LinkError("unsent", "the server has too many open calls", {
		code: "unavailable",
		hint: "try again in a moment",
	});
}

/** The request that a notification names. */
function ownerOf(
	notification: Notification,
	waiting: ReadonlyMap<string, Waiting>,
): Waiting | undefined {
	const { method, bytes, params } = notification;
	if (!params) return undefined;
	if (method === "notifications/progress") {
		const token = memberOf(bytes, params.start, "progressToken");
		return token && waiting.get(textOf(bytes, token));
	}
	if (method !== "notifications/subscriptions/acknowledged") return undefined;
	const meta = memberOf(bytes, params.start, "_meta");
	const id = meta && memberOf(bytes, meta.start, META.subscriptionId);
	return id && waiting.get(String(parseJson(bytes, id)));
}
