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
import type { Patience } from "./patience.ts";
import { READ_BYTES_MAX, wholeBody } from "./reply.ts";
import type {
	Call,
	ListKind,
	Question,
	Reply,
	UpstreamEvent,
} from "./upstream.ts";

/** One of our requests while it runs. */
export type Running = {
	readonly call: Call;
	readonly patience: Patience;
	/** What to do when it ends before its questions are answered; absent while it was asked none. */
	ends?: Set<() => void>;
};

/** A hearing, and the calls it can hand things to. */
export type CallHearing = Hearing & {
	/** Adds a call. */
	readonly join: (id: number, running: Running) => void;
	/** It has ended, and its open questions end with it. */
	readonly leave: (id: number) => void;
};

/** Questions of one server that wait at once. */
const QUESTIONS_MAX = 100;

/** In the legacy era and in the modern one. */
const TASK_NEWS = ["notifications/tasks/status", "notifications/tasks"];

const CHANGES: Readonly<Record<string, readonly ListKind[]>> = {
	"notifications/tools/list_changed": ["tools"],
	"notifications/prompts/list_changed": ["prompts"],
	"notifications/resources/list_changed": ["resources", "resourceTemplates"],
};

export function createHearing(deps: {
	readonly onEvent: (event: UpstreamEvent) => void;
	/** Whether people share the identity that this link is of. */
	readonly shared: boolean;
}): CallHearing {
	const running = new Map<number, Running>();
	/** How to withdraw a question, by the raw JSON of its id. */
	const asked = new Map<string, () => void>();
	/** Questions outside any call that wait. */
	let outside = 0;

	const ask = async (
		request: ServerRequest,
		joined: Running,
	): Promise<Bytes | null> => {
		const { id } = request;
		const { call, patience } = joined;
		joined.ends ??= new Set();
		const { ends } = joined;
		const end = Promise.withResolvers<Bytes | null>();
		const onCallEnd = (): void => end.resolve(refusal(id, ...ENDED));
		const withdraw = (): void => end.resolve(null);
		ends.add(onCallEnd);
		asked.set(id, withdraw);
		const resume = patience.hold();
		try {
			return await Promise.race([end.promise, answerOf(call, request)]);
		} finally {
			resume();
			ends.delete(onCallEnd);
			if (asked.get(id) === withdraw) asked.delete(id);
		}
	};

	/** Roots alone may be asked for outside any call: they are the only thing that a server is told has changed. */
	const askOutside = async (request: ServerRequest): Promise<Bytes | null> => {
		if (request.method !== "roots/list" || outside >= QUESTIONS_MAX)
			return null;
		let given: Promise<Reply> | null = null;
		deps.onEvent({
			type: "roots_asked",
			question: questionOf(request),
			answer: (reply) => {
				given ??= reply;
			},
		});
		const reply = given as Promise<Reply> | null;
		if (!reply) return null;
		outside++;
		try {
			return await answerWith(request, reply);
		} finally {
			outside--;
		}
	};

	const hearLog = (notification: Notification): void => {
		const open = [...running.values()];
		const newest = open.at(-1);
		if (newest && haveOneAsker(open)) {
			newest.patience.touch();
			newest.call.onNotification?.(notification.bytes);
		}
		// Of calls of several people the line tells of one, nobody knows which, and an event would be heard by all.
		else if (!newest || !deps.shared)
			deps.onEvent({ type: "log", message: notification.bytes });
	};

	return {
		join: (id, joined) => void running.set(id, joined),
		leave: (id) => {
			const joined = running.get(id);
			running.delete(id);
			if (joined?.ends) for (const end of joined.ends) end();
		},
		onRequest: async (request, callId) => {
			if (request.method === "ping")
				return wrapAnswer(request.id, "result", "{}");
			const able = [...running]
				.filter(
					([each, { call }]) => call.onQuestion && each === (callId ?? each),
				)
				.map(([, joined]) => joined);
			const newest = able.at(-1);
			if (!newest)
				return (await askOutside(request)) ?? refusal(request.id, ...UNABLE);
			if (!haveOneAsker(able)) return refusal(request.id, ...AMBIGUOUS);
			if (asked.size >= QUESTIONS_MAX) return refusal(request.id, ...TOO_MANY);
			return ask(request, newest);
		},
		onNotification: (notification) => {
			const { method } = notification;
			if (method === "notifications/message") return hearLog(notification);
			if (method === "notifications/cancelled")
				asked.get(paramOf(notification, "requestId") ?? "")?.();
			if (method === "notifications/elicitation/complete") {
				const elicitationId = stringIn(notification, "elicitationId");
				const { bytes: message } = notification;
				if (elicitationId !== null)
					deps.onEvent({ type: "visited", elicitationId, message });
			}
			for (const event of changesOf(notification)) deps.onEvent(event);
		},
	};
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
