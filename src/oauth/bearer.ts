/**
 * Judges the credential of a request to a protected resource: an access token bound to exactly that resource, or an
 * API key. It is read from the Authorization header and nowhere else. Inside, a caller; outside, one generic 401 with
 * the challenge that starts every client's discovery.
 *
 * @see RFC 6750 2.1 and 3, RFC 9728 5.1, RFC 8707 2
 */
import type { Caller } from "../caller.ts";
import { type Clock, every } from "../clock.ts";
import type { HttpRequest } from "../http1/incoming.ts";
import { credentialKind, parseCredential } from "../mint.ts";
import { findApiKey, isApiKeyAlive, touchApiKeys } from "../store/api-keys.ts";
import { type Database, transaction } from "../store/database.ts";
import { type GrantUse, touchGrants } from "../store/grants.ts";
import { findCallerByAccessToken } from "../store/tokens.ts";
import type { Vault } from "../vault.ts";
import { resourceDocumentUrl } from "./metadata.ts";
import { DEFAULT_PATH, scopeOf } from "./resources.ts";

export type Verdict =
	| { readonly ok: true; readonly caller: Caller }
	| { readonly ok: false; readonly response: Response };

/** Whoever sends a request. */
export type Sender = { clientAddress(): string };

export type Bearer = {
	/**
	 * Who sends this request to that resource, `<issuer>/mcp` or `<issuer>/mcp/<slug>`; or the 401 to answer with.
	 * Which document the challenge names follows the request's own path, so that `/mcp/` and `/` get theirs.
	 * @param sender where it comes from; looked up once in a while, to remember where a grant was last used from
	 */
	readonly judge: (
		request: HttpRequest,
		resource: string,
		sender?: Sender,
	) => Verdict;
	/** Whether a caller that was let in would still be: what an open stream asks now and then. Reads the store. */
	readonly isAlive: (caller: Caller) => boolean;
	/** Forgets what is cached. Call it after anything was revoked, disabled or deleted. */
	readonly invalidate: () => void;
	/** Writes down what was used when, and stops. */
	readonly stop: () => void;
};

/** A caller is believed without a look at the store for this long, and at most this many are. */
const CACHE_SECONDS = 5;
const CACHE_ENTRIES_MAX = 2000;
const TOUCH_INTERVAL_MS = 30_000;

type Known = {
	readonly verdict: Extract<Verdict, { readonly ok: true }>;
	/** Null: every resource (an API key). */
	readonly resource: string | null;
	readonly until: number;
};

/** A judge with its cache. */
export function createBearer(deps: {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
}): Bearer {
	/** By the whole header: its holder sends it with every request, and a few seconds in memory add nothing to that. */
	const cache = new Map<string, Known>();
	/** Which access token let a caller in: not the caller's own business, nor anybody's who is handed one. */
	const tokens = new WeakMap<Caller, Uint8Array>();
	const usedGrants = new Map<string, GrantUse>();
	const usedKeys = new Map<string, number>();

	function flush(): void {
		if (usedGrants.size + usedKeys.size === 0) return;
		transaction(deps.db, () => {
			touchGrants(deps.db, usedGrants);
			touchApiKeys(deps.db, usedKeys);
		});
		usedGrants.clear();
		usedKeys.clear();
	}

	function find(header: string): Known | null {
		const now = deps.clock.now();
		const cached = cache.get(header);
		if (cached && cached.until > now) return cached;
		cache.delete(header);
		const token = /^bearer +(\S+)$/i.exec(header)?.[1] ?? "";
		const kind = credentialKind(token);
		if (kind !== "access" && kind !== "apiKey") return null;
		// A typo or a made-up token does not reach the store.
		if (parseCredential(kind, token) === null) return null;
		const hash = deps.vault.mac(token);
		const known =
			kind === "access"
				? findByToken(deps.db, hash, now)
				: findByKey(deps.db, hash, now);
		if (!known) return null;
		if (kind === "access") tokens.set(known.verdict.caller, hash);
		cache.set(header, known);
		for (const oldest of cache.keys()) {
			if (cache.size <= CACHE_ENTRIES_MAX) break;
			cache.delete(oldest);
		}
		return known;
	}

	const stopTimer = every(TOUCH_INTERVAL_MS, flush);
	return {
		judge: (request, resource, sender) => {
			const header = request.headers.get("Authorization");
			const known = header === null ? null : find(header);
			if (!known || (known.resource ?? resource) !== resource) {
				const presented = header !== null && /^bearer(\s|$)/i.test(header);
				return {
					ok: false,
					response: challenge(request, resource, presented),
				};
			}
			const { caller } = known.verdict;
			const now = deps.clock.now();
			if (caller.grantId !== null) {
				const use = usedGrants.get(caller.grantId);
				if (use) use.at = now;
				else
					usedGrants.set(caller.grantId, {
						at: now,
						address: sender?.clientAddress() ?? "",
					});
			} else usedKeys.set(keyIdOf(caller), now);
			return known.verdict;
		},
		isAlive: (caller) => {
			const hash = tokens.get(caller);
			return hash === undefined
				? isApiKeyAlive(deps.db, keyIdOf(caller))
				: findCallerByAccessToken(deps.db, hash, deps.clock.now()) !== null;
		},
		invalidate: () => cache.clear(),
		stop: () => {
			stopTimer();
			flush();
		},
	};
}

const KEY_PREFIX = "key:";

/** Which API key let a caller in. */
function keyIdOf({ clientId }: Caller): string {
	return clientId.slice(KEY_PREFIX.length);
}

function known(caller: Caller, resource: string | null, until: number): Known {
	return { verdict: { ok: true, caller }, resource, until };
}

function findByToken(
	db: Database,
	hash: Uint8Array,
	now: number,
): Known | null {
	const holder = findCallerByAccessToken(db, hash, now);
	if (!holder) return null;
	const { userId, clientId, grantId, resource, role, scope } = holder;
	return known(
		{ userId, role, clientId, grantId, scopes: scope.split(" ") },
		resource,
		Math.min(now + CACHE_SECONDS, holder.expiresAt),
	);
}

function findByKey(db: Database, hash: Uint8Array, now: number): Known | null {
	const holder = findApiKey(db, hash);
	if (!holder) return null;
	const { id, userId, role } = holder;
	const clientId = KEY_PREFIX + id;
	return known(
		{ userId, role, clientId, grantId: null, scopes: ["mcp"] },
		null,
		now + CACHE_SECONDS,
	);
}

/** 401 with one Bearer challenge; `error` only when a token was presented (RFC 6750 3.1). */
function challenge(
	request: HttpRequest,
	resource: string,
	presented: boolean,
): Response {
	const { pathname } = new URL(request.url);
	const { origin: issuer, pathname: canonical } = new URL(resource);
	// The aliases `/mcp/` and `/` have documents of their own, byte-equal to what was pasted.
	const isAlias =
		pathname === `${canonical}/` ||
		(pathname === "/" && canonical === DEFAULT_PATH);
	const document = resourceDocumentUrl(issuer, isAlias ? pathname : canonical);
	const error = presented ? 'error="invalid_token", ' : "";
	return new Response(
		JSON.stringify({
			error: presented ? "invalid_token" : "unauthorized",
			error_description: presented
				? "the token is not valid for this resource"
				: "a token is needed",
		}),
		{
			status: 401,
			headers: {
				"Content-Type": "application/json",
				"Cache-Control": "no-store",
				"WWW-Authenticate": `Bearer ${error}resource_metadata="${document}", scope="${scopeOf(resource)}"`,
			},
		},
	);
}
