/**
 * Forms that only our own page can have sent: browsers say where a request comes from, and each rendering of a form
 * carries a token bound to the browser, to the action and to an hour. Every field here is `csrf`.
 *
 * @see Fetch Metadata, RFC 6454, OWASP "Cross-Site Request Forgery Prevention" (HMAC-based token)
 */
import { timingSafeEqual } from "node:crypto";
import { mintNonce } from "../mint.ts";
import type { OAuthDeps } from "../oauth/authorization-server.ts";

export type Forms = {
	/** A token for one rendering of a form. `binding` is the browser's, `action` says what the form would do. */
	readonly issue: (binding: string, action: string) => string;
	/** Whether this token was issued for that browser and action within the hour. */
	readonly isValid: (
		binding: string,
		action: string,
		token: string | null,
	) => boolean;
	/** Uses a token up: true once, false ever after. */
	readonly spend: (token: string) => boolean;
};

const FORM_SECONDS = 3600;
const SPENT_MAX = 10_000;

/** The forms of one process. Tokens survive a restart; which of them were spent does not. */
export function createForms(deps: Pick<OAuthDeps, "vault" | "clock">): Forms {
	const spent = new Set<string>();

	function sign(
		binding: string,
		action: string,
		issuedAt: string,
		nonce: string,
	): Buffer {
		const text = ["csrf/v1", binding, issuedAt, nonce, action].join("\n");
		return Buffer.from(deps.vault.mac(text));
	}

	return {
		issue: (binding, action) => {
			const issuedAt = deps.clock.now().toString(36);
			const nonce = mintNonce();
			const mac = sign(binding, action, issuedAt, nonce).toString("base64url");
			return `${issuedAt}.${nonce}.${mac}`;
		},
		isValid: (binding, action, token) => {
			const [, issuedAt = "", nonce = "", mac = ""] =
				/^([0-9a-z]{1,10})\.([\w-]{22})\.([\w-]{43})$/.exec(token ?? "") ?? [];
			const expected = sign(binding, action, issuedAt, nonce);
			const given = Buffer.from(mac, "base64url");
			if (given.length !== expected.length || !timingSafeEqual(given, expected))
				return false;
			const age = deps.clock.now() - Number.parseInt(issuedAt, 36);
			return age >= 0 && age <= FORM_SECONDS;
		},
		spend: (token) => {
			if (spent.has(token)) return false;
			spent.add(token);
			for (const oldest of spent) {
				if (spent.size <= SPENT_MAX) break;
				spent.delete(oldest);
			}
			return true;
		},
	};
}

/**
 * Whether a POST comes from a page of ours, as far as the browser says.
 * Our pages send no referrer, so browsers write `Origin: null` on their forms; that counts only with `same-origin`
 * beside it. A program that sends neither header is no browser, and has no cookie to be misused.
 */
export function isOwnPost(request: Request, issuer: string): boolean {
	const site = request.headers.get("Sec-Fetch-Site");
	const origin = request.headers.get("Origin");
	if (site !== null && site !== "same-origin") return false;
	if (origin === null || origin === issuer) return true;
	return origin === "null" && site === "same-origin";
}

/** A place on this origin to go on to: a path with its query, or `/` for anything else (attack list 15). */
export function safeNext(text: string | null, issuer: string): string {
	const isPath =
		text !== null && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(text);
	// The text itself goes back, not a parser's spelling of it: `/.//evil` parsed has the path `//evil`.
	return isPath &&
		URL.canParse(text, issuer) &&
		new URL(text, issuer).origin === issuer
		? text
		: "/";
}
