/**
 * A request as whoever answers it sees it: as much of the platform's `Request` as is needed, and its bytes at once. It
 * knows nothing of the connection it came on, but that its client may go away.
 *
 * @see Fetch, "Request class"
 */
import { SallyportError } from "../errors.ts";
import type { Bytes } from "../message.ts";
import { mintId } from "../mint.ts";
import { type Pieces, readableOf, wholeOf, wholePieces } from "../pieces.ts";
import type { RequestHead } from "./request-head.ts";

/** What is asked of a request; the platform's own kind has it too. */
export type HttpRequest = Pick<Request, "method" | "url" | "signal"> & {
	readonly headers: Pick<Headers, "get" | "has">;
	readonly body: ReadableStream<Bytes> | null;
	bytes(): Promise<Bytes>;
	/** The whole body, where it came together with the head. */
	readonly whole?: Bytes | null;
};

/**
 * A request as it arrived; the platform's own objects are made of it when they are asked for. A class, because every
 * call makes one.
 */
export class IncomingRequest implements HttpRequest {
	/** By which it is found in the log; its answer says it too. */
	readonly id = mintId("req");
	readonly headers: RequestHead;
	readonly whole: Bytes | null;
	readonly #pieces: Pieces | null;
	#gone: AbortController | null = null;
	#body: ReadableStream<Bytes> | null = null;
	#isGone = false;

	/** @param body all of it, or what it arrives in */
	constructor(head: RequestHead, body: Bytes | Pieces) {
		this.headers = head;
		this.whole = body instanceof Uint8Array ? body : null;
		this.#pieces = body instanceof Uint8Array ? null : body;
	}

	get method(): string {
		return this.headers.method;
	}

	get url(): string {
		return this.headers.url;
	}

	/** Aborts when the client goes away before its answer is complete. */
	get signal(): AbortSignal {
		this.#gone ??= new AbortController();
		if (this.#isGone) this.#gone.abort();
		return this.#gone.signal;
	}

	get body(): ReadableStream<Bytes> | null {
		if (this.whole?.length === 0) return null;
		this.#body ??= readableOf(this.#pieces ?? wholePieces(this.whole as Bytes));
		return this.#body;
	}

	/** @throws SallyportError `invalid` when it does not arrive whole */
	bytes(): Promise<Bytes> {
		return this.#pieces
			? wholeOf(this.#pieces, Number.POSITIVE_INFINITY)
			: Promise.resolve(this.whole as Bytes);
	}

	/** The same as the platform knows it. */
	toRequest(): Request {
		const { method, url, headers, signal, whole } = this;
		const hasBody = method !== "GET" && method !== "HEAD";
		const init = {
			method,
			headers: [...headers.entries()],
			signal,
			...(hasBody && { body: whole ?? this.body, duplex: "half" }),
		};
		return new Request(url, init as unknown as RequestInit);
	}

	/** Says that the client has gone away: `signal` aborts, also one that is asked for later. */
	leave(): void {
		this.#isGone = true;
		this.#gone?.abort();
	}
}

/** What whoever reads a body learns when there is no more of it. */
export function arrivedInPart(): SallyportError {
	return new SallyportError("invalid", "the request did not arrive whole");
}
