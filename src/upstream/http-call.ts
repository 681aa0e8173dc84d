/**
 * One request over Streamable HTTP: a POST, answered as JSON or as an event stream, which a legacy server may end and
 * have taken up again. To drop it is to cancel it in the modern era; in the legacy one a notification says so.
 *
 * @see specification 2026-07-28 and 2025-11-25, basic/transports (Streamable HTTP)
 */
import { delay } from "../clock.ts";
import type { Answer } from "../http1/answer.ts";
import type { AnswerTo, Exchange } from "../http1/exchange.ts";
import { EgressError } from "../http1/failure.ts";
import { type Message, textOf } from "../message.ts";
import { wrapCancellation } from "./envelope.ts";
import type { HttpChannel } from "./http-channel.ts";
import {
	answers,
	bodyOf,
	discard,
	readEvents,
	readJson,
	readRefusal,
	reopenMs,
} from "./http-reply.ts";
import {
	cancelled,
	isSafe,
	LinkError,
	type Outgoing,
	timedOut,
} from "./link.ts";
import type { Waiter } from "./patience.ts";
import type { Reply } from "./upstream.ts";

const RESUMES_MAX = 5;

/** Sends a request, whose answer is told to whoever it is of. */
export function callOverHttp(channel: HttpChannel, outgoing: Outgoing): void {
	new Running(channel, outgoing).begin();
}

/** A request that was sent. A class, because every call makes one. */
class Running implements Waiter, EventListenerObject, AnswerTo {
	readonly channel: HttpChannel;
	readonly outgoing: Outgoing;
	/** Whether it was sent in a session, which the server may turn out to have forgotten. */
	readonly inSession: boolean;
	exchange: Exchange | null = null;
	/** It has its answer, or has failed. */
	isOver = false;

	constructor(channel: HttpChannel, outgoing: Outgoing) {
		this.channel = channel;
		this.outgoing = outgoing;
		this.inSession = channel.inSession(outgoing.speaking);
	}

	begin(): void {
		const { signal, patience } = this.outgoing;
		if (this.channel.isEnded())
			this.onFailure(new LinkError("unsent", "the connection was closed"));
		else if (signal.aborted) this.onFailure(cancelled());
		else {
			patience.start(this);
			signal.addEventListener("abort", this);
			this.#post();
		}
	}

	#post(): void {
		const { message, speaking, headers, method } = this.outgoing;
		const repeatable = isSafe(method);
		const options = { headers, timeoutMs: null, repeatable };
		try {
			this.exchange = this.channel.post(message, speaking, options, this);
		} catch (error) {
			this.onFailure(error);
		}
	}

	onAnswer(answer: Answer): void {
		try {
			const reply = answerOf(this, answer);
			if (reply instanceof Promise) this.#waitFor(reply);
			else this.#onReply(reply);
		} catch (error) {
			this.onFailure(error);
		}
	}

	onFailure(error: unknown): void {
		if (!this.#finish()) return;
		const isLost = error instanceof EgressError && error.reach === "lost";
		this.outgoing.onFailure(
			isLost ? new LinkError("broken", error.message) : error,
		);
	}

	/** Its caller wants it no more. */
	handleEvent(): void {
		this.#stop(cancelled());
	}

	onLate(): void {
		this.#stop(timedOut(this.outgoing));
	}

	#waitFor(reply: Promise<Reply>): void {
		reply.then(
			(reply) => this.#onReply(reply),
			(error: unknown) => this.onFailure(error),
		);
	}

	#onReply(reply: Reply): void {
		if (this.#finish()) this.outgoing.onReply(reply);
	}

	#stop(why: LinkError): void {
		const { channel, outgoing, exchange } = this;
		this.onFailure(why);
		exchange?.abandon();
		// Legacy: a dropped connection does not cancel, a notification does (2025-11-25, "Sending Messages").
		const message = wrapCancellation(outgoing);
		if (message && outgoing.speaking.era === "legacy")
			channel.tell(message, outgoing.speaking);
	}

	/** False when it is over already. */
	#finish(): boolean {
		if (this.isOver) return false;
		this.isOver = true;
		this.outgoing.patience.stop();
		this.outgoing.signal.removeEventListener("abort", this);
		return true;
	}
}

function answerOf(running: Running, answer: Answer): Reply | Promise<Reply> {
	const { outgoing } = running;
	const { status } = answer;
	if (status < 200 || status > 299) return refused(running, answer);
	if (outgoing.method === "initialize") running.channel.adopt(answer);
	const type = answer.mediaType;
	if (type === "application/json") return readJson(answer, outgoing.id);
	if (type === "text/event-stream") return followEvents(running, answer);
	discard(answer);
	throw new LinkError(
		"final",
		status === 202
			? "the server took the request and gave no answer"
			: "the server answered with something that is not an MCP message",
		{ status, hint: "check that the URL is the server's MCP endpoint" },
	);
}

async function refused(
	{ channel, outgoing, inSession }: Running,
	answer: Answer,
): Promise<Reply> {
	const { status } = answer;
	if (status === 401 || status === 403) {
		discard(answer);
		throw new LinkError(
			"final",
			`the server refused our credentials (${status})`,
			{ hint: "check the server's secrets and headers", status },
		);
	}
	const error = await readRefusal(answer);
	// 404 is what the specification says; server-everything and others say 400 and name the session.
	if (inSession && (status === 404 || (status === 400 && namesSession(error))))
		throw channel.lose();
	if (error && answers(error, outgoing.id))
		return { member: "error", body: bodyOf(error) };
	const redirects = status >= 300 && status < 400;
	throw new LinkError(
		"final",
		redirects
			? `the server redirects elsewhere (${status})`
			: `the server answered ${status}`,
		{
			status,
			hint: redirects
				? "give the URL that it redirects to"
				: "check that the URL is the server's MCP endpoint",
		},
	);
}

function namesSession(
	error: Extract<Message, { kind: "response" }> | null,
): boolean {
	return error !== null && /session/i.test(textOf(error.bytes, error.body));
}

/** Reads the stream that answers a request, over as many connections as the server makes of it. */
async function followEvents(running: Running, first: Answer): Promise<Reply> {
	const { channel, outgoing } = running;
	let reply: Reply | null = null;
	const onMessage = (message: Message): "more" | "enough" => {
		outgoing.patience.touch();
		if (message.kind === "notification") outgoing.onNotification(message);
		else if (message.kind === "request")
			channel.answerServer(message, outgoing.id, outgoing.speaking);
		else if (answers(message, outgoing.id))
			reply = { member: message.member, body: bodyOf(message) };
		return reply ? "enough" : "more";
	};
	let answer = first;
	for (let resumes = 0; ; resumes++) {
		const splitter = await readEvents(answer.body, onMessage);
		if (reply) return reply;
		if (splitter.lastId() === "" || resumes >= RESUMES_MAX) break;
		await delay(reopenMs(splitter, 0), outgoing.signal);
		if (running.isOver) throw cancelled();
		const resumed = channel.stream(outgoing.speaking, splitter.lastId());
		running.exchange = resumed;
		answer = await resumed.answer;
		if (answer.status !== 200) break;
	}
	discard(answer);
	throw new LinkError("broken", "the server ended the answer too early");
}
