/**
 * Which answer belongs to which request, on the transports where all of them share one stream (stdio, HTTP+SSE).
 */

import { cut } from "../assembly.ts";
import { MalformedMessage } from "../malformed.ts";
import {
	type Bytes,
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
	/** Waits for the answer to a request that the wire carries. */
	readonly add: (outgoing: Outgoing, wire: Wire) => void;
	/** Takes one message of the server. Returns false when it is not a JSON-RPC message. */
	readonly receive: (bytes: Bytes) => boolean;
	/** Fails everything that waits. */
	readonly fail: (reason: string) => void;
	readonly count: () => number;
};

/** What carries requests. */
export type Wire = {
	readonly send: (outgoing: Outgoing) => Promise<void> | void;
	/** Tells the server to stop. */
	readonly cancel: (outgoing: Outgoing) => void;
};

/** Requests that may wait on one stream. */
const WAITING_MAX = 1000;

export function createPending(
	hearing: Hearing,
	answer: (bytes: Bytes) => void,
): Pending {
	const waiting = new Map<number, Waiting>();

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
		const answered =
			message.id === null ? only() : waiting.get(Number(message.id));
		const { bytes, body, member } = message;
		answered?.onReply({ member, body: cut(bytes, body.start, body.end) });
	};

	return {
		add: (outgoing, wire) => {
			const fault = outgoing.signal.aborted
				? cancelled()
				: waiting.size >= WAITING_MAX
					? tooMany()
					: null;
			if (fault) return outgoing.onFailure(fault);
			const added = new Waiting(waiting, outgoing, wire);
			try {
				const sent = wire.send(outgoing);
				if (sent instanceof Promise)
					sent.catch((error: unknown) => added.failToSend(error));
			} catch (error) {
				added.failToSend(error);
			}
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
				each.onFailure(new LinkError("broken", reason));
		},
		count: () => waiting.size,
	};
}

/** A request that waits for its answer. A class, because every call makes one. */
class Waiting implements Waiter, EventListenerObject {
	readonly outgoing: Outgoing;
	readonly #all: Map<number, Waiting>;
	readonly #wire: Wire;

	/** Joins all that wait. */
	constructor(all: Map<number, Waiting>, outgoing: Outgoing, wire: Wire) {
		this.outgoing = outgoing;
		this.#all = all;
		this.#wire = wire;
		all.set(outgoing.id, this);
		outgoing.patience.start(this);
		outgoing.signal.addEventListener("abort", this);
	}

	onReply(reply: Reply): void {
		if (this.#finish()) this.outgoing.onReply(reply);
	}

	onFailure(error: LinkError): void {
		if (this.#finish()) this.outgoing.onFailure(error);
	}

	failToSend(error: unknown): void {
		this.onFailure(
			error instanceof LinkError
				? error
				: new LinkError("broken", "the request could not be sent"),
		);
	}

	/** Its caller wants it no more. */
	handleEvent(): void {
		this.#wire.cancel(this.outgoing);
		this.onFailure(cancelled());
	}

	onLate(): void {
		this.#wire.cancel(this.outgoing);
		this.onFailure(timedOut(this.outgoing));
	}

	/** False when it was over already: a failure to send may be told after the answer has come all the same. */
	#finish(): boolean {
		if (!this.#all.delete(this.outgoing.id)) return false;
		this.outgoing.patience.stop();
		this.outgoing.signal.removeEventListener("abort", this);
		return true;
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
	waiting: ReadonlyMap<number, Waiting>,
): Waiting | undefined {
	const { method, bytes, params } = notification;
	if (!params) return undefined;
	if (method === "notifications/progress") {
		const token = memberOf(bytes, params.start, "progressToken");
		return token && waiting.get(Number(textOf(bytes, token)));
	}
	if (method !== "notifications/subscriptions/acknowledged") return undefined;
	const meta = memberOf(bytes, params.start, "_meta");
	const id = meta && memberOf(bytes, meta.start, META.subscriptionId);
	return id && waiting.get(Number(parseJson(bytes, id)));
}
