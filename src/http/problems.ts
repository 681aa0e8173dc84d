/** Failures as HTTP responses for whoever is neither an MCP client nor the API: a status, a sentence, an id. */
import { asExpected, httpStatus } from "../errors.ts";
import type { Log } from "../log.ts";

/** The response for anything thrown. A bug is logged whole and shown as its request id only. */
export function problem(error: unknown, requestId: string, log: Log): Response {
	const expected = asExpected(error);
	if (expected !== null && expected.code !== "internal")
		return problemText(
			httpStatus(expected.code),
			expected.hint
				? `${expected.message}: ${expected.hint}`
				: expected.message,
		);
	const stack =
		error instanceof Error ? (error.stack ?? error.message) : String(error);
	log.error("internal error", { request_id: requestId, stack });
	return problemText(500, `internal error (request ${requestId})`);
}

export function problemText(status: number, text: string): Response {
	return new Response(`${text}\n`, {
		status,
		headers: {
			"content-type": "text/plain; charset=utf-8",
			"cache-control": "no-store",
			"x-content-type-options": "nosniff",
		},
	});
}
