/**
 * A server's answer in the words of its client's era. What a result lacks is added to its own bytes; what it says
 * already in the words of the other era stands once.
 *
 * @see specification 2026-07-28, changelog: `resultType`, cache hints
 */
import type { Era } from "../protocol.ts";
import type { Reply } from "../upstream/upstream.ts";
import { refusalFor } from "./error-codes.ts";
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
	if (reply.member === "error" && reply.body instanceof Uint8Array) {
		const passage = { client: era, server: upstreamEra, method };
		return { ...reply, body: refusalFor(passage, reply.body) };
	}
	if (era === upstreamEra || reply.member === "error") return reply;
	// It has the modern shape already; what a legacy server calls a question in a result is none.
	if (reply.isQuestion) return reply;
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
