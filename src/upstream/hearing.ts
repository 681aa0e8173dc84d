/**
 * What a server says unasked on one link: whom it concerns.
 *
 * A question goes to the call it is asked in, and a log line to the call it tells of. Where the transport does not say
 * which call that is (stdio, HTTP+SSE, the GET stream), it is guessed only among the calls of one asker: what belongs
 * to one person is never shown to another. Changes of lists and resources concern everybody. That a page was visited,
 * and what is asked outside any call, concerns whoever the server has dealt with; that is not known here.
 *
 * @see specification 2025-11-25, client/elicitation, client/sampling, client/roots, server/utilities/logging
 */
import {
	type Bytes,
	memberOf,
	parseJson,
	type Range,
	textOf,
} from "../message.ts";
import { RPC } from "../protocol.ts";
import { wrapAnswer } from "./envelope.ts";
import type { Hearing, Notification, ServerRequest } from "./link.ts";
import { READ_BYTES_MAX, wholeBody } from "./reply.ts";
import { type Running, RunningCalls } from "./running.ts";
import type {
	Call,
	ListKind,
	Question,
	Reply,
	UpstreamEvent,
} from "./upstream.ts";

/** Questions of one server that wait at once. */
const QUESTIONS_MAX = 100;

/** In the legacy era and in the modern one. */
const TASK_NEWS = ["notifications/tasks/status", "notifications/tasks"];

const CHANGES: Readonly<Record<string, readonly ListKind[]>> = {
	"notifications/tools/list_changed": ["tools"],
	"notifications/prompts/list_changed": ["prompts"],
	"notifications/resources/list_changed": ["resources", "resourceTemplates"],
};

/** What is heard on one link. A class, because every connection has one. */
export class LinkHearing implements Hearing {
	/** The calls that things can be handed to. */
	readonly calls = new RunningCalls();
	readonly #onEvent: (event: UpstreamEvent) => void;
	readonly #shared: boolean;
	/** How to withdraw a question, by the raw JSON of its id. */
	readonly #asked = new Map<string, () => void>();
	/** Questions outside any call that wait. */
	#outside = 0;

	/** @param deps.shared whether people share the identity that this link is of */
	constructor(deps: {
		readonly onEvent: (event: UpstreamEvent) => void;
		readonly shared: boolean;
	}) {
		this.#onEvent = deps.onEvent;
		this.#shared = deps.shared;
	}

	async onRequest(
		request: ServerRequest,
		callId: number | null,
	): Promise<Bytes | null> {
		if (request.method === "ping")
			return wrapAnswer(request.id, "result", "{}");
		const able = this.calls
			.list()
			.filter(({ id, call }) => call.onQuestion && id === (callId ?? id));
		const [newest] = able;
		if (!newest)
			return (
				(await this.#askOutside(request)) ?? refusal(request.id, ...UNABLE)
			);
		if (!haveOneAsker(able)) return refusal(request.id, ...AMBIGUOUS);
		if (this.#asked.size >= QUESTIONS_MAX)
			return refusal(request.id, ...TOO_MANY);
		return this.#ask(request, newest);
	}

	onNotification(notification: Notification): void {
		const { method } = notification;
		if (method === "notifications/message") {
			this.#hearLog(notification);
			return;
		}
		if (method === "notifications/cancelled")
			this.#asked.get(paramOf(notification, "requestId") ?? "")?.();
		if (method === "notifications/elicitation/complete") {
			const elicitationId = stringIn(notification, "elicitationId");
			const { bytes: message } = notification;
			if (elicitationId !== null)
				this.#onEvent({ type: "visited", elicitationId, message });
		}
		for (const event of changesOf(notification)) this.#onEvent(event);
	}

	async #ask(request: ServerRequest, running: Running): Promise<Bytes | null> {
		const { id } = request;
		const { call, patience } = running;
		running.ends ??= new Set();
		const { ends } = running;
		const end = Promise.withResolvers<Bytes | null>();
		const onCallEnd = (): void => end.resolve(refusal(id, ...ENDED));
		const withdraw = (): void => end.resolve(null);
		ends.add(onCallEnd);
		this.#asked.set(id, withdraw);
		const resume = patience.hold();
		try {
			return await Promise.race([end.promise, answerOf(call, request)]);
		} finally {
			resume();
			ends.delete(onCallEnd);
			if (this.#asked.get(id) === withdraw) this.#asked.delete(id);
		}
	}

	/** Roots alone may be asked for outside any call: they are the only thing that a server is told has changed. */
	async #askOutside(request: ServerRequest): Promise<Bytes | null> {
		if (request.method !== "roots/list" || this.#outside >= QUESTIONS_MAX)
			return null;
		let given: Promise<Reply> | null = null;
		this.#onEvent({
			type: "roots_asked",
			question: questionOf(request),
			answer: (reply) => {
				given ??= reply;
			},
		});
		const reply = given as Promise<Reply> | null;
		if (!reply) return null;
		this.#outside++;
		try {
			return await answerWith(request, reply);
		} finally {
			this.#outside--;
		}
	}

	#hearLog(notification: Notification): void {
		const open = this.calls.list();
		const [newest] = open;
		if (newest && haveOneAsker(open)) {
			newest.patience.touch();
			newest.call.onNotification?.(notification.bytes);
		}
		// Of calls of several people the line tells of one, nobody knows which, and an event would be heard by all.
		else if (!newest || !this.#shared)
			this.#onEvent({ type: "log", message: notification.bytes });
	}
}

/** What a notification tells of the server itself. */
export function changesOf(
	notification: Notification,
): readonly UpstreamEvent[] {
	const { method, bytes } = notification;
	const lists = CHANGES[method];
	if (lists) return lists.map((list) => ({ type: "list_changed", list }));
	if (TASK_NEWS.includes(method)) {
		const taskId = stringIn(notification, "taskId");
		return taskId === null
			? []
			: [{ type: "task_status", taskId, message: bytes }];
	}
	if (method !== "notifications/resources/updated") return [];
	const uri = stringIn(notification, "uri");
	return uri === null ? [] : [{ type: "resource_updated", uri }];
}

/** Whether all calls are of the same asker. Of one that does not say, nobody knows. */
function haveOneAsker(calls: readonly Running[]): boolean {
	const asker = calls[0]?.call.asker;
	return (
		calls.length < 2 ||
		(asker !== undefined && calls.every(({ call }) => call.asker === asker))
	);
}

/** A copy of it: the bytes around it may be much more, and a person may take long. */
function questionOf({ method, bytes, params }: ServerRequest): Question {
	return { method, params: params && bytes.slice(params.start, params.end) };
}

async function answerOf(call: Call, request: ServerRequest): Promise<Bytes> {
	return call.onQuestion
		? answerWith(request, call.onQuestion(questionOf(request)))
		: refusal(request.id, ...UNABLE);
}

async function answerWith(
	{ id }: ServerRequest,
	answer: Promise<Reply>,
): Promise<Bytes> {
	try {
		const { member, body } = await answer;
		return wrapAnswer(id, member, await wholeBody(body, READ_BYTES_MAX));
	} catch {
		// Whoever asks the client knows why it failed; to the server it is a question without an answer.
		return refusal(id, ...UNANSWERED);
	}
}

type Refusal = readonly [code: number, message: string];

const UNABLE: Refusal = [
	RPC.methodNotFound,
	"this client does not answer that",
];
const AMBIGUOUS: Refusal = [
	RPC.internalError,
	"several people use this server at the moment, and the question does not say whom it is for",
];
const TOO_MANY: Refusal = [RPC.internalError, "too many questions wait"];
const ENDED: Refusal = [
	RPC.internalError,
	"the call that the question belongs to has ended",
];
const UNANSWERED: Refusal = [RPC.internalError, "the client did not answer"];

function refusal(id: string, code: number, message: string): Bytes {
	return wrapAnswer(id, "error", JSON.stringify({ code, message }));
}

function rangeOf(
	{ bytes, params }: Notification,
	key: string,
): Range | undefined {
	return params ? memberOf(bytes, params.start, key) : undefined;
}

/** One of its params, if it is a string. */
function stringIn(notification: Notification, key: string): string | null {
	const member = rangeOf(notification, key);
	const value = member && parseJson(notification.bytes, member);
	return typeof value === "string" ? value : null;
}

/** The raw JSON of one of its params. */
function paramOf(notification: Notification, key: string): string | undefined {
	const member = rangeOf(notification, key);
	return member && textOf(notification.bytes, member);
}
