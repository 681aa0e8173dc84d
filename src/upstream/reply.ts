/** A reply's body in one piece, for the few places that must see all of it; everywhere else it may stay a stream. */
import type { Bytes } from "../message.ts";
import { wholeOf } from "../pieces.ts";
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
	return body instanceof Uint8Array ? body : wholeOf(body, bytesMax);
}
