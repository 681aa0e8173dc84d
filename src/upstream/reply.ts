/** A reply's body in one piece, for the few places that must see all of it; everywhere else it may stay a stream. */
import { SallyportError } from "../errors.ts";
import type { Bytes } from "../message.ts";
import type { Reply } from "./upstream.ts";

/** What we read ourselves: handshakes and lists. */
export const READ_BYTES_MAX = 32 * 1024 * 1024;
/** What is passed on, streamed or not. */
export const STREAMED_BYTES_MAX = 1024 * 1024 * 1024;

/** The whole body. @throws SallyportError `upstream` when it is larger than `bytesMax` */
export async function wholeBody(
	body: Reply["body"],
	bytesMax: number = STREAMED_BYTES_MAX,
): Promise<Bytes> {
	if (body instanceof Uint8Array) return body;
	const parts: Bytes[] = [];
	let held = 0;
	for (let part = await body.next(); part; part = await body.next()) {
		held += part.length;
		if (held > bytesMax) {
			body.cancel();
			throw new SallyportError("upstream", "the server's answer is too large");
		}
		parts.push(part);
	}
	return Buffer.concat(parts);
}
