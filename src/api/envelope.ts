/**
 * The API's answers: `{ "success": true, … }`, or `{ "success": false, "error", "code", "hint"?, "requestId" }` with a
 * true HTTP status (contract.md 4). Results of servers are put in as the bytes they came as.
 */

import { join } from "../assembly.ts";
import { asExpected, describeError, httpStatus } from "../errors.ts";
import type { Log } from "../log.ts";
import { type Bytes, toBytes } from "../message.ts";
import { around, type Pieces, readableOf } from "../pieces.ts";

/** A refusal by HTTP's own rules, which has a status of its own. */
export class HttpRefusal extends Error {
	readonly status: 405 | 415;
	readonly hint: string;
	readonly headers: Readonly<Record<string, string>>;

	constructor(
		status: 405 | 415,
		message: string,
		hint: string,
		headers: Readonly<Record<string, string>> = {},
	) {
		super(message);
		this.name = "HttpRefusal";
		this.status = status;
		this.hint = hint;
		this.headers = headers;
	}
}

/** A JSON response that no cache keeps. */
export function jsonResponse(
	status: number,
	body: BodyInit,
	headers: Readonly<Record<string, string>> = {},
): Response {
	return new Response(body, {
		status,
		headers: {
			"Content-Type": "application/json",
			"Cache-Control": "no-store",
			"X-Content-Type-Options": "nosniff",
			...headers,
		},
	});
}

/** Success with these members. */
export function success(
	status: number,
	body: Readonly<Record<string, unknown>>,
): Response {
	return jsonResponse(status, JSON.stringify({ success: true, ...body }));
}

/** An envelope around raw JSON: `head` and `tail` are ours, the middle is streamed as it comes. */
export function envelopeAround(
	status: number,
	head: string,
	middle: Bytes | Pieces,
	tail: string,
): Response {
	return jsonResponse(
		status,
		middle instanceof Uint8Array
			? join([head, middle, tail])
			: readableOf(around(toBytes(head), middle, toBytes(tail))),
	);
}

/** What the world sees of a failure. A bug is logged whole, and is an "internal error" with the request's id. */
export function failure(error: unknown, requestId: string, log: Log): Response {
	if (error instanceof HttpRefusal)
		return jsonResponse(
			error.status,
			JSON.stringify({
				success: false,
				error: error.message,
				code: "invalid",
				hint: error.hint,
				requestId,
			}),
			error.headers,
		);
	const expected = asExpected(error);
	if (expected !== null && expected.code !== "internal")
		return jsonResponse(
			httpStatus(expected.code),
			JSON.stringify({
				success: false,
				error: expected.message,
				code: expected.code,
				hint: expected.hint,
				requestId,
			}),
			expected.code === "unauthorized" ? { "WWW-Authenticate": "Bearer" } : {},
		);
	log.error("api failed", {
		request_id: requestId,
		reason: describeError(error),
		...(error instanceof Error && error.stack !== undefined
			? { stack: error.stack }
			: {}),
	});
	return jsonResponse(
		500,
		JSON.stringify({
			success: false,
			error: "internal error",
			code: "internal",
			hint: `the log has it under request id ${requestId}`,
			requestId,
		}),
	);
}
