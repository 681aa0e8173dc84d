/** The fetch that `oauth4webapi` is handed: through the egress, bounded in time and size, redirects not followed. */
import type { Egress } from "../egress.ts";
import { SallyportError } from "../errors.ts";

export type ProviderFetch = (
	url: string,
	init: {
		readonly method?: string;
		readonly headers?: Readonly<Record<string, string>>;
		readonly body?: unknown;
	},
) => Promise<Response>;

const TIMEOUT_MS = 10_000;
const BODY_BYTES_MAX = 512 * 1024;

/** @returns a fetch whose responses are whole already */
export function createProviderFetch(egress: Egress): ProviderFetch {
	return async (url, { method = "GET", headers = {}, body }) => {
		const response = await egress.fetch(url, {
			method,
			headers,
			...(body == null ? {} : { body: String(body) }),
			timeoutMs: TIMEOUT_MS,
			signal: AbortSignal.timeout(TIMEOUT_MS),
		});
		const parts: Uint8Array[] = [];
		let length = 0;
		for await (const part of response.body ?? []) {
			length += part.length;
			if (length > BODY_BYTES_MAX)
				throw new SallyportError("upstream", "the provider says too much");
			parts.push(part);
		}
		return new Response(length === 0 ? null : Buffer.concat(parts), response);
	};
}
