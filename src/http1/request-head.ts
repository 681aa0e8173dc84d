/**
 * The head of a request: what is wanted, of which host, and how long the body is.
 *
 * @see RFC 9112 3 and 6, RFC 9110 7.2 and 10.1.1
 */
import { SPACE, ZERO } from "../bytes.ts";
import { type Bytes, latin1In, standsAt } from "../message.ts";
import { Malformed } from "./failure.ts";
import {
	Fields,
	IN_NAME,
	IN_TARGET,
	isLineEnd,
	saysClose,
	saysKeepAlive,
	stretchEnd,
} from "./fields.ts";

const VERSION = "HTTP/1.";
const VERSION_LENGTH = "HTTP/1.1".length;
const METHOD_LENGTH_MAX = 32;
const METHODS: ReadonlySet<string> = new Set([
	"GET",
	"HEAD",
	"POST",
	"PUT",
	"PATCH",
	"DELETE",
	"OPTIONS",
]);
const HOST = /^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;
const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i;

/**
 * A class, because every call reads one; a client says the same with each request, so it may serve for many. Nothing
 * in it belongs to a single request.
 */
export class RequestHead extends Fields {
	readonly method: string;
	/** Where it goes, without dot segments. */
	readonly url: string;
	readonly framing: number | "chunked";
	/** HTTP/1.1, and not 1.0. */
	readonly isModern: boolean;
	/** Another request may follow on the connection. */
	readonly persistent: boolean;
	/** The client waits with the body until it is told to go on. */
	readonly awaitsContinue: boolean;

	/**
	 * @param bytes a head without the empty line that ends it
	 * @param scheme of the connection, which is what the client believes to speak
	 * @throws Malformed when it is malformed or ambiguous
	 */
	constructor(bytes: Bytes, scheme: "http" | "https") {
		const end = bytes.length;
		const methodEnd = stretchEnd(bytes, 0, end, IN_NAME);
		const targetStart = methodEnd + 1;
		const targetEnd = stretchEnd(bytes, targetStart, end, IN_TARGET);
		const version = targetEnd + 1;
		const lineEnds = version + VERSION_LENGTH;
		if (
			methodEnd === 0 ||
			methodEnd > METHOD_LENGTH_MAX ||
			bytes[methodEnd] !== SPACE ||
			targetEnd === targetStart ||
			bytes[targetEnd] !== SPACE ||
			lineEnds > end ||
			!isLineEnd(bytes, lineEnds, end)
		)
			throw new Malformed("its first line is no request line");
		const minor = minorVersion(bytes, version);
		super(bytes, lineEnds);
		this.isModern = minor === 1;
		this.method = latin1In(bytes, 0, methodEnd);
		// The platform takes what it does not know for GET.
		if (!METHODS.has(this.method))
			throw new Malformed("its method is not known", 501);
		this.framing = framingOf(this.isModern, this.length, this.encoding);
		this.persistent = this.isModern
			? !saysClose(this.connection)
			: saysKeepAlive(this.connection) && !saysClose(this.connection);
		const host = this.get("host");
		if (host === null || !HOST.test(host))
			throw new Malformed("it does not name one host");
		const target = latin1In(bytes, targetStart, targetEnd);
		this.url = settled(`${scheme}://${host}${pathOf(target, host)}`);
		const expects = this.get("expect")?.toLowerCase();
		if (expects !== undefined && expects !== "100-continue")
			throw new Malformed("what it expects is not known", 417);
		this.awaitsContinue = expects !== undefined && this.isModern;
	}
}

function framingOf(
	isModern: boolean,
	length: number,
	encoding: string | null,
): number | "chunked" {
	if (encoding === null) return Math.max(0, length);
	if (length >= 0 || !isModern)
		throw new Malformed("it says its length in two ways");
	if (encoding !== "chunked")
		throw new Malformed("its transfer coding is not known", 501);
	return "chunked";
}

/** @returns the number after HTTP/1. */
function minorVersion(bytes: Bytes, start: number): number {
	const minor = (bytes[start + VERSION.length] as number) - ZERO;
	if (standsAt(bytes, start, VERSION) && (minor === 0 || minor === 1))
		return minor;
	if (/^HTTP\/\d\.\d$/.test(latin1In(bytes, start, start + VERSION_LENGTH)))
		throw new Malformed("its version is not spoken here", 505);
	throw new Malformed("its first line is no request line");
}

/** The path and query of a target. A proxy's form is taken when it names the same host. */
function pathOf(target: string, host: string): string {
	if (target.startsWith("/")) return target;
	const [, authority, path] = ABSOLUTE.exec(target) ?? [];
	if (authority?.toLowerCase() !== host.toLowerCase())
		throw new Malformed("its target is no path");
	return path?.startsWith("/") ? path : `/${path}`;
}

/** What a URL parser would read differently from how it is written. */
const UNSETTLED = /\/\.|%2e|\\/i;

/** The same URL with its dot segments gone, so that everyone judges the path that is meant. */
function settled(url: string): string {
	return UNSETTLED.test(url) ? (URL.parse(url)?.href ?? url) : url;
}
