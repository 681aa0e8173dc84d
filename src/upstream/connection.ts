/**
 * A connection: a link on which an era was agreed. It gives each request our own id and progress token, hands what the
 * server says about a request to the call it belongs to, and watches resources in the words of the era.
 */
import type { Abortable } from "../abort.ts";
import { SallyportError } from "../errors.ts";
import { type Bytes, toBytes } from "../message.ts";
import {
	restoreProgressToken,
	type WrappedRequest,
	wrapNotification,
	wrapRequest,
} from "./envelope.ts";
import { type CallHearing, changesOf } from "./hearing.ts";
import {
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
import { createSubscription, LISTEN } from "./subscription.ts";
import { type Topic, topicOf } from "./topic.ts";
import type { Call, Reply, ServerFacts } from "./upstream.ts";

export type Connection = {
	readonly facts: ServerFacts;
	/** @throws LinkError */
	readonly request: (call: Call, timeoutMs: number) => Promise<Reply>;
	/** The same, for whoever does not wait but hears. */
	readonly send: (
		call: Call,
		timeoutMs: number,
		paramHeaders: ParamHeaders,
		to: ReplyTo,
	) => void;
	readonly notify: (method: string, params: Bytes | null) => Promise<void>;
	/** Hears of changes until the connection ends, where the server tells of any. Returns at once. */
	readonly listen: () => void;
	/** Has the server tell of changes of one resource. @throws LinkError when it refuses */
	readonly watch: (topic: Topic) => Promise<void>;
	/** Nobody wants to know of it any more. */
	readonly unwatch: (topic: Topic) => void;
	readonly close: () => Promise<void>;
	readonly closed: Promise<string>;
};

/** What we say of ourselves. */
export type Self = {
	readonly version: string;
	/** Canonical JSON of what our callers can be asked. */
	readonly capabilities: string;
};

/** A link on which nothing was agreed yet: what finding out the era needs. */
export type Talk = {
	readonly link: Link;
	readonly self: Self;
	readonly request: (
		call: Call,
		speaking: Speaking,
		timeoutMs: number,
	) => Promise<Reply>;
	/** The same, for whoever does not wait but hears. */
	readonly send: (
		call: Call,
		speaking: Speaking,
		timeoutMs: number,
		paramHeaders: ParamHeaders,
		to: ReplyTo,
	) => void;
};

const WATCH_TIMEOUT_MS = 30_000;

/** What belongs to one hop, and is never handed on. */
const OWN_HOP = new Set([
	"notifications/cancelled",
	"notifications/subscriptions/acknowledged",
]);

/** The ids of requests on one link: none is given twice, whoever talks there. */
export type Ids = { last: number };

/** Begins to talk on a link. */
export function createTalk(
	link: Link,
	hearing: CallHearing,
	self: Self,
	ids: Ids = { last: 0 },
): Talk {
	const on: Sender = { hearing, self, ids };
	const send: Talk["send"] = (call, speaking, timeoutMs, paramHeaders, to) => {
		const sending = new Sending(
			on,
			call,
			speaking,
			timeoutMs,
			paramHeaders,
			to,
		);
		if (!sending.isListen) hearing.join(sending.id, sending);
		link.send(sending);
	};
	return {
		link,
		self,
		send,
		request: (call, speaking, timeoutMs) =>
			replied((to) => send(call, speaking, timeoutMs, NO_PARAM_HEADERS, to)),
	};
}

/** What all calls of a talk have in common. */
type Sender = {
	readonly hearing: CallHearing;
	readonly self: Self;
	readonly ids: Ids;
};

/** One call with our own id. A class, because every call makes one. */
class Sending implements Outgoing {
	readonly id: number;
	readonly call: Call;
	readonly method: string;
	readonly message: WrappedRequest;
	readonly speaking: Speaking;
	readonly headers: Readonly<Record<string, string>> | undefined;
	readonly signal: Abortable;
	readonly patience: Patience;
	readonly isListen: boolean;
	readonly #hearing: CallHearing;
	readonly #to: ReplyTo;

	constructor(
		{ hearing, self, ids }: Sender,
		call: Call,
		speaking: Speaking,
		timeoutMs: number,
		paramHeaders: ParamHeaders,
		to: ReplyTo,
	) {
		const { method, params, logLevel, signal } = call;
		const id = ++ids.last;
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
		this.#hearing = hearing;
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
			this.#hearing.onNotification(notification);
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
		this.#hearing.leave(this.id);
		this.#to.onReply(reply);
	}

	onFailure(error: unknown): void {
		this.#hearing.leave(this.id);
		this.#to.onFailure(error);
	}
}

/** The connection that a talk has become. */
export function createConnection(talk: Talk, facts: ServerFacts): Connection {
	const { link } = talk;
	const speaking: Speaking = {
		era: facts.era,
		protocolVersion: facts.protocolVersion,
	};
	const changes =
		facts.era === "modern"
			? createSubscription(talk, speaking, changingLists(facts.capabilities))
			: legacyChanges(talk, speaking, facts.capabilities);
	return {
		facts,
		request: (call, timeoutMs) => talk.request(call, speaking, timeoutMs),
		send: (call, timeoutMs, paramHeaders, to) =>
			talk.send(call, speaking, timeoutMs, paramHeaders, to),
		notify: (method, params) =>
			link.notify(wrapNotification(method, params), speaking),
		listen: changes.open,
		watch: changes.watch,
		unwatch: changes.unwatch,
		close: link.close,
		closed: link.closed,
	};
}

/** How a connection hears of changes, whatever its era. */
export type Changes = {
	readonly open: () => void;
	readonly watch: (topic: Topic) => Promise<void>;
	readonly unwatch: (topic: Topic) => void;
};

function legacyChanges(
	talk: Talk,
	speaking: Speaking,
	capabilities: ServerFacts["capabilities"],
): Changes {
	const say = (method: string, uri: string): Promise<Reply> =>
		talk.request(
			{
				method,
				params: toBytes(`{"uri":${JSON.stringify(uri)}}`),
				signal: new AbortController().signal,
			},
			speaking,
			WATCH_TIMEOUT_MS,
		);
	return {
		open: () => {
			const speaks =
				changingLists(capabilities).length > 0 ||
				"logging" in capabilities ||
				flag(capabilities, "resources", "subscribe") ||
				// Some servers ask there, and not on the stream of the call that they ask in.
				talk.self.capabilities !== "{}";
			if (speaks) talk.link.listen(speaking);
		},
		watch: async (topic) => {
			const uri = topicOf("resource", topic);
			// Of its tasks a legacy server tells unasked, if at all.
			if (uri === null) throw unwatchable();
			const { member } = await say("resources/subscribe", uri);
			if (member === "error") throw unwatchable();
		},
		unwatch: (topic) => {
			const uri = topicOf("resource", topic);
			if (uri === null) return;
			say("resources/unsubscribe", uri).catch((error: unknown) => {
				// A server that is gone tells of nothing more either.
				if (!(error instanceof SallyportError)) throw error;
			});
		},
	};
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
