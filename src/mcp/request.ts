/**
 * One POST, read and proven: a single JSON-RPC message within bounds. What this returns is safe to route.
 */
import {
	type Bytes,
	cut,
	isObject,
	MalformedMessage,
	type Message,
	memberOf,
	parseJson,
	parseMessage,
	requireObject,
} from "../message.ts";
import { MEDIA, RPC } from "../protocol.ts";
import type { Envelope } from "./era.ts";
import { RpcError } from "./rpc.ts";

/** A request body above this is refused: arguments are not a way to move files. */
export const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

export type Incoming = {
	readonly message: Message;
	/** Method and params, parsed; for a response both are empty. */
	readonly envelope: Envelope;
	/** The params' own bytes. */
	readonly params: Bytes | null;
};

/**
 * The bytes of a POST.
 * @throws RpcError with the HTTP status to give: 413, 415
 */
export function readBody(request: Request): Promise<Bytes> {
	const { headers } = request;
	if (!isJson(headers.get("content-type") ?? ""))
		throw new RpcError(
			RPC.invalidRequest,
			"the content type must be application/json",
			{ status: 415 },
		);
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
	const value = parseJson(bytes) as { readonly params?: unknown };
	const message = parseMessage(bytes);
	if (message.kind === "response" || message.params === null)
		return {
			message,
			envelope: {
				method: message.kind === "response" ? "" : message.method,
				params: {},
			},
			params: null,
		};
	const params = cut(bytes, message.params.start, message.params.end);
	const meta = memberOf(params, 0, "_meta");
	if (meta) {
		if (!isObject(params, meta.start))
			throw new MalformedMessage(-32600, "params._meta must be an object");
		requireObject(params, meta.start);
	}
	return {
		message,
		envelope: {
			method: message.method,
			params: value.params as Readonly<Record<string, unknown>>,
		},
		params,
	};
}

/** A body that does not say its length, never more than `bytesMax` of it. @throws RpcError 413 */
async function readChunks(request: Request, bytesMax: number): Promise<Bytes> {
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
