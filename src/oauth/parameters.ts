/**
 * Parameters of a query or a form, read raw: a parameter that stands twice is seen, an empty one counts as omitted,
 * an unknown one is ignored (RFC 6749 3.1, 3.2). Looked up by name, never spread into an object.
 */
import { OAuthError } from "./oauth-error.ts";

const FORM_BYTES_MAX = 16 * 1024;
/** The consent page sends one for each server that is ticked. */
const PARAMETERS_MAX = 400;

export type Parameters = {
	/** The first value of that name; null when it is omitted or empty. */
	readonly get: (name: string) => string | null;
	/** Whether it stands there, and is not empty. */
	readonly has: (name: string) => boolean;
	/** Names that stand more than once. */
	readonly repeated: ReadonlySet<string>;
};

/** Reads `a=b&c=d`. @throws OAuthError `invalid_request` when there are too many */
export function parseParameters(text: string): Parameters {
	const first = new Map<string, string>();
	const repeated = new Set<string>();
	let count = 0;
	for (const [name, value] of new URLSearchParams(text)) {
		if (++count > PARAMETERS_MAX)
			throw new OAuthError("invalid_request", "too many parameters");
		if (first.has(name)) repeated.add(name);
		else first.set(name, value);
	}
	return {
		get: (name) => first.get(name) || null,
		has: (name) => Boolean(first.get(name)),
		repeated,
	};
}

/**
 * Refuses a parameter that stands twice: two readers could disagree on which one counts.
 * @throws OAuthError `invalid_target` for `resource`, else `invalid_request`
 */
export function refuseRepeated(parameters: Parameters): void {
	if (parameters.repeated.has("resource"))
		throw new OAuthError(
			"invalid_target",
			"only one resource can be asked for",
		);
	if (parameters.repeated.size > 0)
		throw new OAuthError(
			"invalid_request",
			"a parameter stands more than once",
		);
}

/** Reads a form's body. @throws OAuthError `invalid_request`: another media type (415), too large (413), a repeated name */
export async function readForm(request: Request): Promise<Parameters> {
	// One media type, with at most a UTF-8 charset: `application/json, application/x-www-form-urlencoded` is neither.
	const type = request.headers.get("Content-Type") ?? "";
	if (
		!/^application\/x-www-form-urlencoded\s*(;\s*charset="?utf-8"?\s*)?$/i.test(
			type,
		)
	)
		throw new OAuthError(
			"invalid_request",
			"the body must be application/x-www-form-urlencoded",
			{ status: 415 },
		);
	const parameters = parseParameters(await readText(request, FORM_BYTES_MAX));
	refuseRepeated(parameters);
	return parameters;
}

/** Reads a body as text. @throws OAuthError `invalid_request` when it is larger than `bytesMax` (413) or not UTF-8 */
export async function readText(
	message: Request | Response,
	bytesMax: number,
): Promise<string> {
	const bytes = await readBytes(message, bytesMax);
	if (!bytes)
		throw new OAuthError("invalid_request", "the body is too large", {
			status: 413,
		});
	try {
		return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
	} catch {
		throw new OAuthError("invalid_request", "the body is not UTF-8 text");
	}
}

/** Reads a body to its end; null as soon as it is larger than `bytesMax`, the rest is not read. */
async function readBytes(
	message: Request | Response,
	bytesMax: number,
): Promise<Uint8Array | null> {
	// Of a request the server hands over no more than was declared, so it needs no stream to be cut off. What a
	// response declares is the length of what it sent compressed.
	if (message instanceof Request) {
		const length = message.headers.get("Content-Length");
		if (length !== null)
			return Number(length) <= bytesMax ? message.bytes() : null;
	}
	const { body } = message;
	if (!body) return new Uint8Array();
	const chunks: Uint8Array[] = [];
	let length = 0;
	const reader = body.getReader();
	for (;;) {
		const { done, value } = await reader.read();
		if (done) return Buffer.concat(chunks, length);
		length += value.length;
		if (length > bytesMax) {
			await reader.cancel();
			return null;
		}
		chunks.push(value);
	}
}
