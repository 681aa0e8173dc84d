/**
 * Who is asking: at an endpoint of several servers a question to the user says which server it is from. A client can
 * show only that the gateway asks.
 *
 * @see specification 2025-11-25 and 2026-07-28, client/elicitation ("Security Considerations")
 */
import { type Edit, splice } from "../assembly.ts";
import {
	type Bytes,
	holds,
	isObject,
	memberOf,
	membersOf,
	parseJson,
	textOf,
} from "../message.ts";
import type { Reply } from "../upstream/upstream.ts";
import type { Ask } from "./input.ts";

const ELICITATION = "elicitation/create";

/** Asks as before, in the server's name. */
export function askFrom(slug: string, ask: Ask): Ask {
	return ({ method, params }) =>
		ask({
			method,
			params:
				params && method === ELICITATION
					? splice(params, messageEdits(slug, params, 0))
					: params,
		});
}

/** A result with its questions in the server's name: one that needs input, or a task that does. */
export function questionsFrom(slug: string, reply: Reply): Reply {
	const { member, body } = reply;
	if (member === "error" || !(body instanceof Uint8Array)) return reply;
	if (!holds(body, '"inputRequests"') || !holds(body, '"input_required"'))
		return reply;
	const requests = memberOf(body, 0, "inputRequests");
	if (!requests || !isObject(body, requests.start)) return reply;
	const edits = membersOf(body, requests.start).flatMap(({ start }) => {
		if (!isObject(body, start)) return [];
		const method = memberOf(body, start, "method");
		const params = memberOf(body, start, "params");
		return params && method && textOf(body, method) === `"${ELICITATION}"`
			? messageEdits(slug, body, params.start)
			: [];
	});
	return { ...reply, body: splice(body, edits) };
}

function messageEdits(
	slug: string,
	bytes: Bytes,
	start: number,
): readonly Edit[] {
	if (!isObject(bytes, start)) return [];
	const message = memberOf(bytes, start, "message");
	const said = message && parseJson(bytes, message);
	if (!message || typeof said !== "string") return [];
	// Cut in behind the quotation mark, so that the message itself stays as it was written.
	const at = message.start + 1;
	return [{ start: at, end: at, text: `${slug}: ` }];
}
