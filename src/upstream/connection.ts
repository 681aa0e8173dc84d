/**
 * A connection: a link on which an era was agreed. It gives each request our own id and progress token, hands what the
 * server says about a request to the call it belongs to, and watches resources in the words of the era.
 */
import { Abort, type Abortable } from "../abort.ts";
import { SallyportError } from "../errors.ts";
import { type Bytes, toBytes } from "../message.ts";
import {
	restoreProgressToken,
	type WrappedRequest,
	wrapNotification,
	wrapRequest,
} from "./envelope.ts";
import { changesOf } from "./hearing.ts";
import {
	type Hearing,
	type Link,
	type Notification,
	type Outgoing,
	type Speaking,
	unwatchable,
} from "./link.ts";
import {
	mirrorHeaders,
	NO_PARAM_HEADERS,
	type ParamHeaders,
} from "./mirror.ts";
import { Patience } from "./patience.ts";
import { type ReplyTo, replied } from "./reply-to.ts";
import type { Running, RunningCalls } from "./running.ts";
import { LISTEN, Subscription } from "./subscription.ts";
import { type Topic, topicOf } from "./topic.ts";
import type { Call, Reply, ServerFacts } from "./upstream.ts";

/** What we say of ourselves. */
export type Self = {
	readonly version: string;
	/** Canonical JSON of what our callers can be asked. */
	readonly capabilities: string;
};

const WATCH_TIMEOUT_MS = 30_000;

/** What belongs to one hop, and is never handed on. */
const OWN_HOP = new Set([
	"notifications/cancelled",
	"notifications/subscriptions/acknowledged",
]);

/** A link on which nothing was agreed yet: what finding out the era needs. A class, because every server has one. */
export class Talk {
	readonly link: Link;
	readonly hearing: Hearing;
	readonly calls: RunningCalls;
	readonly self: Self;

	/** @param calls what runs on the link, which others may talk on too */
	constructor(link: Link, hearing: Hearing, calls: RunningCalls, self: Self) {
		this.link = link;
		this.hearing = hearing;
		this.calls = calls;
		this.self = self;
	}

	/** @throws LinkError */
	request(call: Call, speaking: Speaking, timeoutMs: number): Promise<Reply> {
		return replied((to) =>
			this.send(call, speaking, timeoutMs, NO_PARAM_HEADERS, to),
		);
	}

	/** The same, for whoever does not wait but hears. */
	send(
		call: Call,
		speaking: Speaking,
		timeoutMs: number,
		paramHeaders: ParamHeaders,
		to: ReplyTo,
	): void {
		const sending = new Sending(
			this,
			call,
			speaking,
			timeoutMs,
			paramHeaders,
			to,
		);
		if (!sending.isListen) this.calls.add(sending);
		this.link.send(sending);
	}
}

/** One call with our own id. A class, because every call makes one. */
class Sending implements Outgoing, Running {
	readonly id: number;
	readonly call: Call;
	readonly method: string;
	readonly message: WrappedRequest;
	readonly speaking: Speaking;
	readonly headers: Readonly<Record<string, string>> | undefined;
	readonly signal: Abortable;
	readonly patience: Patience;
	readonly isListen: boolean;
	ends: Set<() => void> | null = null;
	before: Running | null = null;
	after: Running | null = null;
	readonly #talk: Talk;
	readonly #to: ReplyTo;

	constructor(
		talk: Talk,
		call: Call,
		speaking: Speaking,
		timeoutMs: number,
		paramHeaders: ParamHeaders,
		to: ReplyTo,
	) {
		const { method, params, logLevel, signal } = call;
		const { self } = talk;
		const id = talk.calls.nextId();
		const message = wrapRequest({
			id,
			method,
			params,
			era: speaking.era,
			clientCapabilities: self.capabilities,
			logLevel,
			version: self.version,
		});
		this.id = id;
		this.call = call;
		this.method = method;
		this.message = message;
		this.speaking = speaking;
		this.headers =
			speaking.era === "modern"
				? mirrorHeaders(method, params, paramHeaders)
				: undefined;
		this.signal = signal;
		this.patience = new Patience(timeoutMs);
		this.isListen = method === LISTEN;
		this.#talk = talk;
		this.#to = to;
	}

	onNotification(notification: Notification): void {
		const { call, isListen } = this;
		const { method } = notification;
		if (isListen && method === "notifications/subscriptions/acknowledged")
			call.onNotification?.(notification.bytes);
		else if (
			method === "notifications/cancelled" ||
			(isListen && method === "notifications/message") ||
			changesOf(notification).length > 0
		)
			this.#talk.hearing.onNotification(notification);
		else {
			const message = relayed(
				notification,
				this.id,
				this.message.progressToken,
			);
			if (message) call.onNotification?.(message);
		}
	}

	onReply(reply: Reply): void {
		this.#talk.calls.delete(this);
		this.#to.onReply(reply);
	}

	onFailure(error: unknown): void {
		this.#talk.calls.delete(this);
		this.#to.onFailure(error);
	}
}

/** The connection that a talk has become. A class, because every server has one, also when nobody asks it anything. */
export class Connection {
	/** What was agreed, and so what is spoken. */
	readonly facts: ServerFacts;
	readonly #talk: Talk;
	readonly #changes: Changes;

	constructor(talk: Talk, facts: ServerFacts) {
		this.facts = facts;
		this.#talk = talk;
		this.#changes =
			facts.era === "modern"
				? new Subscription(talk, facts, changingLists(facts.capabilities))
				: new LegacyChanges(talk, facts);
	}

	/** @throws LinkError */
	request(call: Call, timeoutMs: number): Promise<Reply> {
		return this.#talk.request(call, this.facts, timeoutMs);
	}

	/** The same, for whoever does not wait but hears. */
	send(
		call: Call,
		timeoutMs: number,
		paramHeaders: ParamHeaders,
		to: ReplyTo,
	): void {
		this.#talk.send(call, this.facts, timeoutMs, paramHeaders, to);
	}

	notify(method: string, params: Bytes | null): Promise<void> {
		return this.#talk.link.notify(wrapNotification(method, params), this.facts);
	}

	/** Hears of changes until the connection ends, where the server tells of any. Returns at once. */
	listen(): void {
		this.#changes.open();
	}

	/** Has the server tell of changes of one resource. @throws LinkError when it refuses */
	watch(topic: Topic): Promise<void> {
		return this.#changes.watch(topic);
	}

	/** Nobody wants to know of it any more. */
	unwatch(topic: Topic): void {
		this.#changes.unwatch(topic);
	}

	close(): Promise<void> {
		return this.#talk.link.close();
	}

	/** Resolves when it is of no use any more, with the reason in our words. Never rejects. */
	get closed(): Promise<string> {
		return this.#talk.link.closed;
	}
}

/** How a connection hears of changes, whatever its era. */
export type Changes = {
	open(): void;
	watch(topic: Topic): Promise<void>;
	unwatch(topic: Topic): void;
};

class LegacyChanges implements Changes {
	readonly #talk: Talk;
	readonly #facts: ServerFacts;

	constructor(talk: Talk, facts: ServerFacts) {
		this.#talk = talk;
		this.#facts = facts;
	}

	open(): void {
		const { capabilities } = this.#facts;
		const { link, self } = this.#talk;
		const speaks =
			changingLists(capabilities).length > 0 ||
			"logging" in capabilities ||
			flag(capabilities, "resources", "subscribe") ||
			// Some servers ask there, and not on the stream of the call that they ask in.
			self.capabilities !== "{}";
		if (speaks) link.listen(this.#facts);
	}

	async watch(topic: Topic): Promise<void> {
		const uri = topicOf("resource", topic);
		// Of its tasks a legacy server tells unasked, if at all.
		if (uri === null) throw unwatchable();
		const { member } = await this.#say("resources/subscribe", uri);
		if (member === "error") throw unwatchable();
	}

	unwatch(topic: Topic): void {
		const uri = topicOf("resource", topic);
		if (uri === null) return;
		this.#say("resources/unsubscribe", uri).catch((error: unknown) => {
			// A server that is gone tells of nothing more either.
			if (!(error instanceof SallyportError)) throw error;
		});
	}

	#say(method: string, uri: string): Promise<Reply> {
		const params = toBytes(`{"uri":${JSON.stringify(uri)}}`);
		const call = { method, params, signal: new Abort() };
		return this.#talk.request(call, this.#facts, WATCH_TIMEOUT_MS);
	}
}

/** The lists that a server tells changes of. */
function changingLists(
	capabilities: ServerFacts["capabilities"],
): readonly string[] {
	return ["tools", "prompts", "resources"].filter((list) =>
		flag(capabilities, list, "listChanged"),
	);
}

function flag(
	capabilities: ServerFacts["capabilities"],
	feature: string,
	name: string,
): boolean {
	const declared = capabilities[feature] as
		| Readonly<Record<string, unknown>>
		| null
		| undefined;
	return declared?.[name] === true;
}

/** A notification about a call as the caller may see it: its own token in it. */
function relayed(
	notification: Notification,
	id: number,
	token: string | null,
): Bytes | null {
	const { method, bytes, params } = notification;
	if (OWN_HOP.has(method)) return null;
	if (method !== "notifications/progress") return bytes;
	return params && token !== null
		? restoreProgressToken(bytes, params, id, token)
		: null;
}
