/**
 * Who is in front of the browser: the login cookie, and nothing else. A browser that gave a first factor and owes the
 * second holds another cookie, which is looked for only where the second is asked.
 * `__Host-` with `Secure` on https; a plain name on http, which is only ever loopback. Two cookies of that name mean
 * that someone else set one: then nobody is signed in.
 *
 * @see RFC 6265bis 4.1.3
 */
import { mintCredential, mintNonce, parseCredential } from "../mint.ts";
import type { OAuthDeps } from "../oauth/authorization-server.ts";
import {
	FRESH_SECONDS,
	HALF_LOGIN_SECONDS,
	KNOWN_BROWSER_SECONDS,
	LOGIN_ABSOLUTE_SECONDS,
	LOGIN_IDLE_SECONDS,
} from "../people/lifetimes.ts";
import { isKnownBrowser, mintKnownBrowser } from "../people/throttle.ts";
import {
	createHalfLogin,
	deleteHalfLogin,
	findHalfLogin,
} from "../store/half-logins.ts";
import {
	createLogin,
	deleteLogin,
	findLogin,
	type Login,
	type LoginMethod,
	renewLogin,
	touchLogin,
} from "../store/logins.ts";

export type Visitor = {
	readonly login: Login;
	/** The keyed hash of the login's cookie. */
	readonly hash: Uint8Array;
	/** What the forms of this login are bound to. */
	readonly binding: string;
};

/** Someone whose second factor is awaited. It gives no right. */
export type HalfVisitor = {
	readonly userId: string;
	readonly email: string;
	readonly hash: Uint8Array;
	readonly binding: string;
};

type VisitorDeps = Pick<
	OAuthDeps,
	"db" | "vault" | "clock" | "issuer" | "clientAddress"
>;

const LOGIN_COOKIE = "sp_login";
const HALF_COOKIE = "sp_half";
const FORM_COOKIE = "sp_form";
const SETUP_COOKIE = "sp_setup";
/** As long as a setup link works at most; what it opens is judged each time. */
const SETUP_COOKIE_SECONDS = 24 * 3600;
const KNOWN_COOKIE = "sp_known";
/** A login's last use is written down at most this often. */
const TOUCH_SECONDS = 60;

/** Who is signed in, or null. */
export function findVisitor(
	deps: VisitorDeps,
	request: Request,
): Visitor | null {
	const hash = hashOf(deps, request, "login");
	if (!hash) return null;
	const now = deps.clock.now();
	const login = findLogin(deps.db, hash, now, now - LOGIN_IDLE_SECONDS);
	if (!login) return null;
	if (login.lastSeenAt <= now - TOUCH_SECONDS)
		touchLogin(deps.db, hash, deps.clientAddress(request), now);
	return { login, hash, binding: bindingOf(hash) };
}

/**
 * Signs a user in with a fresh login; what this browser had ends.
 * @returns the `Set-Cookie` of each cookie
 */
export function signIn(
	deps: VisitorDeps,
	request: Request,
	userId: string,
	method: LoginMethod,
): readonly string[] {
	const earlier = hashOf(deps, request, "login");
	if (earlier) deleteLogin(deps.db, earlier);
	const half = hashOf(deps, request, "halfLogin");
	if (half) deleteHalfLogin(deps.db, half);
	const cookie = mintCredential("login");
	const now = deps.clock.now();
	createLogin(
		deps.db,
		deps.vault.mac(cookie),
		{
			userId,
			method,
			address: deps.clientAddress(request),
			agent: request.headers.get("User-Agent") ?? "",
			expiresAt: now + LOGIN_ABSOLUTE_SECONDS,
		},
		now,
	);
	return [
		setCookie(deps, LOGIN_COOKIE, cookie, LOGIN_ABSOLUTE_SECONDS),
		setCookie(
			deps,
			KNOWN_COOKIE,
			mintKnownBrowser(deps, userId),
			KNOWN_BROWSER_SECONDS,
		),
		...(half ? [setCookie(deps, HALF_COOKIE, "", 0)] : []),
	];
}

/** Keeps that this browser gave a user's first factor; what it had ends. Returns the `Set-Cookie`s. */
export function signInHalf(
	deps: VisitorDeps,
	request: Request,
	userId: string,
): readonly string[] {
	const earlier = hashOf(deps, request, "login");
	if (earlier) deleteLogin(deps.db, earlier);
	const cookie = mintCredential("halfLogin");
	const expiresAt = deps.clock.now() + HALF_LOGIN_SECONDS;
	createHalfLogin(deps.db, deps.vault.mac(cookie), { userId, expiresAt });
	return [
		setCookie(deps, HALF_COOKIE, cookie, HALF_LOGIN_SECONDS),
		...(earlier ? [setCookie(deps, LOGIN_COOKIE, "", 0)] : []),
	];
}

/** Whose second factor this browser owes, or null. */
export function findHalfVisitor(
	deps: VisitorDeps,
	request: Request,
): HalfVisitor | null {
	const hash = hashOf(deps, request, "halfLogin");
	const half = hash && findHalfLogin(deps.db, hash, deps.clock.now());
	return half ? { ...half, hash, binding: bindingOf(hash) } : null;
}

/** Whether the person proved who they are recently enough for what is dangerous. */
export function isFresh(
	deps: Pick<VisitorDeps, "clock">,
	{ login }: Visitor,
): boolean {
	return login.provenAt > deps.clock.now() - FRESH_SECONDS;
}

/** Gives a login another cookie, because its person proved who they are. Returns the `Set-Cookie`. */
export function renew(deps: VisitorDeps, visitor: Visitor): string {
	const cookie = mintCredential("login");
	const now = deps.clock.now();
	renewLogin(deps.db, visitor.hash, deps.vault.mac(cookie), now);
	return setCookie(
		deps,
		LOGIN_COOKIE,
		cookie,
		Math.max(0, visitor.login.expiresAt - now),
	);
}

/** Whether this user signed in with this browser before. */
export function isKnownHere(
	deps: VisitorDeps,
	request: Request,
	userId: string,
): boolean {
	return isKnownBrowser(deps, userId, readCookie(deps, request, KNOWN_COOKIE));
}

/** Signs this browser out. Returns the `Set-Cookie` that clears it. */
export function signOut(deps: VisitorDeps, visitor: Visitor): string {
	deleteLogin(deps.db, visitor.hash);
	return setCookie(deps, LOGIN_COOKIE, "", 0);
}

/** Keeps the token of a setup link that was proved, until it is used up. Returns the `Set-Cookie`. */
export function keepSetupToken(deps: VisitorDeps, token: string): string {
	return setCookie(deps, SETUP_COOKIE, token, SETUP_COOKIE_SECONDS);
}

/** The token of a setup link that this browser proved, or null. Whether it works still is not said. */
export function findSetupToken(
	deps: VisitorDeps,
	request: Request,
): string | null {
	const text = readCookie(deps, request, SETUP_COOKIE);
	return text === null ? null : parseCredential("setup", text);
}

/** Forgets it. Returns the `Set-Cookie`. */
export function dropSetupToken(deps: VisitorDeps): string {
	return setCookie(deps, SETUP_COOKIE, "", 0);
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

function hashOf(
	deps: VisitorDeps,
	request: Request,
	kind: "login" | "halfLogin",
): Uint8Array | null {
	const name = kind === "login" ? LOGIN_COOKIE : HALF_COOKIE;
	const text = readCookie(deps, request, name);
	const credential = text === null ? null : parseCredential(kind, text);
	return credential === null ? null : deps.vault.mac(credential);
}

function bindingOf(hash: Uint8Array): string {
	return Buffer.from(hash).toString("base64url");
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
