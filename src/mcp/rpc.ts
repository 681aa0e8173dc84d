/**
 * The answers that are ours: JSON-RPC errors, and results we write ourselves.
 * Which HTTP status carries them is the endpoint's to say, by era.
 */
import { SallyportError } from "../errors.ts";
import { MalformedMessage } from "../malformed.ts";
import { toBytes } from "../message.ts";
import { RPC } from "../protocol.ts";
import type { Reply } from "../upstream/upstream.ts";

/** A JSON-RPC error for the client, thrown where a value would be awkward. Its message is in our words and safe. */
export class RpcError extends Error {
	readonly code: number;
	readonly data: unknown;
	/** The HTTP status, where the specification names one. */
	readonly status: number | undefined;

	constructor(
		code: number,
		message: string,
		options: { data?: unknown; status?: number } = {},
	) {
		super(message);
		this.name = "RpcError";
		this.code = code;
		this.data = options.data;
		this.status = options.status;
	}
}

/** A result of ours. */
export function resultReply(value: unknown): Reply {
	return { member: "result", body: toBytes(JSON.stringify(value)) };
}

/** A tool's failure that the model may read and act on. */
export function toolErrorReply(text: string): Reply {
	return resultReply({ content: [{ type: "text", text }], isError: true });
}

export function errorReply(error: RpcError): Reply {
	const { code, message, data } = error;
	return {
		member: "error",
		body: toBytes(
			JSON.stringify(
				data === undefined ? { code, message } : { code, message, data },
			),
		),
	};
}

/** What an expected failure means in JSON-RPC; null for a bug, which the caller logs. */
export function asRpcError(error: unknown): RpcError | null {
	if (error instanceof RpcError) return error;
	if (error instanceof MalformedMessage)
		return new RpcError(error.code, error.message, { status: 400 });
	if (error instanceof SallyportError && error.code !== "internal")
		return new RpcError(RPC.internalError, explain(error));
	return null;
}

/** The same of what a server answered: what cannot be read there is no fault of its client's request. */
export function asServersFault(error: unknown): unknown {
	return error instanceof MalformedMessage
		? new RpcError(
				RPC.internalError,
				`the server's answer cannot be read: ${error.message}`,
			)
		: error;
}

/** Message and hint in one sentence, for places that have only one text. */
export function explain(error: SallyportError): string {
	return error.hint === undefined
		? error.message
		: `${error.message}: ${error.hint}`;
}
