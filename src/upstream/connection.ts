/**
 * A connection: a link on which an era was agreed. It gives each request our own id and progress token, and sorts what
 * the server says unasked: progress and log lines to the call they belong to, changes to whoever listens.
 */
import { delay } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { type Bytes, memberOf, parseJson, toBytes } from "../message.ts";

import {
	restoreProgressToken,
	wrapNotification,
	wrapRequest,
} from "./envelope.ts";
import {
	answerServer,
	type Hearing,
	type Link,
	type Notification,
	RECONNECT_MS,
	type Speaking,
} from "./link.ts";
import { mirrorHeaders, type ParamHeaders } from "./mirror.ts";
import type {
	Call,
	ListKind,
	Reply,
	ServerFacts,
	UpstreamEvent,
} from "./upstream.ts";

export type Connection = {
	readonly facts: ServerFacts;
	/** @throws LinkError */
	readonly request: (
		call: Call,
		timeoutMs: number,
		paramHeaders?: ParamHeaders,
	) => Promise<Reply>;
	readonly notify: (method: string, params: Bytes | null) => Promise<void>;
	/** Hears of changes until the connection ends, where the server tells of any. Returns at once. */
	readonly listen: () => void;
	readonly close: () => Promise<void>;
	readonly closed: Promise<string>;
};

/** A link on which nothing was agreed yet: what finding out the era needs. */
export type Talk = {
	readonly link: Link;
	readonly request: (
		call: Call,
		speaking: Speaking,
		timeoutMs: number,
		paramHeaders?: ParamHeaders,
	) => Promise<Reply>;
};

const CHANGES: Readonly<Record<string, readonly ListKind[]>> = {
	"notifications/tools/list_changed": ["tools"],
	"notifications/prompts/list_changed": ["prompts"],
	"notifications/resources/list_changed": ["resources", "resourceTemplates"],
};

/** The longest a timer can wait. */
const FOREVER_MS = 2 ** 31 - 1;

/** What belongs to one hop, and is never handed on. */
const OWN_HOP = new Set([
	"notifications/cancelled",
	"notifications/subscriptions/acknowledged",
]);

/** Hands up what a server says outside any call. */
export function createHearing(
	onEvent: (event: UpstreamEvent) => void,
): Hearing {
	return {
		onRequest: answerServer,
		onNotification: (notification) => {
			for (const event of eventsOf(notification)) onEvent(event);
		},
	};
}

/** Begins to talk on a link. */
export function createTalk(
	link: Link,
	hearing: Hearing,
	version: string,
): Talk {
	let lastId = 0;
	return {
		link,
		request: (call, speaking, timeoutMs, paramHeaders) => {
			const id = ++lastId;
			const { bytes, progressToken } = wrapRequest({
				id,
				method: call.method,
				params: call.params,
				era: speaking.era,
				clientCapabilities: call.clientCapabilities ?? "{}",
				version,
			});
			const relay = (notification: Notification): void => {
				const own = isLog(notification) || eventsOf(notification).length === 0;
				if (!own) hearing.onNotification(notification);
				const message = own && relayed(notification, id, progressToken);
				if (message) call.onNotification?.(message);
			};
			return link.request({
				id,
				method: call.method,
				bytes,
				speaking,
				headers:
					speaking.era === "modern"
						? mirrorHeaders(call.method, call.params, paramHeaders)
						: {},
				signal: call.signal,
				timeoutMs,
				onNotification: relay,
			});
		},
	};
}

/** The connection that a talk has become. */
export function createConnection(talk: Talk, facts: ServerFacts): Connection {
	const { link } = talk;
	const speaking: Speaking = {
		era: facts.era,
		protocolVersion: facts.protocolVersion,
	};
	return {
		facts,
		request: (call, timeoutMs, paramHeaders) =>
			talk.request(call, speaking, timeoutMs, paramHeaders),
		notify: (method, params) =>
			link.notify(wrapNotification(method, params), speaking),
		listen: () => {
			if (!tellsOfChanges(facts)) return;
			if (facts.era === "legacy") link.listen(speaking);
			else void subscribe(talk, facts, speaking);
		},
		close: link.close,
		closed: link.closed,
	};
}

function tellsOfChanges({ era, capabilities }: ServerFacts): boolean {
	return (
		filterOf(capabilities) !== "" ||
		// Legacy servers also send log lines and updates of resources there.
		(era === "legacy" &&
			("logging" in capabilities ||
				flag(capabilities, "resources", "subscribe")))
	);
}

/** The lists a modern server tells changes of, as the members of a `listen` filter. */
function filterOf(capabilities: ServerFacts["capabilities"]): string {
	return ["tools", "prompts", "resources"]
		.filter((list) => flag(capabilities, list, "listChanged"))
		.map((list) => `"${list}ListChanged":true`)
		.join(",");
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

/** Keeps a `subscriptions/listen` request open until the link ends. */
async function subscribe(
	talk: Talk,
	facts: ServerFacts,
	speaking: Speaking,
): Promise<void> {
	const release = talk.link.takeStream();
	if (!release) return;
	const ended = new AbortController();
	void talk.link.closed.then(() => ended.abort());
	const params = toBytes(`{"notifications":{${filterOf(facts.capabilities)}}}`);
	for (let attempt = 0; !ended.signal.aborted; attempt++) {
		try {
			const reply = await talk.request(
				{ method: "subscriptions/listen", params, signal: ended.signal },
				speaking,
				FOREVER_MS,
			);
			if (reply.member === "error") break;
		} catch (error) {
			if (!(error instanceof SallyportError)) throw error;
		}
		await delay(pauseMs(attempt), ended.signal);
	}
	release();
}

function pauseMs(attempt: number): number {
	return RECONNECT_MS[Math.min(attempt, RECONNECT_MS.length - 1)] ?? 0;
}

/** What a notification tells of the server itself. */
function eventsOf(notification: Notification): readonly UpstreamEvent[] {
	const { method, bytes, params } = notification;
	const lists = CHANGES[method];
	if (lists) return lists.map((list) => ({ type: "list_changed", list }));
	if (method === "notifications/message")
		return [{ type: "log", message: bytes }];
	if (method !== "notifications/resources/updated" || !params) return [];
	const member = memberOf(bytes, params.start, "uri");
	const uri = member ? parseJson(bytes, member) : null;
	return typeof uri === "string" ? [{ type: "resource_updated", uri }] : [];
}

function isLog({ method }: Notification): boolean {
	return method === "notifications/message";
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
