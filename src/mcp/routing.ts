/**
 * One request on its way through the router: whom it is for is found out, it is sent there, and what came of it is
 * recorded.
 */
import { bufferOf } from "../assembly.ts";
import { SallyportError } from "../errors.ts";
import { type Bytes, holds } from "../message.ts";
import type { CallRecord } from "../store/calls.ts";
import { type ParamHeaders, paramHeadersOf } from "../upstream/mirror.ts";
import { NeedsPerson } from "../upstream/needs-person.ts";
import { type ReplyTo, tell } from "../upstream/reply-to.ts";
import type { Reply } from "../upstream/upstream.ts";
import { adaptResult } from "./adapt.ts";
import { requireMirrored } from "./era.ts";
import { READ_MORE_NAMES, resultLimit } from "./results.ts";
import { mayHoldState, type Routed } from "./routed.ts";
import { explain, toolErrorReply } from "./rpc.ts";
import type { Entry } from "./shape.ts";
import type { Target } from "./target.ts";
import type { View } from "./view.ts";

/** The ways of the router, as a request on its way must know them. */
export type Ways = {
	/** A page of a result that was kept, when that is what is called; null for any other call. */
	readonly readOn: (
		view: View,
		routed: Routed,
		params: Bytes,
	) => Promise<Reply | null>;
	readonly find: (view: View, routed: Routed) => Target | Promise<Target>;
	/** Sends the call to its target. It fails with RpcError, SallyportError, and NeedsPerson when only the caller can help. */
	readonly forward: (
		view: View,
		routed: Routed,
		target: Target,
		to: ReplyTo,
	) => void;
	/**
	 * The target's answer once its person has done what only they can do.
	 * @param need what it failed with just now; null: it comes back with what was asked before
	 */
	readonly visited: (
		view: View,
		routed: Routed,
		target: Target,
		need: NeedsPerson | null,
	) => Promise<Reply>;
	/** The reply, or the first page of it. */
	readonly limited: (
		view: View,
		target: Target,
		limitBytes: number,
		reply: Reply,
	) => Promise<Reply>;
	readonly nowMs: () => number;
	readonly record: (
		view: View,
		routed: Routed,
		target: Target,
		startedMs: number,
		outcome: CallRecord["outcome"],
	) => void;
};

/** One request, until its reply is known and recorded. A class, because every call makes one. */
export class Routing implements ReplyTo {
	readonly #ways: Ways;
	readonly #view: View;
	readonly #routed: Routed;
	readonly #to: ReplyTo;
	#target: Target | null = null;
	#startedMs = 0;
	/** Its person was sent somewhere once, and is not again. */
	#isVisited: boolean;

	constructor(ways: Ways, view: View, routed: Routed, to: ReplyTo) {
		this.#ways = ways;
		this.#view = view;
		this.#routed = routed;
		this.#to = to;
		this.#isVisited = isComingBack(routed);
	}

	begin(): void {
		const { method, params } = this.#routed;
		if (method === "tools/call" && mayReadOn(params)) void this.#readOn(params);
		else this.#find();
	}

	async #readOn(params: Bytes): Promise<void> {
		try {
			const page = await this.#ways.readOn(this.#view, this.#routed, params);
			if (page) this.#to.onReply(page);
			else this.#find();
		} catch (error) {
			this.#to.onFailure(error);
		}
	}

	#find(): void {
		try {
			const target = this.#ways.find(this.#view, this.#routed);
			if (target instanceof Promise) void this.#await(target);
			else this.#goTo(target);
		} catch (error) {
			this.#to.onFailure(error);
		}
	}

	async #await(target: Promise<Target>): Promise<void> {
		try {
			this.#goTo(await target);
		} catch (error) {
			this.#to.onFailure(error);
		}
	}

	/** @throws RpcError for a modern client whose headers do not say what the tool wants in them */
	#goTo(target: Target): void {
		const view = this.#view;
		const routed = this.#routed;
		if (routed.headers && target.entry)
			requireMirrored(routed.params, markedBy(target.entry), routed.headers);
		this.#target = target;
		this.#startedMs = this.#ways.nowMs();
		if (this.#isVisited)
			tell(this.#ways.visited(view, routed, target, null), this);
		else this.#ways.forward(view, routed, target, this);
	}

	onReply(whole: Reply): void {
		const target = this.#target as Target;
		const limitBytes = PAGED.has(this.#routed.method)
			? resultLimit(this.#view, target.server)
			: null;
		if (limitBytes === null) this.#end(whole);
		else void this.#limit(target, limitBytes, whole);
	}

	async #limit(
		target: Target,
		limitBytes: number,
		whole: Reply,
	): Promise<void> {
		let reply: Reply;
		try {
			reply = await this.#ways.limited(this.#view, target, limitBytes, whole);
		} catch (error) {
			this.#fail(error);
			return;
		}
		this.#end(reply);
	}

	onFailure(error: unknown): void {
		if (!(error instanceof NeedsPerson) || this.#isVisited) {
			this.#fail(error);
			return;
		}
		this.#isVisited = true;
		const target = this.#target as Target;
		tell(this.#ways.visited(this.#view, this.#routed, target, error), this);
	}

	#end(reply: Reply): void {
		this.#record(outcomeOf(this.#routed.method, reply));
		this.#to.onReply(reply);
	}

	#fail(error: unknown): void {
		const { method, signal } = this.#routed;
		this.#record(signal.aborted ? "cancelled" : "error");
		// A tool that cannot be reached is something the model should read, not a fault of the protocol.
		if (
			method === "tools/call" &&
			error instanceof SallyportError &&
			error.code !== "internal"
		) {
			const reply = toolErrorReply(explain(error));
			this.#to.onReply(adaptResult(this.#routed, "legacy", reply));
		} else this.#to.onFailure(error);
	}

	#record(outcome: CallRecord["outcome"]): void {
		const target = this.#target as Target;
		this.#ways.record(
			this.#view,
			this.#routed,
			target,
			this.#startedMs,
			outcome,
		);
	}
}

/** Methods whose result a tool wrote. */
const PAGED: ReadonlySet<string> = new Set(["tools/call", "tasks/result"]);

/** A call to read on is small. */
const READ_ON_BYTES_MAX = 4096;

/** Whether a call may be one to read on: looked at without parsing, because every call is. */
function mayReadOn(params: Bytes | null): params is Bytes {
	return (
		params !== null &&
		params.length <= READ_ON_BYTES_MAX &&
		holds(params, READ_MORE)
	);
}

/** What each of its names ends with. */
const READ_MORE = Buffer.from(READ_MORE_NAMES[0]);

/** The arguments of tools that travel as headers, found once for as long as the tool is the same. */
const marks = new WeakMap<Entry, ParamHeaders>();

function markedBy(entry: Entry): ParamHeaders {
	const known = marks.get(entry);
	if (known) return known;
	const found = paramHeadersOf(entry.bytes) ?? [];
	marks.set(entry, found);
	return found;
}

function outcomeOf(method: string, reply: Reply): CallRecord["outcome"] {
	if (reply.member === "error") return "error";
	return isToolError(method, reply) ? "tool_error" : "ok";
}

/** `"isError":true` in a small result; a large one is not read for the record's sake. */
function isToolError(method: string, { body }: Reply): boolean {
	return (
		method === "tools/call" &&
		body instanceof Uint8Array &&
		body.length < 4096 &&
		holds(body, IS_ERROR) &&
		/"isError"\s*:\s*true/.test(bufferOf(body).toString("latin1"))
	);
}

const IS_ERROR = Buffer.from('"isError"');

/** A call that was answered with a question of ours, perhaps, and comes back with what its client kept for it. */
function isComingBack({ era, params }: Routed): boolean {
	return era === "modern" && params !== null && mayHoldState(params);
}
