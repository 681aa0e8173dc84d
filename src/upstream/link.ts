/**
 * A link: one conversation with a server, over whichever transport. What Streamable HTTP, HTTP+SSE and stdio have in
 * common: a request goes out as bytes, its answer comes back as bytes, and whatever else the server says is handed up.
 * A link knows nothing of eras beyond the headers HTTP needs, and nothing of lists, caches or who is calling.
 */
import type { Abortable } from "../abort.ts";
import type { Writable } from "../assembly.ts";
import { type ErrorCode, SallyportError } from "../errors.ts";
import type { Bytes, Message } from "../message.ts";
import type { Era } from "../protocol.ts";
import type { Patience } from "./patience.ts";
import type { ReplyTo } from "./reply-to.ts";

export type Notification = Extract<Message, { kind: "notification" }>;
export type ServerRequest = Extract<Message, { kind: "request" }>;

/** One request on its way out, which hears of its own answer. */
export type Outgoing = ReplyTo & {
	readonly id: number;
	readonly method: string;
	/** The whole message. */
	readonly message: Writable;
	/** What HTTP says beside the message; other transports have no place for it. */
	readonly speaking: Speaking;
	/** More headers that mirror the message (modern HTTP). */
	readonly headers?: Readonly<Record<string, string>> | undefined;
	readonly signal: Abortable;
	readonly patience: Patience;
	/** What the server says about this request before it answers. */
	onNotification(notification: Notification): void;
};

/** What is spoken on this link; `protocolVersion` is null until a legacy server has chosen one. */
export type Speaking = {
	readonly era: Era;
	readonly protocolVersion: string | null;
};

export type Link = {
	readonly send: (outgoing: Outgoing) => void;
	readonly notify: (message: Bytes, speaking: Speaking) => Promise<void>;
	/** Asks a legacy HTTP server for a stream of what it says unasked; other transports hear it anyway. */
	readonly listen: (speaking: Speaking) => void;
	/** A place among the HTTP streams that may stay open for nothing; null when there is none left. */
	readonly takeStream: () => (() => void) | null;
	readonly close: () => Promise<void>;
	/** Resolves when the link is of no use any more, with the reason in our words. Never rejects. */
	readonly closed: Promise<string>;
};

/** What a link hands up besides answers. */
export type Hearing = {
	readonly onNotification: (notification: Notification) => void;
	/**
	 * Answers a request of the server, which may take as long as a person does; null when the server does not want to
	 * know any more. Never rejects.
	 * @param callId our request on whose own stream it came; null where all share one
	 */
	readonly onRequest: (
		request: ServerRequest,
		callId: number | null,
	) => Promise<Bytes | null>;
};

/** Requests that change nothing, and may be sent twice. */
const SAFE = new Set([
	"initialize",
	"server/discover",
	"ping",
	"tools/list",
	"prompts/list",
	"prompts/get",
	"resources/list",
	"resources/templates/list",
	"resources/read",
	"completion/complete",
	"tasks/get",
	"tasks/result",
]);

export function isSafe(method: string): boolean {
	return SAFE.has(method);
}

/** The bytes that one message of a server may have when it must be held whole. */
export const MESSAGE_BYTES_MAX = 32 * 1024 * 1024;

/** Until a server has introduced itself; a process may have to load a lot first. */
export const START_TIMEOUT_MS = 60_000;

/** Pauses before a stream that ended is opened again; the last one repeats. */
export const RECONNECT_MS = [1000, 2000, 5000, 15_000, 60_000] as const;

/**
 * A failure of a link.
 * `unsent`: the server never took the request, so it can be sent again on another link.
 * `broken`: nobody knows how far it came, so only what changes nothing may be sent again.
 * `final`: it was answered, or given up; to send it again would change nothing.
 */
export class LinkError extends SallyportError {
	readonly reach: "unsent" | "broken" | "final";
	/** The HTTP status that the server refused with. */
	readonly status: number | undefined;

	constructor(
		reach: "unsent" | "broken" | "final",
		message: string,
		options: { hint?: string; status?: number; code?: ErrorCode } = {},
	) {
		super(
			options.code ?? "upstream",
			message,
			options.hint === undefined ? {} : { hint: options.hint },
		);
		this.name = "LinkError";
		this.reach = reach;
		this.status = options.status;
	}
}

/** The call's own signal ended it. */
export function cancelled(): LinkError {
	return new LinkError("final", "the call was cancelled", {
		code: "unavailable",
	});
}

/** Nothing was heard for too long. Not sent again: it would take as long again. */
export function timedOut({
	patience: { timeoutMs },
}: Pick<Outgoing, "patience">): LinkError {
	return new LinkError(
		"final",
		`the server did not answer within ${Math.ceil(timeoutMs / 1000)} s`,
		{ hint: "check that the server is running and not overloaded" },
	);
}

/** The server does not tell of changes of that. */
export function unwatchable(): LinkError {
	return new LinkError("final", "the server refused to tell of changes");
}

/** Does the first work on a link, and closes it when that fails. */
export async function closeOnFailure<T>(
	link: Link,
	work: () => Promise<T>,
): Promise<T> {
	try {
		return await work();
	} catch (error) {
		await link.close();
		throw error;
	}
}

/** The promise, or the end of whoever waits for it. What is waited for goes on for the others. */
export function unless<T>(
	signal: Abortable | undefined,
	promise: Promise<T>,
): Promise<T> {
	if (!signal) return promise;
	return new Promise((resolve, reject) => {
		if (signal.aborted) reject(cancelled());
		const stop = (): void => reject(cancelled());
		signal.addEventListener("abort", stop, { once: true });
		promise
			.then(resolve, reject)
			.finally(() => signal.removeEventListener("abort", stop));
	});
}

/** The pause before the next attempt. */
export function pauseMs(attempt: number): number {
	return RECONNECT_MS[Math.min(attempt, RECONNECT_MS.length - 1)] ?? 0;
}
