/**
 * What calls and listening share on Streamable HTTP: connections to one URL, the headers that go with everything, and
 * the legacy session, which is kept, sent along, and given up when the server has forgotten it.
 */

import { Abort, type Abortable } from "../abort.ts";
import type { Writable } from "../assembly.ts";
import type { Answer } from "../http1/answer.ts";
import type { HttpClient } from "../http1/client.ts";
import {
	type AnswerTo,
	type AwaitedExchange,
	awaited,
	type Exchange,
} from "../http1/exchange.ts";
import type { HeaderLines } from "../http1/header-lines.ts";
import type { Request1 } from "../http1/request.ts";
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

const NOTIFY_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 2000;
/** Some servers send the headers of a GET stream with its first event only. */
const STREAM_TIMEOUT_MS = 300_000;
const SESSION_ID = /^[\x21-\x7e]{1,1024}$/;

type PostOptions = {
	readonly headers?: Readonly<Record<string, string>> | undefined;
	readonly timeoutMs: number | null;
	readonly repeatable: boolean;
};

/** The headers of a POST, which are the same from one to the next. */
type Prepared = {
	readonly speaking: Speaking;
	readonly sessionId: string | null;
	readonly lines: HeaderLines;
	/** The same with those that mirror a message; null while there was none with such. */
	mirroring: WeakMap<Readonly<Record<string, string>>, HeaderLines> | null;
};

/**
 * Nothing is sent until the first request. A class, because every server has one, also when nobody has asked it
 * anything for days.
 */
export class HttpChannel {
	/** Resolves when nothing new may begin, with the reason in our words. */
	readonly closed: Promise<string>;
	readonly #target: HttpTarget;
	readonly #hearing: Hearing;
	readonly #client: HttpClient;
	readonly #end: (reason: string) => void;
	#sessionId: string | null = null;
	#isEnded = false;
	/** Made for who waits for it: most channels have nobody. */
	#ending: Abort | null = null;
	#prepared: Prepared | null = null;

	/** @throws SallyportError `forbidden`, `invalid` for a URL that is not called */
	constructor(target: HttpTarget, hearing: Hearing) {
		const { promise, resolve } = Promise.withResolvers<string>();
		this.closed = promise;
		this.#end = resolve;
		this.#target = target;
		this.#hearing = hearing;
		this.#client = target.egress.openClient(target.url);
	}

	post(
		body: Bytes | Writable,
		speaking: Speaking,
		options: PostOptions,
		to: AnswerTo,
	): Exchange {
		const { headers, timeoutMs, repeatable } = options;
		return this.#client.send(
			{
				method: "POST",
				headers: this.#postLines(speaking, headers),
				body,
				timeoutMs,
				repeatable,
			},
			to,
		);
	}

	/** Opens a stream, or takes one up again after the event of this id (empty: from now on). */
	stream(speaking: Speaking, lastId: string): AwaitedExchange {
		const request: Request1 = {
			method: "GET",
			headers: this.#target.egress.headers({
				...this.#headersFor(speaking),
				accept: "text/event-stream",
				...(lastId !== "" && { [HEADER.lastEventId]: lastId }),
			}),
			timeoutMs: STREAM_TIMEOUT_MS,
			repeatable: true,
		};
		return awaited((to) => this.#client.send(request, to));
	}

	/** Says something that has no answer. */
	async say(message: Bytes, speaking: Speaking): Promise<void> {
		const options = { timeoutMs: NOTIFY_TIMEOUT_MS, repeatable: true };
		const { answer } = awaited((to) =>
			this.post(message, speaking, options, to),
		);
		discard(await answer);
	}

	/** Says it if it can be said: nobody waits for it. */
	tell(message: Bytes, speaking: Speaking): void {
		this.say(message, speaking).catch(swallowExpected);
	}

	/** Answers a question of the server when the answer is known, unless the channel has ended meanwhile. */
	answerServer(
		request: ServerRequest,
		callId: number | null,
		speaking: Speaking,
	): void {
		void this.#hearing.onRequest(request, callId).then((bytes) => {
			if (bytes && !this.#isEnded) this.tell(bytes, speaking);
		});
	}

	inSession({ era }: Speaking): boolean {
		return era === "legacy" && this.#sessionId !== null;
	}

	/** Takes the session that the answer to `initialize` opens. */
	adopt(answer: Answer): void {
		const id = answer.header(SESSION_HEADER);
		if (id !== null && SESSION_ID.test(id)) this.#sessionId = id;
	}

	/** The server has forgotten the session: the channel is of no use any more. */
	lose(): LinkError {
		const reason = "the server has forgotten the session";
		this.#sessionId = null;
		this.#finish(reason);
		return new LinkError("unsent", reason, { status: 404 });
	}

	async close(): Promise<void> {
		const id = this.#sessionId;
		this.#finish("the connection was closed");
		this.#client.close();
		if (id === null) return;
		this.#sessionId = null;
		await endSession(this.#target, {
			...baseHeaders(this.#target),
			[HEADER.sessionId]: id,
		});
	}

	/** Nothing new may begin; what was asked before may still be answered. */
	isEnded(): boolean {
		return this.#isEnded;
	}

	/** Aborted when that comes about. */
	ended(): Abortable {
		this.#ending ??= new Abort();
		if (this.#isEnded) this.#ending.abort();
		return this.#ending;
	}

	#finish(reason: string): void {
		this.#isEnded = true;
		this.#ending?.abort();
		this.#end(reason);
	}

	#headersFor({ era, protocolVersion }: Speaking): Record<string, string> {
		return {
			...baseHeaders(this.#target),
			...(protocolVersion !== null && {
				[HEADER.protocolVersion]: protocolVersion,
			}),
			...(era === "legacy" &&
				this.#sessionId !== null && { [HEADER.sessionId]: this.#sessionId }),
		};
	}

	#postLines(
		speaking: Speaking,
		mirrored: Readonly<Record<string, string>> | undefined,
	): HeaderLines {
		const prepared = this.#preparedFor(speaking);
		const { lines } = prepared;
		if (!mirrored) return lines;
		const known = prepared.mirroring?.get(mirrored);
		if (known) return known;
		const all = lines + this.#target.egress.headers(mirrored);
		prepared.mirroring ??= new WeakMap();
		prepared.mirroring.set(mirrored, all as HeaderLines);
		return all as HeaderLines;
	}

	#preparedFor(speaking: Speaking): Prepared {
		const last = this.#prepared;
		if (last?.speaking === speaking && last.sessionId === this.#sessionId)
			return last;
		const lines = this.#target.egress.headers({
			...this.#headersFor(speaking),
			accept: "application/json, text/event-stream",
			"content-type": "application/json",
		});
		this.#prepared = {
			speaking,
			sessionId: this.#sessionId,
			lines,
			mirroring: null,
		};
		return this.#prepared;
	}
}

const SESSION_HEADER = HEADER.sessionId.toLowerCase();

/** Ends a session on a connection of its own: those of the channel are closed already. */
async function endSession(
	{ egress, url }: HttpTarget,
	headers: Readonly<Record<string, string>>,
): Promise<void> {
	const client = egress.openClient(url);
	const request: Request1 = {
		method: "DELETE",
		headers: egress.headers(headers),
		timeoutMs: CLOSE_TIMEOUT_MS,
		repeatable: true,
	};
	const { answer } = awaited((to) => client.send(request, to));
	await answer.then(discard, swallowExpected);
	client.close();
}
