/**
 * Which answer belongs to which request, on the transports where all of them share one stream (stdio, HTTP+SSE).
 */
import {
	type Bytes,
	MalformedMessage,
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

type Waiting = {
	readonly outgoing: Outgoing;
	readonly resolve: (reply: Reply) => void;
	readonly reject: (error: LinkError) => void;
};

/** Requests that may wait on one stream. */
const WAITING_MAX = 1000;

export function createPending(
	hearing: Hearing,
	answer: (bytes: Bytes) => void,
): Pending {
	const waiting = new Map<string, Waiting>();

	/** Removes what waits under the id, and gives it. */
	const settle = (id: string): Waiting | undefined => {
		const found = waiting.get(id);
		waiting.delete(id);
		return found;
	};
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
		const id = message.id ?? (only()?.outgoing.id.toString() as string);
		const { bytes, body } = message;
		settle(id)?.resolve({
			member: message.member,
			body: bytes.subarray(body.start, body.end),
		});
	};

	return {
		add: (outgoing, send, cancel) =>
			new Promise<Reply>((resolve, reject) => {
				const fault = outgoing.signal.aborted
					? cancelled()
					: waiting.size >= WAITING_MAX
						? tooMany()
						: null;
				if (fault) {
					outgoing.onEnd(outgoing.id);
					return reject(fault);
				}
				const id = String(outgoing.id);
				const stop = (error: LinkError): void => {
					if (waiting.has(id)) cancel();
					finish();
					reject(error);
				};
				const onAbort = (): void => stop(cancelled());
				outgoing.patience.start(() => stop(timedOut(outgoing)));
				const finish = (): void => {
					outgoing.patience.stop();
					waiting.delete(id);
					outgoing.signal.removeEventListener("abort", onAbort);
					outgoing.onEnd(outgoing.id);
				};
				outgoing.signal.addEventListener("abort", onAbort, { once: true });
				waiting.set(id, {
					outgoing,
					resolve: (reply) => {
						finish();
						resolve(reply);
					},
					reject: (error) => {
						finish();
						reject(error);
					},
				});
				const failed = (error: unknown): void =>
					settle(id)?.reject(
						error instanceof LinkError
							? error
							: new LinkError("broken", "the request could not be sent"),
					);
				try {
					Promise.resolve(send()).catch(failed);
				} catch (error) {
					failed(error);
				}
			}),
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
			for (const [id] of [...waiting])
				settle(id)?.reject(new LinkError("broken", reason));
		},
		count: () => waiting.size,
	};
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
