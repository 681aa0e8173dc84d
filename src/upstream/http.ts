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
import type { Egress } from "../egress.ts";
import { SallyportError } from "../errors.ts";
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
	cancelled,
	type Hearing,
	type Link,
	LinkError,
	type Outgoing,
	RECONNECT_MS,
	type Speaking,
} from "./link.ts";
import type { Reply } from "./upstream.ts";

const NOTIFY_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 2000;
/** Some servers send the headers of a GET stream with its first event only. */
const STREAM_TIMEOUT_MS = 300_000;
const RESUMES_MAX = 5;
const SESSION_ID = /^[\x21-\x7e]{1,1024}$/;
/** Ours alone: an administrator's header does not change what is said about the message. */
const RESERVED_HEADER =
	/^(host|connection|content-length|content-type|accept|accept-encoding|transfer-encoding|last-event-id|mcp-.*)$/;

export type HttpTarget = {
	readonly egress: Egress;
	readonly url: string;
	/** The server's plain headers and its secret ones. */
	readonly headers: Readonly<Record<string, string>>;
	readonly version: string;
	/** A place among the streams that may stay open for nothing; null when there is none. */
	readonly takeStream: () => (() => void) | null;
};

/** The headers of every request to this server, without reserved ones. */
export function baseHeaders(target: HttpTarget): Record<string, string> {
	const headers: Record<string, string> = {
		"user-agent": `sallyport/${target.version}`,
	};
	for (const [name, value] of Object.entries(target.headers)) {
		const lower = name.toLowerCase();
		if (!RESERVED_HEADER.test(lower)) headers[lower] = value;
	}
	return headers;
}

/** Nothing is sent until the first request. */
export function openHttpLink(target: HttpTarget, hearing: Hearing): Link {
	const { egress, url } = target;
	const base = baseHeaders(target);
	const ended = new AbortController();
	let sessionId: string | null = null;
	let end: (reason: string) => void = () => {};
	const closed = new Promise<string>((resolve) => {
		end = (reason) => {
			ended.abort();
			resolve(reason);
		};
	});

	const headersFor = (speaking: Speaking): Record<string, string> => {
		const headers: Record<string, string> = {
			...base,
			accept: "application/json, text/event-stream",
		};
		if (speaking.protocolVersion !== null)
			headers[HEADER.protocolVersion] = speaking.protocolVersion;
		if (speaking.era === "legacy" && sessionId !== null)
			headers[HEADER.sessionId] = sessionId;
		return headers;
	};
	const post = (
		body: Bytes,
		speaking: Speaking,
		init: {
			readonly signal: AbortSignal;
			readonly timeoutMs: number;
			readonly headers?: Readonly<Record<string, string>> | undefined;
		},
	): Promise<Response> =>
		egress.fetch(url, {
			method: "POST",
			headers: {
				...headersFor(speaking),
				"content-type": "application/json",
				...init.headers,
			},
			body,
			signal: init.signal,
			timeoutMs: init.timeoutMs,
		});
	const say = (message: Bytes, speaking: Speaking): Promise<void> =>
		under([ended.signal], async (signal) =>
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
	const lost = (): LinkError => {
		// Nothing is to be deleted any more.
		sessionId = null;
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
		touch: () => void,
	): Promise<Reply> => {
		let reply: Reply | null = null;
		const onMessage = (message: Message): "more" | "enough" => {
			touch();
			if (message.kind === "notification") outgoing.onNotification(message);
			else if (message.kind === "request")
				tell(hearing.onRequest(message), outgoing.speaking);
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
		const headers = { ...headersFor(speaking), accept: "text/event-stream" };
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
		touch: () => void,
	): Promise<Reply> => {
		if (!response.ok) return refused(response, outgoing, inSession);
		if (outgoing.method === "initialize") {
			const id = response.headers.get(HEADER.sessionId);
			if (id !== null && SESSION_ID.test(id)) sessionId = id;
		}
		const type = mediaType(response);
		if (type === "application/json") return readJson(response, outgoing.id);
		if (type === "text/event-stream")
			return followEvents(response, outgoing, signal, touch);
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
		if (ended.signal.aborted)
			throw new LinkError("unsent", "the connection was closed");
		if (outgoing.signal.aborted) throw cancelled();
		const inSession = outgoing.speaking.era === "legacy" && sessionId !== null;
		const late = new AbortController();
		const timer = setTimeout(() => late.abort(), outgoing.timeoutMs);
		try {
			return await under(
				[outgoing.signal, late.signal, ended.signal],
				async (signal) => {
					const response = await post(outgoing.bytes, outgoing.speaking, {
						signal,
						timeoutMs: outgoing.timeoutMs,
						headers: outgoing.headers,
					});
					return answer(response, outgoing, signal, inSession, () => {
						timer.refresh();
					});
				},
			);
		} catch (error) {
			if (outgoing.signal.aborted) throw dropped(outgoing);
			if (!late.signal.aborted) throw error;
			dropped(outgoing);
			throw new LinkError(
				"broken",
				`the server did not answer within ${Math.ceil(outgoing.timeoutMs / 1000)} s`,
			);
		} finally {
			clearTimeout(timer);
		}
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
		else if (message.kind === "request")
			tell(hearing.onRequest(message), speaking);
		return "more";
	};
	/** Reads the GET stream once. Null when the server offers none. */
	const listenOnce = (
		speaking: Speaking,
		lastId: string,
	): Promise<{ readonly splitter: EventSplitter | null } | null> =>
		under([ended.signal], async (signal) => {
			const response = await stream(speaking, lastId, signal);
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
		for (let attempt = 0; !ended.signal.aborted; attempt++) {
			const read = await listenOnce(speaking, lastId);
			if (!read) return;
			lastId = read.splitter?.lastId() ?? lastId;
			await delay(pauseOf(read.splitter, attempt), ended.signal);
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

/** Does work that any of the signals ends. Nothing is left behind at a signal that outlives the work. */
async function under<T>(
	signals: readonly AbortSignal[],
	work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
	const abort = new AbortController();
	const end = (): void => abort.abort();
	for (const signal of signals) {
		if (signal.aborted) end();
		else signal.addEventListener("abort", end);
	}
	try {
		return await work(abort.signal);
	} finally {
		for (const signal of signals) signal.removeEventListener("abort", end);
	}
}

/** What fails where nobody waits: a server that is gone is noticed by the next request. A bug is still thrown. */
export function swallowExpected(error: unknown): void {
	if (!(error instanceof SallyportError)) throw error;
}

function namesSession(
	error: Extract<Message, { kind: "response" }> | null,
): boolean {
	return error !== null && /session/i.test(textOf(error.bytes, error.body));
}

function pauseOf(splitter: EventSplitter | null, attempt: number): number {
	const usual = RECONNECT_MS[Math.min(attempt, RECONNECT_MS.length - 1)] ?? 0;
	const wanted = splitter?.retryMs();
	return wanted === undefined || attempt > 0
		? usual
		: Math.min(wanted, RECONNECT_MS[RECONNECT_MS.length - 1] as number);
}
