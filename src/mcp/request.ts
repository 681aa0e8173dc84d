/**
 * One POST, read and proven: a single JSON-RPC message within bounds. What this returns is safe to route.
 */

import { cut } from "../assembly.ts";
import type { HttpRequest } from "../http1/incoming.ts";
import { type Bytes, type Message, proveMessage } from "../message.ts";
import { MEDIA, RPC } from "../protocol.ts";
import { Envelope } from "./envelope.ts";
import { RpcError } from "./rpc.ts";

/** A request body above this is refused: arguments are not a way to move files. */
export const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

export type Incoming = {
	readonly message: Message;
	/** Method and params; for a response both are empty. */
	readonly envelope: Envelope;
};

/**
 * The bytes of a POST.
 * @throws RpcError with the HTTP status to give: 413, 415
 */
export function readBody(request: HttpRequest): Bytes | Promise<Bytes> {
	const { headers, whole } = request;
	if (!isJson(headers.get("content-type") ?? ""))
		throw new RpcError(
			RPC.invalidRequest,
			"the content type must be application/json",
			{ status: 415 },
		);
	if (whole && whole.length <= MESSAGE_BYTES_MAX) return whole;
	const declared = Number(headers.get("content-length") ?? Number.NaN);
	if (declared > MESSAGE_BYTES_MAX) throw tooLarge(MESSAGE_BYTES_MAX);
	return declared >= 0
		? request.bytes()
		: readChunks(request, MESSAGE_BYTES_MAX);
}

function isJson(contentType: string): boolean {
	return (
		contentType === MEDIA.json ||
		contentType.split(";")[0]?.trim().toLowerCase() === MEDIA.json
	);
}

/**
 * Proves the bytes: whole JSON, one message, no member twice where we read.
 * @throws MalformedMessage
 */
export function parseIncoming(bytes: Bytes): Incoming {
	const message = proveMessage(bytes);
	return {
		message,
		envelope:
			message.kind === "response"
				? NOTHING_ASKED
				: new Envelope(
						message.method,
						message.params &&
							cut(bytes, message.params.start, message.params.end),
					),
	};
}

const NOTHING_ASKED = new Envelope("", null);

/** A body that does not say its length, never more than `bytesMax` of it. @throws RpcError 413 */
async function readChunks(
	request: HttpRequest,
	bytesMax: number,
): Promise<Bytes> {
	const chunks: Bytes[] = [];
	let length = 0;
	for await (const chunk of request.body ?? []) {
		length += chunk.length;
		if (length > bytesMax) throw tooLarge(bytesMax);
		chunks.push(chunk);
	}
	return Buffer.concat(chunks);
}

function tooLarge(bytesMax: number): RpcError {
	return new RpcError(
		RPC.invalidRequest,
		`the message is larger than ${bytesMax / 1024 / 1024} MiB`,
		{ status: 413 },
	);
}
