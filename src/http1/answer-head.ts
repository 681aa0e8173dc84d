/**
 * The head of an answer: a status and headers, and from them alone how long the body is.
 *
 * @see RFC 9112 4 and 6
 */
import { SPACE, ZERO } from "../bytes.ts";
import { type Bytes, standsAt } from "../message.ts";
import { Malformed } from "./failure.ts";
import {
	Fields,
	IN_VALUE,
	isLineEnd,
	lineEnd,
	numberIn,
	saysClose,
	stretchEnd,
} from "./fields.ts";

/** How the body ends: after so many bytes, by its last chunk, or with the connection. */
export type Framing = number | "chunked" | "close";

const VERSION = "HTTP/1.";
const STATUS_LINE = "HTTP/1.x 000";

/** A class, because every call reads one. */
export class AnswerHead extends Fields {
	readonly status: number;
	readonly framing: Framing;
	/** Another request may follow on the connection. */
	readonly persistent: boolean;

	/**
	 * @param bytes a head without the empty line that ends it
	 * @throws Malformed when it is malformed or ambiguous
	 */
	constructor(bytes: Bytes) {
		const isModern = requireStatusLine(bytes);
		super(bytes, lineEnd(bytes, 0, bytes.length));
		this.status = numberIn(bytes, 9, 12);
		this.framing = framingOf(this.status, isModern, this.length, this.encoding);
		this.persistent =
			isModern && this.framing !== "close" && !saysClose(this.connection);
	}
}

function framingOf(
	status: number,
	isModern: boolean,
	length: number,
	encoding: string | null,
): Framing {
	if (encoding !== null) {
		if (length >= 0 || !isModern)
			throw new Malformed("it says its length in two ways");
		if (encoding !== "chunked")
			throw new Malformed("its transfer coding is not known");
	}
	if (status < 200 || status === 204 || status === 304) return 0;
	if (encoding !== null) return "chunked";
	return length < 0 ? "close" : length;
}

/** @returns whether it is HTTP/1.1, and not 1.0 */
function requireStatusLine(bytes: Bytes): boolean {
	const end = bytes.length;
	const minor = (bytes[7] as number) - ZERO;
	const code = 9;
	const after = STATUS_LINE.length;
	const isKnown =
		after <= end &&
		standsAt(bytes, 0, VERSION) &&
		(minor === 0 || minor === 1) &&
		bytes[8] === SPACE &&
		(bytes[code] as number) >= ZERO + 1 &&
		(bytes[code] as number) <= ZERO + 5 &&
		numberIn(bytes, code, after) >= 0;
	const lineEnds = stretchEnd(bytes, after, end, IN_VALUE);
	const hasReason = lineEnds === after || bytes[after] === SPACE;
	if (!isKnown || !hasReason || !isLineEnd(bytes, lineEnds, end))
		throw new Malformed("its first line is no status line");
	return minor === 1;
}
