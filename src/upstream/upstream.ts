/**
 * Upstreams as the router sees them: one for each server and credential identity.
 *
 * Only shapes stand here. A message's params, results and list entries are bytes, as the server wrote them; how a
 * server is reached, of which era it is and whether it runs at the moment is no concern of whoever asks.
 */
import type { Bytes } from "../message.ts";
import type { Era } from "../protocol.ts";
import type { Server } from "../store/servers.ts";

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
	readonly body: Bytes | ReadableStream<Bytes>;
};

export type Call = {
	readonly method: string;
	/** The params object as the client wrote it, names already mapped. Its `_meta` may hold anything. */
	readonly params: Bytes | null;
	/** The calling client's capabilities as raw JSON; `{}` when it cannot be asked anything through us. */
	readonly clientCapabilities?: string;
	/** Ends the call: the server is told (`notifications/cancelled`, or the request is dropped). */
	readonly signal: AbortSignal;
	/** A notification that belongs to this call (progress with the client's own token, log message): whole bytes. */
	readonly onNotification?: (message: Bytes) => void;
};

export type UpstreamEvent =
	| { readonly type: "list_changed"; readonly list: ListKind }
	| { readonly type: "resource_updated"; readonly uri: string }
	/** A log message outside any call: the whole notification. */
	| { readonly type: "log"; readonly message: Bytes };

/** One server for one credential identity. Asleep until asked; reconnects by itself with back-off. */
export type Upstream = {
	readonly server: Server;
	/** `shared`, or the user whose personal secrets it holds. */
	readonly identity: string;
	/** Connects when needed. @throws SallyportError `upstream` or `unavailable` with a hint */
	readonly facts: (signal?: AbortSignal) => Promise<ServerFacts>;
	/** The facts if known from this or an earlier connection, without waking the server. */
	readonly knownFacts: () => ServerFacts | null;
	/** All pages of a list, cached until it changes; an empty list when the server does not have the capability. */
	readonly list: (
		kind: ListKind,
		signal?: AbortSignal,
	) => Promise<readonly Item[]>;
	/** Sends one request. @throws SallyportError `upstream` (dead, garbage, too large, timed out) */
	readonly request: (call: Call) => Promise<Reply>;
	readonly notify: (method: string, params: Bytes | null) => Promise<void>;
	readonly subscribe: (listener: (event: UpstreamEvent) => void) => () => void;
	readonly state: () => "asleep" | "starting" | "ready" | "failed";
	/** The last failure in our words, for `servers show`. */
	readonly lastError: () => string | null;
	/** The last lines its process wrote to standard error, without its secrets; empty for one reached over HTTP. */
	readonly logs: () => readonly string[];
	readonly close: () => Promise<void>;
};

/** All upstreams, one for each (server, credential identity). */
export type Upstreams = {
	/**
	 * The upstream that serves this user.
	 * @throws SallyportError `unavailable` naming the secret slots that have no value yet
	 */
	readonly forUser: (server: Server, userId: string) => Upstream;
	/** Closes every upstream of a server (it changed, was removed, or a secret of it changed). */
	readonly drop: (serverId: string, identity?: string) => Promise<void>;
	readonly live: (serverId: string) => readonly Upstream[];
	readonly close: () => Promise<void>;
};
