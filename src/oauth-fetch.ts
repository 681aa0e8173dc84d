/**
 * The fetch of everything that concerns signing in elsewhere: through the egress it is given, with a bound on time and
 * on size, redirects not followed. It stands in for the platform's in `oauth4webapi`.
 */
import type { Egress } from "./egress.ts";
import { SallyportError } from "./errors.ts";
import { piecesOf, wholeOf } from "./pieces.ts";

/** What `oauth4webapi` calls, in the part of `RequestInit` that it uses. */
export type OAuthFetch = (
	url: string,
	init: {
		readonly method?: string;
		readonly headers?: Readonly<Record<string, string>>;
		readonly body?: unknown;
	},
) => Promise<Response>;

const TIMEOUT_MS = 15_000;
const BODY_BYTES_MAX = 512 * 1024;
/** Statuses that the platform refuses to give a body. */
const WITHOUT_BODY = new Set([101, 204, 205, 304]);

/** @returns responses that are whole already: what is too large or too slow is refused here */
export function createOAuthFetch(
	egress: Egress,
	userAgent: string,
): OAuthFetch {
	return async (url, { method, headers, body }) => {
		const response = await egress.fetch(url, {
			method: method ?? "GET",
			headers: { "user-agent": userAgent, ...headers },
			...(body === undefined || body === null ? {} : { body: String(body) }),
			timeoutMs: TIMEOUT_MS,
			// Also ends a body that drips.
			signal: AbortSignal.timeout(TIMEOUT_MS),
		});
		const bytes = response.body
			? await wholeOf(piecesOf(response.body), BODY_BYTES_MAX).catch(brokenOff)
			: new Uint8Array();
		return new Response(
			WITHOUT_BODY.has(response.status) ? null : (bytes as BodyInit),
			{ status: response.status, headers: response.headers },
		);
	};
}

function brokenOff(error: unknown): never {
	if (error instanceof SallyportError) throw error;
	throw new SallyportError("upstream", "did not finish its answer", {
		hint: "try again in a moment",
	});
}
