/** A request as the router takes it, and what is read of it without parsing, because every call is looked at. */
import type { Abortable } from "../abort.ts";
import type { HttpRequest } from "../http1/incoming.ts";
import { type Bytes, holds } from "../message.ts";
import type { Era } from "../protocol.ts";
import type { Server } from "../store/servers.ts";
import type { Ask } from "./input.ts";
import type { End } from "./ties.ts";
import type { View } from "./view.ts";

/** A request to be routed. */
export type Routed = {
	readonly era: Era;
	readonly method: string;
	readonly params: Bytes | null;
	readonly signal: Abortable;
	readonly onNotification: (message: Bytes) => void;
	/** Asks the user of a legacy client; null when that cannot be. A modern client is asked by its answer. */
	readonly ask: Ask | null;
	/** The legacy session, or empty. */
	readonly session: string;
	/** The raw JSON of the log level that the client wants, or null. */
	readonly logLevel: string | null;
	/** The headers of a modern request, in which a tool may want some of its arguments repeated. */
	readonly headers?: HttpRequest["headers"];
	/** The legacy client outside this call, where it may have to be told something then. */
	readonly end?: End | null;
};

export function mayHoldState(params: Bytes): boolean {
	return holds(params, REQUEST_STATE);
}

const REQUEST_STATE = Buffer.from("requestState");

/** Whose call it is: what is sealed for one opens for no other. */
export function purposeOf(
	{ caller: { userId, clientId } }: View,
	method: string,
	server: Server,
	name: string | null,
): string {
	return JSON.stringify([userId, clientId, server.id, method, name]);
}
