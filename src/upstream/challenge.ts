/**
 * What a server says with a 401 or 403: the Bearer challenge of `WWW-Authenticate`. Everything else in that header,
 * other schemes among it, is passed over.
 *
 * @see RFC 9110 11.6.1, RFC 6750 3, RFC 9728 5.1
 */

export type Challenge = {
	/** Where the server's metadata is. */
	readonly resourceMetadata: string | null;
	/** The scopes that the request would have needed, as they stand. */
	readonly scope: string | null;
	readonly error: string | null;
};

const HEADER_LENGTH_MAX = 8192;
const VALUE_LENGTH_MAX = 2048;
/** A token, then `=` and a value when it is a parameter; without one it is the name of the next scheme. */
const PART =
	/[\s,]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y;

/** The Bearer challenge in a `WWW-Authenticate`, or null when there is none. */
export function bearerChallenge(header: string | null): Challenge | null {
	const text = header ?? "";
	if (text.length > HEADER_LENGTH_MAX) return null;
	let scheme = "";
	let found = false;
	const params = new Map<string, string>();
	PART.lastIndex = 0;
	for (;;) {
		const at = PART.lastIndex;
		const [, name = "", quoted, plain] = PART.exec(text) ?? [];
		if (name === "" || PART.lastIndex === at) break;
		const value = quoted?.replaceAll(/\\(.)/g, "$1") ?? plain;
		if (value === undefined) {
			scheme = name.toLowerCase();
			found ||= scheme === "bearer";
		} else if (scheme === "bearer" && !params.has(name.toLowerCase()))
			params.set(name.toLowerCase(), value.slice(0, VALUE_LENGTH_MAX));
	}
	if (!found) return null;
	return {
		resourceMetadata: params.get("resource_metadata") || null,
		scope: params.get("scope") || null,
		error: params.get("error") || null,
	};
}
