/**
 * Bodies that a server compressed although it was asked not to. Whoever reads them bounds what comes out.
 *
 * @see RFC 9110 8.4
 */
import type { Bytes } from "../message.ts";
import { type Pieces, piecesOf, readableOf } from "../pieces.ts";
import { malformed } from "./failure.ts";

const FORMATS: Readonly<Record<string, "gzip" | "deflate">> = {
	gzip: "gzip",
	"x-gzip": "gzip",
	deflate: "deflate",
};

/** @throws SallyportError `upstream` for a coding that is not known */
export function decoded(coding: string, pieces: Pieces): Pieces {
	const format = FORMATS[coding.trim().toLowerCase()];
	if (!format) throw malformed("its content coding is not known");
	const stream = readableOf(pieces).pipeThrough(
		new DecompressionStream(format) as TransformStream<Bytes, Bytes>,
	);
	const plain = piecesOf(stream);
	return {
		next: () =>
			plain.next().catch(() => {
				throw malformed("what it compressed cannot be read");
			}),
		cancel: () => plain.cancel(),
	};
}
