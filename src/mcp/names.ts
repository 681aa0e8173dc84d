/**
 * Names at the shared endpoint: reversible, and never in two servers at once.
 *
 * A tool or prompt `read` of the server `notes` is `notes_read`; a slug has no `_`, so the first one splits. What a
 * client would find too long is shortened to a head and a digest of the whole; which tool that is, the server's own
 * list says, so a short name depends on nothing but the server and the name.
 * A resource `file:///a` becomes `notes+file:///a` (a legal RFC 3986 scheme, and a legal RFC 6570 prefix);
 * `ui://x` becomes `ui://notes/x`, because hosts recognise that scheme; web addresses stay as they are, because
 * a client may fetch them itself. At a server's own endpoint nothing is renamed and none of this is used.
 */

import { createHash } from "node:crypto";

/**
 * Clients put a prefix of their own before a name, and models refuse what is too long then: Claude Code makes it
 * `mcp__<name>__<tool>` of at most 64 characters, Cursor counts server and tool together up to 60. A single tool that
 * is too long can end a whole session there. We take the smaller, with the name that people are told to give us.
 */
export const CLIENT_NAME_LENGTH_MAX = 60;
const CLIENT_PREFIX = "mcp__sallyport__";
const NAME_LENGTH_MAX = CLIENT_NAME_LENGTH_MAX - CLIENT_PREFIX.length;
/** Base 32: 50 bits, so that two names of one server meet by accident never; and if they do, `exposeNames` sees it. */
const DIGEST_LENGTH = 10;
const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

/** One name of one server. */
export type Owned = { readonly slug: string; readonly name: string };

const WEB = /^https?:/i;
const UI = "ui://";
const SLUG = /^[a-z][a-z0-9-]{0,31}$/;

/** The names of one server as the shared endpoint shows them, by its own: each different, none too long. */
export function exposeNames(
	slug: string,
	names: readonly string[],
): ReadonlyMap<string, string> {
	const whole = new Map(names.map((name) => [name, `${slug}_${name}`]));
	const isLong = (exposed: string): boolean => exposed.length > NAME_LENGTH_MAX;
	const taken = new Set(whole.values().filter((exposed) => !isLong(exposed)));
	// In the order of the names and not of the list, which a server may change.
	for (const [name, exposed] of [...whole].toSorted()) {
		if (!isLong(exposed)) continue;
		let short = shorten(slug, name, 0);
		for (let round = 1; taken.has(short); round++)
			short = shorten(slug, name, round);
		taken.add(short);
		whole.set(name, short);
	}
	return whole;
}

/** Whether the shared endpoint shows another name than slug and name together. */
export function isShortened(
	slug: string,
	name: string,
	exposed: string,
): boolean {
	return exposed !== `${slug}_${name}`;
}

/** A name as a client shows it to its model, when the person gave this endpoint the name that we propose. */
export function clientName(slug: string | null, name: string): string {
	return slug === null ? CLIENT_PREFIX + name : `mcp__${slug}__${name}`;
}

function shorten(slug: string, name: string, round: number): string {
	const text = round === 0 ? name : `${round} ${name}`;
	const digest = [...createHash("sha256").update(text).digest()]
		.slice(0, DIGEST_LENGTH)
		.map((byte) => ALPHABET[byte % ALPHABET.length])
		.join("");
	const room = NAME_LENGTH_MAX - slug.length - DIGEST_LENGTH - 2;
	// Whole characters only: half a surrogate pair is not text.
	let head = "";
	for (const character of name) {
		if (head.length + character.length > room) break;
		head += character;
	}
	return `${slug}_${head}_${digest}`;
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
