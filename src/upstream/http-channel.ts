/**
 * What calls and listening share on Streamable HTTP: connections to one URL, the headers that go with everything, and
 * the legacy session, which is kept, sent along, and given up when the server has forgotten it.
 */

import type { Answer } from "../http1/answer.ts";
import type { Exchange } from "../http1/connection.ts";
import type { HeaderLines } from "../http1/request.ts";
import type { Bytes } from "../message.ts";
import { HEADER } from "../protocol.ts";
import { discard } from "./http-reply.ts";
import {
	baseHeaders,
	type HttpTarget,
	swallowExpected,
} from "./http-target.ts";
import {
	type Hearing,
	LinkError,
	type ServerRequest,
	type Speaking,
} from "./link.ts";

export type HttpChannel = {
	readonly post: (
		message: Bytes,
		speaking: Speaking,
		options: {
			readonly headers?: Readonly<Record<string, string>> | undefined;
			readonly timeoutMs: number | null;
			readonly repeatable: boolean;
		},
	) => Exchange;
	/** Opens a stream, or takes one up again after the event of this id (empty: from now on). */
	readonly stream: (speaking: Speaking, lastId: string) => Exchange;
	/** Says something that has no answer. */
	readonly say: (message: Bytes, speaking: Speaking) => Promise<void>;
	/** Says it if it can be said: nobody waits for it. */
	readonly tell: (message: Bytes, speaking: Speaking) => void;
	/** Answers a question of the server when the answer is known, unless the channel has ended meanwhile. */
	readonly answerServer: (
		request: ServerRequest,
		callId: number | null,
		speaking: Speaking,
	) => void;
	readonly inSession: (speaking: Speaking) => boolean;
	/** Takes the session that the answer to `initialize` opens. */
	readonly adopt: (answer: Answer) => void;
	/** The server has forgotten the session: the channel is of no use any more. */
	readonly lose: () => LinkError;
	readonly close: () => Promise<void>;
	/** Nothing new may begin; what was asked before may still be answered. */
	readonly isEnded: () => boolean;
	/** Aborted when that comes about. */
	readonly ended: () => AbortSignal;
	readonly closed: Promise<string>;
};

const NOTIFY_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 2000;
/** Some servers send the headers of a GET stream with its first event only. */
const STREAM_TIMEOUT_MS = 300_000;
const SESSION_ID = /^[\x21-\x7e]{1,1024}$/;

/** Nothing is sent until the first request. */
export function openHttpChannel(
	target: HttpTarget,
	hearing: Hearing,
): HttpChannel {
	const { egress, url } = target;
	const client = egress.openClient(url);
	const base = baseHeaders(target);
	const { promise: closed, resolve: end } = Promise.withResolvers<string>();
	let sessionId: string | null = null;
	let isEnded = false;
	/** Made for who waits for it: a signal is heavy, and most channels have nobody. */
	let ending: AbortController | null = null;
	const finish = (reason: string): void => {
		isEnded = true;
		ending?.abort();
		end(reason);
	};
	const ended = (): AbortSignal => {
		if (isEnded) return AbortSignal.abort();
		ending ??= new AbortController();
		return ending.signal;
	};

	const headersFor = (speaking: Speaking): Record<string, string> => ({
		...base,
		...(speaking.protocolVersion !== null && {
			[HEADER.protocolVersion]: speaking.protocolVersion,
		}),
		...(speaking.era === "legacy" &&
			sessionId !== null && { [HEADER.sessionId]: sessionId }),
	});
	/** The headers of a POST are the same from one to the next. */
	let prepared: {
		readonly speaking: Speaking;
		readonly sessionId: string | null;
		readonly lines: HeaderLines;
	} | null = null;
	const postLines = (speaking: Speaking): HeaderLines => {
		if (prepared?.speaking === speaking && prepared.sessionId === sessionId)
			return prepared.lines;
		const lines = egress.headers({
			...headersFor(speaking),
			accept: "application/json, text/event-stream",
			"content-type": "application/json",
		});
		prepared = { speaking, sessionId, lines };
		return lines;
	};

	const post: HttpChannel["post"] = (body, speaking, options) => {
		const lines = postLines(speaking);
		return client.send({
			method: "POST",
			headers: options.headers
				? ((lines + egress.headers(options.headers)) as HeaderLines)
				: lines,
			body,
			timeoutMs: options.timeoutMs,
			repeatable: options.repeatable,
		});
	};
	const say: HttpChannel["say"] = async (message, speaking) => {
		const { answer } = post(message, speaking, {
			timeoutMs: NOTIFY_TIMEOUT_MS,
			repeatable: true,
		});
		discard(await answer);
	};
	const tell: HttpChannel["tell"] = (message, speaking) => {
		say(message, speaking).catch(swallowExpected);
	};

	return {
		post,
		say,
		tell,
		stream: (speaking, lastId) =>
			client.send({
				method: "GET",
				headers: egress.headers({
					...headersFor(speaking),
					accept: "text/event-stream",
					...(lastId !== "" && { [HEADER.lastEventId]: lastId }),
				}),
				timeoutMs: STREAM_TIMEOUT_MS,
				repeatable: true,
			}),
		answerServer: (request, callId, speaking) => {
			void hearing.onRequest(request, callId).then((bytes) => {
				if (bytes && !isEnded) tell(bytes, speaking);
			});
		},
		inSession: ({ era }) => era === "legacy" && sessionId !== null,
		adopt: (answer) => {
			const id = answer.header(SESSION_HEADER);
			if (id !== null && SESSION_ID.test(id)) sessionId = id;
		},
		lose: () => {
			sessionId = null;
			finish("the server has forgotten the session");
			return new LinkError("unsent", "the server has forgotten the session", {
				status: 404,
			});
		},
		close: async () => {
			const id = sessionId;
			finish("the connection was closed");
			client.close();
			if (id === null) return;
			sessionId = null;
			await endSession(target, { ...base, [HEADER.sessionId]: id });
		},
		isEnded: () => isEnded,
		ended,
		closed,
	};
}

const SESSION_HEADER = HEADER.sessionId.toLowerCase();

/** Ends a session on a connection of its own: those of the channel are closed already. */
async function endSession(
	{ egress, url }: HttpTarget,
	headers: Readonly<Record<string, string>>,
): Promise<void> {
	const client = egress.openClient(url);
	const { answer } = client.send({
		method: "DELETE",
		headers: egress.headers(headers),
		timeoutMs: CLOSE_TIMEOUT_MS,
		repeatable: true,
	});
	await answer.then(discard, swallowExpected);
	client.close();
}
