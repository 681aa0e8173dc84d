/**
 * Names at the shared endpoint: reversible, stateless, and never in two servers at once.
 *
 * A tool or prompt `read` of the server `notes` is `notes_read`; a slug has no `_`, so the first one splits.
 * A resource `file:///a` becomes `notes+file:///a` (a legal RFC 3986 scheme, and a legal RFC 6570 prefix);
 * `ui://x` becomes `ui://notes/x`, because hosts recognise that scheme; web addresses stay as they are, because
 * a client may fetch them itself. At a server's own endpoint nothing is renamed and none of this is used.
 */

/** One name of one server. */
export type Owned = { readonly slug: string; readonly name: string };

const WEB = /^https?:/i;
const UI = "ui://";
const SLUG = /^[a-z][a-z0-9-]{0,31}$/;

export function exposeName(slug: string, name: string): string {
	return `${slug}_${name}`;
}

/** Null when no server can own it. */
export function splitName(exposed: string): Owned | null {
	return split(exposed, exposed.indexOf("_"), 1);
}

export function exposeUri(slug: string, uri: string): string {
	if (isWebAddress(uri)) return uri;
	return uri.startsWith(UI)
		? `${UI}${slug}/${uri.slice(UI.length)}`
		: `${slug}+${uri}`;
}

/** Null for a web address (its owner is whoever lists it) and for what no server can own. */
export function splitUri(exposed: string): Owned | null {
	if (!exposed.startsWith(UI)) return split(exposed, exposed.indexOf("+"), 1);
	const rest = exposed.slice(UI.length);
	const owned = split(rest, rest.indexOf("/"), 1);
	return owned && { slug: owned.slug, name: UI + owned.name };
}

/** Whether a URI keeps its spelling at the shared endpoint. */
export function isWebAddress(uri: string): boolean {
	return WEB.test(uri);
}

function split(text: string, at: number, width: number): Owned | null {
	if (at < 0) return null;
	const slug = text.slice(0, at);
	return SLUG.test(slug) ? { slug, name: text.slice(at + width) } : null;
}
