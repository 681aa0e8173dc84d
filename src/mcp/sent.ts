/**
 * A call that was sent on, until its answer is in the words that its client and its endpoint want.
 */
import type { Era } from "../protocol.ts";
import { SHARED } from "../store/secrets.ts";
import { wholeBody } from "../upstream/reply.ts";
import { type ReplyTo, tell } from "../upstream/reply-to.ts";
import type { Reply, Upstream } from "../upstream/upstream.ts";
import { adaptResult, withPrivateCache } from "./adapt.ts";
import { questionsFrom } from "./asking.ts";
import { exposeResult, mayHoldUris } from "./exposure.ts";
import { type Input, inputRequired } from "./input.ts";
import { pagesAsked } from "./pages.ts";
import { purposeOf, type Routed } from "./routed.ts";
import { asServersFault } from "./rpc.ts";
import { withObjectResult, wrapsOutput } from "./structured.ts";
import type { Target } from "./target.ts";
import type { TaskCall } from "./task-calls.ts";
import type { View } from "./view.ts";

/** What must be known of a call when its answer comes. */
type Sending = {
	readonly view: View;
	readonly routed: Routed;
	readonly target: Target;
	readonly upstream: Upstream;
	readonly era: Era;
	readonly finish: TaskCall["finish"];
};

/** A call that was sent, and whose answer is put into its client's words. A class, because every call makes one. */
export class Sent implements ReplyTo {
	readonly #input: Input;
	readonly #sending: Sending;
	readonly #to: ReplyTo;

	constructor(input: Input, sending: Sending, to: ReplyTo) {
		this.#input = input;
		this.#sending = sending;
		this.#to = to;
	}

	onReply(answer: Reply): void {
		let reply: Reply | Promise<Reply>;
		try {
			reply = finished(this.#sending, this.#sealed(answer));
		} catch (error) {
			this.#to.onFailure(asServersFault(error));
			return;
		}
		if (reply instanceof Promise) tell(reply.catch(unreadable), this.#to);
		else this.#to.onReply(reply);
	}

	onFailure(error: unknown): void {
		this.#to.onFailure(error);
	}

	/** What a modern server wants back from a modern client is for that client alone. */
	#sealed(answer: Reply): Reply {
		const { view, routed, target, era } = this.#sending;
		if (routed.era === "legacy" || era === "legacy" || !inputRequired(answer))
			return answer;
		const { server, name } = target;
		const purpose = purposeOf(view, routed.method, server, name);
		return this.#input.sealed(answer, purpose);
	}
}

function unreadable(error: unknown): never {
	throw asServersFault(error);
}

/** What an answer comes to, once whatever is sealed in it is. */
function finished(sent: Sending, answer: Reply): Reply | Promise<Reply> {
	const { view, routed, upstream, finish } = sent;
	const mayHaveUris =
		view.only === null && mayHoldUris(routed.method) && hasResources(upstream);
	return finish || mayHaveUris
		? finishedWhole(sent, answer, mayHaveUris)
		: worded(sent, answer);
}

/** The same of one in which ids of tasks or addresses of resources are to be written anew. */
async function finishedWhole(
	sent: Sending,
	answer: Reply,
	mayHaveUris: boolean,
): Promise<Reply> {
	const { routed, target, finish } = sent;
	const reply = finish ? await finish(answer) : answer;
	if (!mayHaveUris || reply.member === "error") return worded(sent, reply);
	const body = exposeResult(
		target.server.slug,
		await wholeBody(reply.body),
		routed.method === "tasks/get",
	);
	return worded(sent, { ...reply, body });
}

/** The reply as the client's era, and the endpoint, want it said. */
function worded(
	{ view, routed, era, target: { server, name }, upstream }: Sending,
	reply: Reply,
): Reply | Promise<Reply> {
	const { method } = routed;
	const paged =
		routed.era === "modern" && era === "legacy"
			? pagesAsked(reply, view.capabilities)
			: reply;
	const mayAsk = era === "modern" || paged.isQuestion;
	const asked =
		mayAsk && !view.only ? questionsFrom(server.slug, paged) : paged;
	const adapted = adaptResult(routed, era, asked);
	if (method === "resources/read" && upstream.identity !== SHARED)
		return withPrivateCache(adapted);
	return method === "tools/call" && routed.era === "legacy" && era === "modern"
		? withObjectResult(
				adapted,
				wrapsOutput(upstream.lastList("tools") ?? [], name ?? ""),
			)
		: adapted;
}

function hasResources(upstream: Upstream): boolean {
	return upstream.knownFacts()?.capabilities["resources"] !== undefined;
}
