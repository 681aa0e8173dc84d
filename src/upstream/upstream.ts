/**
 * Upstreams as the router sees them: one for each server and credential identity.
 *
 * Only shapes stand here. A message's params, results and list entries are bytes, as the server wrote them; how a
 * server is reached, of which era it is and whether it runs at the moment is no concern of whoever asks.
 */
import type { Abortable } from "../abort.ts";
import type { Bytes } from "../message.ts";
import type { Pieces } from "../pieces.ts";
import type { Era } from "../protocol.ts";
import type { Server } from "../store/servers.ts";
import type { ReplyTo } from "./reply-to.ts";
import type { Topic } from "./topic.ts";

/** What a server said of itself when we connected. */
export type ServerFacts = {
	readonly era: Era;
	readonly protocolVersion: string;
	readonly capabilities: Readonly<Record<string, unknown>>;
	readonly serverInfo: Readonly<Record<string, unknown>>;
	readonly instructions: string | undefined;
};

export const LISTS = {
	tools: { method: "tools/list", member: "tools", key: "name" },
	prompts: { method: "prompts/list", member: "prompts", key: "name" },
	resources: { method: "resources/list", member: "resources", key: "uri" },
	resourceTemplates: {
		method: "resources/templates/list",
		member: "resourceTemplates",
		key: "uriTemplate",
	},
} as const;

export type ListKind = keyof typeof LISTS;

/** One entry of a list, as the server wrote it. `key` is its name, URI or URI template, decoded. */
export type Item = { readonly key: string; readonly bytes: Bytes };

/** The `result` or `error` member of a response, as the server wrote it (an envelope belongs to one hop only). */
export type Reply = {
	readonly member: "result" | "error";
	readonly body: Bytes | Pieces;
	/** A question of the gateway's own in the modern shape, in place of what a legacy server asked. */
	readonly isQuestion?: true;
};

export type Call = {
	readonly method: string;
	/** The params object as the client wrote it, names already mapped. Its `_meta` may hold anything. */
	readonly params: Bytes | null;
	/** The raw JSON of the log level that the caller wants from a modern server, where every request says it. */
	readonly logLevel?: string;
	/** Ends the call: the server is told (`notifications/cancelled`, or the request is dropped). */
	readonly signal: Abortable;
	/** A notification that belongs to this call (progress with the client's own token, log message): whole bytes. */
	readonly onNotification?: (message: Bytes) => void;
	/**
	 * Answers a question that a legacy server asks in the middle of this call: `result` or `error`, as the client said
	 * it. Without it every question is refused.
	 */
	readonly onQuestion?: (question: Question) => Promise<Reply>;
	/**
	 * Who answers `onQuestion`. Where a server does not say which call its question belongs to (stdio), it is handed to
	 * the newest running call, and only if all running calls that can be asked have the same asker.
	 */
	readonly asker?: string;
};

/** What a server asks the user of a call: `elicitation/create`, `sampling/createMessage`, `roots/list`. */
export type Question = {
	readonly method: string;
	readonly params: Bytes | null;
};

export type UpstreamEvent =
	| { readonly type: "list_changed"; readonly list: ListKind }
	| { readonly type: "resource_updated"; readonly uri: string }
	/** What a server says of a task outside any call: the whole notification. */
	| {
			readonly type: "task_status";
			readonly taskId: string;
			readonly message: Bytes;
	  }
	/** A page was visited that a question or refusal had sent a client to: the whole notification. */
	| {
			readonly type: "visited";
			readonly elicitationId: string;
			readonly message: Bytes;
	  }
	/** Roots are asked for outside any call; the first who has an answer gives it at once. */
	| {
			readonly type: "roots_asked";
			readonly question: Question;
			readonly answer: (reply: Promise<Reply>) => void;
	  }
	/** A log message outside any call: the whole notification. */
	| { readonly type: "log"; readonly message: Bytes };

/** One server for one credential identity. Asleep until asked; reconnects by itself with back-off. */
export type Upstream = {
	readonly server: Server;
	/** `shared`, or the user whose personal secrets it holds. */
	readonly identity: string;
	/** What is declared to the server: canonical JSON of what its callers can be asked. */
	readonly capabilities: string;
	/** Connects when needed. @throws SallyportError `upstream` or `unavailable` with a hint */
	readonly facts: (signal?: Abortable) => Promise<ServerFacts>;
	/** The facts of the connection there is; null when there is none. */
	readonly liveFacts: () => ServerFacts | null;
	/** The facts if known from this or an earlier connection, without waking the server. */
	readonly knownFacts: () => ServerFacts | null;
	/** All pages of a list, cached until it changes; an empty list when the server does not have the capability. */
	readonly list: (
		kind: ListKind,
		signal?: Abortable,
	) => Promise<readonly Item[]>;
	/** The same array as long as nothing changed; null when the server must be asked. */
	readonly knownList: (kind: ListKind) => readonly Item[] | null;
	/** What the list said last, even if it must be asked for again; null when it never was. */
	readonly lastList: (kind: ListKind) => readonly Item[] | null;
	/** Somebody was given a list without this one's; when it comes, that is a change. */
	readonly miss: (kind: ListKind) => void;
	/** Whether that is so, and it has not come since. */
	readonly isMissed: (kind: ListKind) => boolean;
	/** How long what is known of a list is good for; 0 when nothing is. */
	readonly holdsForMs: (kind: ListKind) => number;
	/** Sends one request. It fails with SallyportError `upstream` (dead, garbage, too large, timed out). */
	readonly send: (call: Call, to: ReplyTo) => void;
	/** The same for whoever waits for the reply. */
	readonly request: (call: Call) => Promise<Reply>;
	readonly notify: (method: string, params: Bytes | null) => Promise<void>;
	/** Has the listener called with every event, until the returned function is called. One may listen to many. */
	readonly subscribe: (
		listener: (event: UpstreamEvent, from: Upstream) => void,
	) => () => void;
	/**
	 * Asks the server to tell of changes of a resource (`resource_updated`) or of a modern task (`task_status`), over
	 * reconnects too, until the returned function is called. Several watchers of one are one subscription at the server.
	 * @throws SallyportError `upstream` when the server refuses
	 */
	readonly watch: (topic: Topic, signal?: Abortable) => Promise<() => void>;
	/** Something goes on at the server although nobody waits for an answer: its process is not stopped meanwhile. */
	readonly keepAwake: (ms: number) => void;
	readonly state: () => "asleep" | "starting" | "ready" | "failed";
	/** The last failure in our words, for `servers show`. */
	readonly lastError: () => string | null;
	/**
	 * The last lines that the processes of its server and identity wrote to standard error, without their secrets; empty
	 * for one reached over HTTP.
	 */
	readonly logs: () => readonly string[];
	readonly close: () => Promise<void>;
};

/** All upstreams, one for each (server, credential identity, what its callers can be asked). */
export type Upstreams = {
	/**
	 * The upstream that serves this user. `capabilities` is canonical JSON of what the calling client can be asked,
	 * `{}` when absent; a server of the legacy era is told it once, when it is initialised.
	 * @throws SallyportError `unavailable` naming the secret slots that have no value yet
	 */
	readonly forUser: (
		server: Server,
		userId: string,
		capabilities?: string,
	) => Upstream;
	/** Closes every upstream of a server (it changed, was removed, or a secret of it changed). */
	readonly drop: (serverId: string, identity?: string) => Promise<void>;
	readonly live: (serverId: string) => readonly Upstream[];
	/** A number that grows whenever a list that any of them knows, or for how long it holds, may have changed. */
	readonly changes: () => number;
	readonly close: () => Promise<void>;
};
