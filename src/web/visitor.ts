/**
 * Who is in front of the browser: the login cookie, and nothing else.
 * `__Host-` with `Secure` on https; a plain name on http, which is only ever loopback. Two cookies of that name mean
 * that someone else set one: then nobody is signed in.
 *
 * @see RFC 6265bis 4.1.3
 */
import { mintCredential, mintNonce, parseCredential } from "../mint.ts";
import {
	LOGIN_ABSOLUTE_SECONDS,
	LOGIN_IDLE_SECONDS,
	type OAuthDeps,
} from "../oauth/authorization-server.ts";
import {
	createLogin,
	deleteLogin,
	findLogin,
	type Login,
	touchLogin,
} from "../store/logins.ts";

export type Visitor = {
	readonly login: Login;
	/** The keyed hash of the login's cookie; also what forms are bound to. */
	readonly hash: Uint8Array;
};

type VisitorDeps = Pick<OAuthDeps, "db" | "vault" | "clock" | "issuer">;

const LOGIN_COOKIE = "sp_login";
const FORM_COOKIE = "sp_form";
/** A login's last use is written down at most this often. */
const TOUCH_SECONDS = 60;

/** Who is signed in, or null. */
export function findVisitor(
	deps: VisitorDeps,
	request: Request,
): Visitor | null {
	const hash = loginHash(deps, request);
	if (!hash) return null;
	const now = deps.clock.now();
	const login = findLogin(deps.db, hash, now, now - LOGIN_IDLE_SECONDS);
	if (!login) return null;
	if (login.lastSeenAt <= now - TOUCH_SECONDS) touchLogin(deps.db, hash, now);
	return { login, hash };
}

/** What the forms of a signed-in browser are bound to. */
export function bindingOf({ hash }: Visitor): string {
	return Buffer.from(hash).toString("base64url");
}

/** Signs a user in with a fresh login; the one this browser had ends. Returns the `Set-Cookie`. */
export function signIn(
	deps: VisitorDeps,
	request: Request,
	userId: string,
): string {
	const earlier = loginHash(deps, request);
	if (earlier) deleteLogin(deps.db, earlier);
	const cookie = mintCredential("login");
	const now = deps.clock.now();
	createLogin(
		deps.db,
		deps.vault.mac(cookie),
		{ userId, expiresAt: now + LOGIN_ABSOLUTE_SECONDS },
		now,
	);
	return setCookie(deps, LOGIN_COOKIE, cookie, LOGIN_ABSOLUTE_SECONDS);
}

/** Signs this browser out. Returns the `Set-Cookie` that clears it. */
export function signOut(deps: VisitorDeps, visitor: Visitor): string {
	deleteLogin(deps.db, visitor.hash);
	return setCookie(deps, LOGIN_COOKIE, "", 0);
}

/** What the forms of a browser are bound to before anyone is signed in: a random cookie, made when it is missing. */
export function formBinding(
	deps: VisitorDeps,
	request: Request,
): { readonly binding: string; readonly cookie: string | null } {
	const known = readCookie(deps, request, FORM_COOKIE);
	if (known !== null && /^[A-Za-z0-9_-]{22}$/.test(known))
		return { binding: known, cookie: null };
	const binding = mintNonce();
	// For the browser's session: it proves nothing but that two requests come from one browser.
	return { binding, cookie: setCookie(deps, FORM_COOKIE, binding, null) };
}

function loginHash(deps: VisitorDeps, request: Request): Uint8Array | null {
	const text = readCookie(deps, request, LOGIN_COOKIE);
	const credential = text === null ? null : parseCredential("login", text);
	return credential === null ? null : deps.vault.mac(credential);
}

function cookieName(deps: VisitorDeps, name: string): string {
	return deps.issuer.startsWith("https:") ? `__Host-${name}` : name;
}

function readCookie(
	deps: VisitorDeps,
	request: Request,
	name: string,
): string | null {
	const prefix = `${cookieName(deps, name)}=`;
	const values = (request.headers.get("Cookie") ?? "")
		.split(";")
		.map((pair) => pair.trim())
		.filter((pair) => pair.startsWith(prefix));
	return values.length === 1 ? (values[0] ?? "").slice(prefix.length) : null;
}

function setCookie(
	deps: VisitorDeps,
	name: string,
	value: string,
	maxAgeSeconds: number | null,
): string {
	// Lax, not Strict: a client opens /authorize from another site, and the person should still be signed in there.
	return [
		`${cookieName(deps, name)}=${value}`,
		"Path=/",
		"HttpOnly",
		"SameSite=Lax",
		...(deps.issuer.startsWith("https:") ? ["Secure"] : []),
		...(maxAgeSeconds === null ? [] : [`Max-Age=${maxAgeSeconds}`]),
	].join("; ");
}
