/**
 * What the two HTTP transports share: where a server is, which headers go with everything, and how work is ended.
 */
import type { KeptEgress } from "../egress.ts";
import { SallyportError } from "../errors.ts";

/** Ours alone: an administrator's header does not change what is said about the message. */
const RESERVED_HEADER =
	/^(host|connection|content-length|content-type|accept|accept-encoding|transfer-encoding|last-event-id|mcp-.*)$/;

export type HttpTarget = {
	readonly egress: KeptEgress;
	readonly url: string;
	/** The server's plain headers and its secret ones. */
	readonly headers: Readonly<Record<string, string>>;
	readonly version: string;
	/** A place among the streams that may stay open for nothing; null when there is none. */
	readonly takeStream: () => (() => void) | null;
};

/** The headers of every request to this server, without reserved ones. */
export function baseHeaders(target: HttpTarget): Record<string, string> {
	const headers: Record<string, string> = {
		"user-agent": `sallyport/${target.version}`,
		"accept-encoding": "identity",
	};
	for (const [name, value] of Object.entries(target.headers)) {
		const lower = name.toLowerCase();
		if (!RESERVED_HEADER.test(lower)) headers[lower] = value;
	}
	return headers;
}

/** What fails where nobody waits: a server that is gone is noticed by the next request. A bug is still thrown. */
export function swallowExpected(error: unknown): void {
	if (!(error instanceof SallyportError)) throw error;
}
