/**
 * A legacy server's refusal that asks the user to visit a page first (`-32042`, 2025-11-25): the modern era has no such
 * error. A client that can open pages is asked to, and calls again; to any other it is an error like others.
 *
 * @see specification 2025-11-25, client/elicitation ("URL Elicitation Required"); 2026-07-28, basic/patterns/mrtr
 */
import { join, splice } from "../assembly.ts";
import {
	type Bytes,
	elementsOf,
	isArray,
	isObject,
	memberOf,
	objectOf,
	textOf,
	withoutMember,
} from "../message.ts";
import { RPC } from "../protocol.ts";
import type { Reply } from "../upstream/upstream.ts";

/** Pages that one refusal may name. */
const PAGES_MAX = 16;

/**
 * The answer to a modern client.
 * @param capabilities canonical JSON of what the client can be asked
 */
export function pagesAsked(reply: Reply, capabilities: string): Reply {
	const { member, body } = reply;
	if (member === "result" || !(body instanceof Uint8Array)) return reply;
	const code = memberOf(body, 0, "code");
	if (!code || textOf(body, code) !== String(RPC.urlElicitationRequired))
		return reply;
	const pages = opensPages(capabilities) ? pagesIn(body) : [];
	return pages.length > 0
		? { member: "result", body: questions(pages), isQuestion: true }
		: {
				member,
				body: splice(body, [{ ...code, text: String(RPC.internalError) }]),
			};
}

function opensPages(capabilities: string): boolean {
	const { elicitation } = objectOf(JSON.parse(capabilities));
	return objectOf(elicitation)["url"] !== undefined;
}

/** The params of each question, without the id that the modern era does not have. */
function pagesIn(error: Bytes): readonly Bytes[] {
	const data = memberOf(error, 0, "data");
	if (!data || !isObject(error, data.start)) return [];
	const list = memberOf(error, data.start, "elicitations");
	if (!list || !isArray(error, list.start)) return [];
	return elementsOf(error, list.start)
		.filter(({ start }) => isObject(error, start))
		.slice(0, PAGES_MAX)
		.map(({ start, end }) =>
			withoutMember(error.subarray(start, end), "elicitationId"),
		);
}

function questions(pages: readonly Bytes[]): Bytes {
	return join([
		'{"resultType":"input_required","inputRequests":{',
		...pages.flatMap((params, index) => [
			`${index === 0 ? "" : ","}"page${index + 1}":{"method":"elicitation/create","params":`,
			params,
			"}",
		]),
		"}}",
	]);
}
