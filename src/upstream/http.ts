/**
 * The Streamable HTTP transport of both eras: one POST a request, answered as JSON or as an event stream.
 *
 * Legacy: a session id is kept, sent along, and given up when the server has forgotten it; a GET stream carries what
 * the server says unasked; a stream that ends early is taken up again with `Last-Event-ID`. Modern: no session, the
 * headers mirror the message, and to drop the request is to cancel it.
 *
 * @see specification 2026-07-28 and 2025-11-25, basic/transports (Streamable HTTP)
 */
import { delay } from "../clock.ts";
import { EgressError, type EgressInit } from "../egress.ts";
import { type Bytes, type Message, textOf } from "../message.ts";
import { HEADER } from "../protocol.ts";
import { wrapCancellation } from "./envelope.ts";
import type { EventSplitter } from "./events.ts";
import {
	answers,
	bodyOf,
	discard,
	mediaType,
	readEvents,
	readJson,
	readRefusal,
} from "./http-reply.ts";
import {
	baseHeaders,
	type HttpTarget,
	swallowExpected,
} from "./http-target.ts";
import {
	cancelled,
	type Hearing,
	type Link,
	LinkError,
	type Outgoing,
	pauseMs,
	RECONNECT_MS,
	type ServerRequest,
	type Speaking,
	timedOut,
} from "./link.ts";
import type { Reply } from "./upstream.ts";

const NOTIFY_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 2000;
/** Some servers send the headers of a GET stream with its first event only. */
const STREAM_TIMEOUT_MS = 300_000;
const RESUMES_MAX = 5;
const SESSION_ID = /^[\x21-\x7e]{1,1024}$/;
/** Nothing is sent until the first request. */
export function openHttpLink(target: HttpTarget, hearing: Hearing): Link {
	const { egress, url } = target;
	const base = baseHeaders(target);
	/** What is under way: ended when the link is. */
	const running = new Set<AbortController>();
	/** Only the stream that is listened to; what was asked may still be answered when the session is forgotten. */
	const quiet = new AbortController();
	let sessionId: string | null = null;
	const { promise: closed, resolve: end } = Promise.withResolvers<string>();

	const headersFor = (speaking: Speaking): Record<string, string> => {
		const headers: Record<string, string> = {
			...base,
			accept: "application/json, text/event-stream",
			"content-type": "application/json",
		};
		if (speaking.protocolVersion !== null)
			headers[HEADER.protocolVersion] = speaking.protocolVersion;
		if (speaking.era === "legacy" && sessionId !== null)
			headers[HEADER.sessionId] = sessionId;
		return headers;
	};
	/** Does work that ends with the link, or by its own controller. */
	const under = async <T>(
		work: (abort: AbortController) => Promise<T>,
	): Promise<T> => {
		const abort = new AbortController();
		running.add(abort);
		try {
			return await work(abort);
		} finally {
			running.delete(abort);
		}
	};
	const post = (
		body: Bytes,
		speaking: Speaking,
		init: Pick<EgressInit, "timeoutMs"> & {
			readonly signal: AbortSignal;
			readonly headers?: Readonly<Record<string, string>> | undefined;
		},
	): Promise<Response> =>
		egress.fetch(url, {
			method: "POST",
			headers: Object.assign(headersFor(speaking), init.headers),
			body,
			signal: init.signal,
			timeoutMs: init.timeoutMs,
		});
	const say = (message: Bytes, speaking: Speaking): Promise<void> =>
		under(async ({ signal }) =>
			discard(
				await post(message, speaking, {
					signal,
					timeoutMs: NOTIFY_TIMEOUT_MS,
				}),
			),
		);
	/** Says it if it can be said: nobody waits for it. */
	const tell = (message: Bytes, speaking: Speaking): void => {
		say(message, speaking).catch(swallowExpected);
	};
	/** Answers a question of the server when the answer is known, unless the link has ended meanwhile. */
	const answerServer = (
		request: ServerRequest,
		callId: number | null,
		speaking: Speaking,
	): void => {
		void hearing.onRequest(request, callId).then((bytes) => {
			if (bytes && !quiet.signal.aborted) tell(bytes, speaking);
		});
	};
	const lost = (): LinkError => {
		sessionId = null;
		quiet.abort();
		end("the server has forgotten the session");
		return new LinkError("unsent", "the server has forgotten the session", {
			status: 404,
		});
	};

	const refused = async (
		response: Response,
		outgoing: Outgoing,
		inSession: boolean,
	): Promise<Reply> => {
		const { status } = response;
		if (status === 401 || status === 403) {
			discard(response);
			throw new LinkError(
				"final",
				`the server refused our credentials (${status})`,
				{ hint: "check the server's secrets and headers", status },
			);
		}
		const error = await readRefusal(response);
		// 404 is what the specification says; server-everything and others say 400 and name the session.
		if (
			inSession &&
			(status === 404 || (status === 400 && namesSession(error)))
		)
			throw lost();
		if (error && answers(error, outgoing.id))
			return { member: "error", body: bodyOf(error) };
		throw new LinkError(
			"final",
			status >= 300 && status < 400
				? `the server redirects elsewhere (${status})`
				: `the server answered ${status}`,
			{
				status,
				hint:
					status >= 300 && status < 400
						? "give the URL that it redirects to"
						: "check that the URL is the server's MCP endpoint",
			},
		);
	};

	/** Reads the stream that answers a request, over as many connections as the server makes of it. */
	const followEvents = async (
		first: Response,
		outgoing: Outgoing,
		signal: AbortSignal,
	): Promise<Reply> => {
		let reply: Reply | null = null;
		const onMessage = (message: Message): "more" | "enough" => {
			outgoing.patience.touch();
			if (message.kind === "notification") outgoing.onNotification(message);
			else if (message.kind === "request")
				answerServer(message, outgoing.id, outgoing.speaking);
			else if (answers(message, outgoing.id))
				reply = { member: message.member, body: bodyOf(message) };
			return reply ? "enough" : "more";
		};
		let response = first;
		for (let resumes = 0; response.body; resumes++) {
			const { splitter } = await readEvents(response.body, onMessage);
			if (reply) return reply;
			if (splitter.lastId() === "" || resumes >= RESUMES_MAX) break;
			await delay(pauseOf(splitter, 0), signal);
			response = await stream(outgoing.speaking, splitter.lastId(), signal);
			if (response.status !== 200) break;
		}
		throw new LinkError("broken", "the server ended the answer too early");
	};
	const stream = (
		speaking: Speaking,
		lastId: string,
		signal: AbortSignal,
	): Promise<Response> => {
		const headers = headersFor(speaking);
		headers["accept"] = "text/event-stream";
		delete headers["content-type"];
		return egress.fetch(url, {
			headers:
				lastId === "" ? headers : { ...headers, [HEADER.lastEventId]: lastId },
			signal,
			timeoutMs: STREAM_TIMEOUT_MS,
		});
	};

	const answer = async (
		response: Response,
		outgoing: Outgoing,
		signal: AbortSignal,
		inSession: boolean,
	): Promise<Reply> => {
		if (!response.ok) return refused(response, outgoing, inSession);
		if (outgoing.method === "initialize") {
			const id = response.headers.get(HEADER.sessionId);
			if (id !== null && SESSION_ID.test(id)) sessionId = id;
		}
		const type = mediaType(response);
		if (type === "application/json") return readJson(response, outgoing.id);
		if (type === "text/event-stream")
			return followEvents(response, outgoing, signal);
		discard(response);
		throw new LinkError(
			"final",
			response.status === 202
				? "the server took the request and gave no answer"
				: "the server answered with something that is not an MCP message",
			{
				status: response.status,
				hint: "check that the URL is the server's MCP endpoint",
			},
		);
	};

	const request = async (outgoing: Outgoing): Promise<Reply> => {
		if (quiet.signal.aborted)
			throw new LinkError("unsent", "the connection was closed");
		if (outgoing.signal.aborted) throw cancelled();
		const inSession = outgoing.speaking.era === "legacy" && sessionId !== null;
		return under(async (abort) => {
			let late = false;
			const cancel = (): void => abort.abort();
			outgoing.patience.start(() => {
				late = true;
				cancel();
			});
			outgoing.signal.addEventListener("abort", cancel);
			try {
				const response = await post(outgoing.bytes, outgoing.speaking, {
					signal: abort.signal,
					timeoutMs: null,
					headers: outgoing.headers,
				});
				return await answer(response, outgoing, abort.signal, inSession);
			} catch (error) {
				if (outgoing.signal.aborted) throw dropped(outgoing);
				if (late) {
					dropped(outgoing);
					throw timedOut(outgoing);
				}
				if (error instanceof EgressError && error.reach === "lost")
					throw new LinkError("broken", error.message);
				throw error;
			} finally {
				outgoing.patience.stop();
				outgoing.signal.removeEventListener("abort", cancel);
			}
		});
	};
	/** Legacy: a dropped connection does not cancel, a notification does (2025-11-25, "Sending Messages"). */
	const dropped = (outgoing: Outgoing): LinkError => {
		const message = wrapCancellation(outgoing);
		if (message && outgoing.speaking.era === "legacy")
			tell(message, outgoing.speaking);
		return cancelled();
	};

	const hear = (message: Message, speaking: Speaking): "more" => {
		if (message.kind === "notification") hearing.onNotification(message);
		else if (message.kind === "request") answerServer(message, null, speaking);
		return "more";
	};
	/** Reads the GET stream once. Null when the server offers none. */
	const listenOnce = (
		speaking: Speaking,
		lastId: string,
	): Promise<{ readonly splitter: EventSplitter | null } | null> =>
		under(async ({ signal }) => {
			const response = await stream(
				speaking,
				lastId,
				AbortSignal.any([signal, quiet.signal]),
			);
			if (response.status === 404 && sessionId !== null) lost();
			if (!response.ok || mediaType(response) !== "text/event-stream") {
				discard(response);
				return null;
			}
			return readEvents(response.body as ReadableStream<Bytes>, (message) =>
				hear(message, speaking),
			).catch((error: unknown) => {
				swallowExpected(error);
				return { splitter: null };
			});
		});
	/** Keeps the GET stream open as long as the server offers one. */
	const listen = async (speaking: Speaking): Promise<void> => {
		let lastId = "";
		for (let attempt = 0; !quiet.signal.aborted; attempt++) {
			const read = await listenOnce(speaking, lastId);
			if (!read) return;
			lastId = read.splitter?.lastId() ?? lastId;
			await delay(pauseOf(read.splitter, attempt), quiet.signal);
		}
	};

	return {
		request,
		notify: say,
		takeStream: target.takeStream,
		listen: (speaking) => {
			if (speaking.era !== "legacy") return;
			const release = target.takeStream();
			if (release)
				void listen(speaking).catch(swallowExpected).finally(release);
		},
		close: async () => {
			const id = sessionId;
			quiet.abort();
			for (const abort of running) abort.abort();
			end("the connection was closed");
			if (id === null) return;
			sessionId = null;
			await egress
				.fetch(url, {
					method: "DELETE",
					headers: { ...base, [HEADER.sessionId]: id },
					timeoutMs: CLOSE_TIMEOUT_MS,
				})
				.then(discard, swallowExpected);
		},
		closed,
	};
}

function namesSession(
	error: Extract<Message, { kind: "response" }> | null,
): boolean {
	return error !== null && /session/i.test(textOf(error.bytes, error.body));
}

function pauseOf(splitter: EventSplitter | null, attempt: number): number {
	const usual = pauseMs(attempt);
	const wanted = splitter?.retryMs();
	return wanted === undefined || attempt > 0
		? usual
		: Math.min(wanted, RECONNECT_MS[RECONNECT_MS.length - 1] as number);
}
