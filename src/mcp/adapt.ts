/**
 * A server's answer for a client of the other era: what must be added, and which error code means what.
 * What a result lacks is added to its own bytes; what it says already in the words of the other era stands once.
 *
 * @see specification 2026-07-28, changelog: `resultType`, cache hints, `-32002` → `-32602`
 */
import { memberOf, splice, textOf } from "../message.ts";
import { type Era, RPC } from "../protocol.ts";
import type { Reply } from "../upstream/upstream.ts";
import { inputRequired } from "./input.ts";
import { type Members, replaceMembers, withMembers } from "./members.ts";

/** Every modern result says how it ended; a read also says how long it may be kept. */
const PRIVATE: Members = { cacheScope: '"private"' };
const COMPLETE: Members = { resultType: '"complete"' };
const UNCACHED: Members = { ...COMPLETE, ttlMs: "0", ...PRIVATE };

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
			body: withMembers(
				reply.body,
				method === "resources/read" ? UNCACHED : COMPLETE,
			),
		};
	return reply;
}

/** A read with somebody's own secrets is nobody else's to keep, whatever its server takes itself to be serving. */
export function withPrivateCache(reply: Reply): Reply {
	return reply.member === "error"
		? reply
		: { ...reply, body: replaceMembers(reply.body, PRIVATE) };
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
	const code = memberOf(body, 0, "code");
	return code && textOf(body, code) === String(from)
		? splice(body, [{ start: code.start, end: code.end, text: String(to) }])
		: body;
}
