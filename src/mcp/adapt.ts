/**
 * A server's answer for a client of the other era: what must be added, and which error code means what.
 * Members are put in front of the result's own bytes; nothing is taken away.
 *
 * @see specification 2026-07-28, changelog: `resultType`, cache hints, `-32002` → `-32602`
 */
import {
	type Bytes,
	holds,
	join,
	memberOf,
	membersOf,
	skipSpace,
	splice,
	textOf,
} from "../message.ts";
import { type Era, RPC } from "../protocol.ts";
import type { Reply } from "../upstream/upstream.ts";
import { inputRequired } from "./input.ts";

/** Every modern result says how it ended; a read also says how long it may be kept. */
const COMPLETE = '"resultType":"complete"';
const UNCACHED = '"ttlMs":0,"cacheScope":"private"';
const CLOSE_OBJECT = 0x7d;

/** The reply as the client's era wants it. */
export function adaptResult(
	{ era, method }: { readonly era: Era; readonly method: string },
	upstreamEra: Era,
	reply: Reply,
): Reply {
	if (era === upstreamEra) return reply;
	if (reply.member === "error")
		return { ...reply, body: adaptError(era, method, reply.body) };
	// A parked call's question has the modern shape already.
	if (era === "modern" && inputRequired(reply)) return reply;
	if (era === "modern")
		return {
			...reply,
			body: prepend(
				reply.body,
				method === "resources/read" ? `${COMPLETE},${UNCACHED}` : COMPLETE,
			),
		};
	return reply;
}

/** A read with somebody's own secrets is nobody else's to keep, whatever its server takes itself to be serving. */
export function withPrivateCache(reply: Reply): Reply {
	const { member, body } = reply;
	if (member === "error" || !(body instanceof Uint8Array)) return reply;
	if (!holds(body, '"cacheScope"')) return reply;
	const scope = memberOf(body, 0, "cacheScope");
	return scope
		? { ...reply, body: splice(body, [{ ...scope, text: '"private"' }]) }
		: reply;
}

/** Puts members in front of those of an object, whole or streamed. */
function prepend(body: Reply["body"], members: string): Reply["body"] {
	if (body instanceof Uint8Array) return prependWhole(body, members);
	let first = true;
	return {
		next: async () => {
			const piece = await body.next();
			const wasFirst = first;
			first = false;
			return piece && wasFirst ? prependWhole(piece, members) : piece;
		},
		cancel: () => body.cancel(),
	};
}

function prependWhole(bytes: Bytes, members: string): Bytes {
	const next = skipSpace(bytes, 1);
	const comma = bytes[next] === CLOSE_OBJECT ? "" : ",";
	return join([bytes.subarray(0, 1), members, comma, bytes.subarray(1)]);
}

/** Resource not found is `-32002` in the legacy era and `-32602` in the modern one, which must not emit the other. */
function adaptError(
	era: Era,
	method: string,
	body: Reply["body"],
): Reply["body"] {
	if (!(body instanceof Uint8Array) || method !== "resources/read") return body;
	const [from, to] =
		era === "modern"
			? [RPC.resourceNotFound, RPC.invalidParams]
			: [RPC.invalidParams, RPC.resourceNotFound];
	const code = membersOf(body, 0).find((member) => member.key === "code");
	return code && textOf(body, code) === String(from)
		? splice(body, [{ start: code.start, end: code.end, text: String(to) }])
		: body;
}
