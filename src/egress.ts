/**
 * Every outgoing HTTP request of the gateway.
 *
 * A name is resolved once, each of its addresses is judged, and the connection goes to a judged address, so that a
 * name cannot mean one host to the judge and another to the connection (DNS rebinding). TLS is verified against the
 * name. Redirects are handed back, never followed. It does not know what it carries, but no credential that this
 * gateway minted leaves through it.
 *
 * @see RFC 6890 (special-purpose addresses), RFC 9700 4.14 and the MCP security best practices (SSRF)
 */
import { lookup as resolve } from "node:dns/promises";
import { createJudge, isAddress } from "./addresses.ts";
import { SallyportError } from "./errors.ts";
import { createHttpClient, type HttpClient } from "./http1/client.ts";
import { connect } from "./http1/client-connection.ts";
import { EgressError, late, unreachable } from "./http1/failure.ts";
import { type HeaderLines, headerLines } from "./http1/header-lines.ts";

export type EgressInit = {
	readonly method?: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string | Uint8Array;
	/** Ends the request, and the body of its response. */
	readonly signal?: AbortSignal;
	/** Time until the response's headers; the body has no limit of its own but `signal`. */
	readonly timeoutMs: number;
};

export type Egress = {
	/** @throws SallyportError `upstream` (unreachable, timed out), `forbidden` (address not allowed), `invalid` (URL) */
	readonly fetch: (url: string | URL, init: EgressInit) => Promise<Response>;
};

/** The way to servers that are called again and again. */
export type KeptEgress = {
	/**
	 * A client of the server at this URL, with connections of its own that it keeps. Each goes to an address that was
	 * judged when it was opened.
	 * @throws SallyportError `forbidden`, `invalid`
	 */
	readonly openClient: (url: string) => HttpClient;
	/** Headers as such a client sends them. @throws SallyportError `forbidden`, `invalid` */
	readonly headers: (headers: Readonly<Record<string, string>>) => HeaderLines;
};

/** Judges a URL that somebody else will open, by the same rules. Nothing is sent. @throws as `fetch` */
export type Permit = (url: string | URL) => Promise<void>;

/** Every address of a name. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** How long a name keeps the addresses it was judged by. */
const VERDICT_MS = 30_000;
const VERDICTS_MAX = 1000;
/** How many addresses of one name are tried when they refuse the connection. */
const ADDRESSES_MAX = 4;
const LOOKUP_TIMEOUT_MS = 10_000;

const MINTED = /sp_[a-z]{2}_[A-Za-z0-9_-]{49}/;
/** Failures before a byte was sent: another address of the same name may be tried. */
const UNSENT = new Set([
	"ECONNREFUSED",
	"ConnectionRefused",
	"ENETUNREACH",
	"EHOSTUNREACH",
	"FailedToOpenSocket",
	"EADDRNOTAVAIL",
]);

/**
 * The door to the network.
 * @param options.allowPrivate CIDRs of private networks that may be reached; link-local and metadata never are
 * @param options.ownOrigins this gateway's own origins, which it never calls
 * @param options.onlySecure what goes out is a credential: in clear only to a private network that may be reached
 * @param options.ca the only authorities trusted, in PEM (an ACME directory with its own); the public ones if absent
 */
export function createEgress(options: {
	readonly allowPrivate: readonly string[];
	readonly lookup?: Lookup;
	readonly ownOrigins?: readonly string[];
	readonly ca?: string;
	readonly onlySecure?: boolean;
}): Egress & KeptEgress & { readonly permit: Permit } {
	const isAllowed = createJudge(options.allowPrivate);
	const isPublic = createJudge([]);
	const lookup = options.lookup ?? lookupAll;
	const verdicts = new Map<string, Promise<string[]>>();

	const judge = async (host: string): Promise<string[]> => {
		const found = isAddress(host) ? [host] : await inTime(lookup(host));
		const good = found.filter((address) => isAllowed(address));
		// Public and private at once is not a host, but a way to make the one look like the other.
		const isMixed = good.length < found.length && good.some(isPublic);
		if (good.length === 0 || isMixed) throw forbiddenAddress();
		// IPv4 first: a machine without IPv6 must not wait for it. What refuses moves to the end.
		return good
			.toSorted((a, b) => Number(a.includes(":")) - Number(b.includes(":")))
			.slice(0, ADDRESSES_MAX);
	};

	const addressesOf = (host: string): Promise<string[]> => {
		const known = verdicts.get(host);
		if (known) return known;
		if (verdicts.size >= VERDICTS_MAX) verdicts.clear();
		const verdict = judge(host);
		verdicts.set(host, verdict);
		const forget = (): boolean => verdicts.delete(host);
		verdict.then(() => setTimeout(forget, VERDICT_MS).unref(), forget);
		return verdict;
	};

	const targets = new Map<string, Target>();
	const targetOf = (url: string): Target => {
		const known = targets.get(url);
		if (known) return known;
		if (targets.size >= VERDICTS_MAX) targets.clear();
		const target = parseTarget(url, options.ownOrigins ?? []);
		targets.set(url, target);
		return target;
	};

	/** Refuses to send credentials in clear: a host's addresses are all public or none is. */
	const requireSecure = async (target: Target): Promise<void> => {
		const addresses = await addressesOf(target.address);
		if (
			options.onlySecure &&
			target.protocol !== "https:" &&
			addresses.some(isPublic)
		)
			throw inClear();
	};

	/** Does work with an address of the host; with the next one as long as the failure is one that another may not have. */
	const reach = async <T>(
		host: string,
		work: (address: string) => Promise<T>,
		isUnsent: (error: unknown) => boolean,
	): Promise<T> => {
		const addresses = await addressesOf(host);
		for (let tries = 1; ; tries++) {
			try {
				return await work(addresses[0] as string);
			} catch (error) {
				if (!isUnsent(error) || tries >= addresses.length) throw error;
				addresses.push(addresses.shift() as string);
			}
		}
	};

	return {
		permit: (url) => requireSecure(targetOf(String(url))),
		fetch: async (url, init) => {
			const target = targetOf(String(url));
			refuseOwnCredentials(init.headers ?? {});
			if (options.onlySecure) await requireSecure(target);
			try {
				return await reach(
					target.address,
					(address) => send(target, address, init, options.ca),
					(error) => UNSENT.has(codeOf(error)),
				);
			} catch (error) {
				throw failure(codeOf(error), error, init);
			}
		},
		openClient: (url) => {
			// Not remembered: the client is, for as long as its server.
			const { protocol, host, address, port, path } = parseTarget(
				url,
				options.ownOrigins ?? [],
			);
			const secure = protocol === "https:";
			// A certificate is for the name that was asked for, not for the address that was dialled.
			const tls = secure
				? {
						...(!isAddress(address) && { serverName: address }),
						...(options.ca !== undefined && { ca: options.ca }),
					}
				: null;
			return createHttpClient({
				host,
				path,
				secure,
				dial: (hooks) =>
					reach(
						address,
						(judged) => connect({ address: judged, port, tls }, hooks),
						(error) => error instanceof EgressError,
					),
			});
		},
		headers: (headers) => {
			refuseOwnCredentials(headers);
			return headerLines(headers);
		},
	};
}

/** A URL that may be called, taken apart. */
type Target = {
	readonly protocol: string;
	/** With its port, as the `Host` header says it. */
	readonly host: string;
	/** The name a certificate must be for; in brackets when it is an IPv6 address. */
	readonly hostname: string;
	/** The same without brackets. */
	readonly address: string;
	readonly port: number;
	/** Path and query. */
	readonly path: string;
};

async function send(
	target: Target,
	address: string,
	init: EgressInit,
	ca: string | undefined,
): Promise<Response> {
	const pinned = address.includes(":") ? `[${address}]` : address;
	const request: BunFetchRequestInit = {
		method: init.method ?? "GET",
		headers: { ...init.headers, host: target.host },
		redirect: "manual",
	};
	if (init.body !== undefined) request.body = init.body as BodyInit;
	if (target.protocol === "https:") {
		// A certificate is for the name that was asked for, not for the address that was dialled.
		const tls: BunFetchRequestInitTLS = {};
		if (target.hostname !== pinned) tls.serverName = target.hostname;
		if (ca !== undefined) tls.ca = ca;
		request.tls = tls;
	}
	// Bun gives up a silent body after 360 s otherwise, and a quiet event stream is normal.
	Object.assign(request, { timeout: false });
	const url = `${target.protocol}//${pinned}:${target.port}${target.path}`;
	return inTimeLimit(init.signal, init.timeoutMs, (signal) =>
		fetch(url, { ...request, signal }),
	);
}

/** Ends the request when its headers are late; `outer` goes on to end the body, as long as there is one. */
async function inTimeLimit(
	outer: AbortSignal | undefined,
	timeoutMs: number,
	work: (signal: AbortSignal) => Promise<Response>,
): Promise<Response> {
	const abort = new AbortController();
	const cancel = (): void => abort.abort(outer?.reason);
	if (outer?.aborted) cancel();
	outer?.addEventListener("abort", cancel, { once: true });
	const timer = setTimeout(() => abort.abort(new TimeoutReached()), timeoutMs);
	try {
		return await work(abort.signal);
	} catch (error) {
		outer?.removeEventListener("abort", cancel);
		throw abort.signal.reason instanceof TimeoutReached
			? abort.signal.reason
			: error;
	} finally {
		clearTimeout(timer);
	}
}

class TimeoutReached extends Error {
	readonly code = "TIMEOUT";
}

/** @throws SallyportError `invalid` or `forbidden` for what is never called */
function parseTarget(text: string, ownOrigins: readonly string[]): Target {
	const url = URL.canParse(text) ? new URL(text) : null;
	if (!url || (url.protocol !== "https:" && url.protocol !== "http:"))
		throw new SallyportError("invalid", "only http and https can be called");
	if (url.username !== "" || url.password !== "")
		throw new SallyportError("invalid", "the URL holds a user or a password", {
			hint: "declare a secret slot and send it as a header",
		});
	if (ownOrigins.includes(url.origin))
		throw new SallyportError(
			"forbidden",
			"the URL is this gateway's own: it would call itself",
		);
	if (MINTED.test(url.href)) throw leak("the URL");
	return {
		protocol: url.protocol,
		host: url.host,
		hostname: url.hostname,
		address: url.hostname.replace(/^\[|\]$/g, ""),
		port: Number(url.port || (url.protocol === "https:" ? 443 : 80)),
		path: `${url.pathname}${url.search}`,
	};
}

/** What we minted is a key to us and to nobody else; sent on, it would let the receiver act as its owner. */
function refuseOwnCredentials(headers: Readonly<Record<string, string>>): void {
	for (const name in headers) {
		const value = headers[name] as string;
		if (value.includes("sp_") && MINTED.test(value)) throw leak("a header");
		if (name.toLowerCase() === "host")
			throw new SallyportError("invalid", "the host is the URL's to say");
	}
}

function leak(where: string): SallyportError {
	return new SallyportError(
		"forbidden",
		`${where} holds a credential of this gateway: nothing was sent`,
	);
}

/** @throws SallyportError `upstream` when the name is unknown or nobody says in time */
async function inTime(
	found: Promise<readonly string[]>,
): Promise<readonly string[]> {
	let timer: Timer | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new TimeoutReached()), LOOKUP_TIMEOUT_MS);
	});
	try {
		return await Promise.race([found, late]);
	} catch (cause) {
		throw new SallyportError(
			"upstream",
			"cannot be reached: its name cannot be resolved",
			{ hint: "check the URL, and this machine's name servers", cause },
		);
	} finally {
		clearTimeout(timer);
	}
}

async function lookupAll(host: string): Promise<readonly string[]> {
	const found = await resolve(host, { all: true, verbatim: true });
	return found.map(({ address }) => address);
}

function forbiddenAddress(): SallyportError {
	return new SallyportError(
		"forbidden",
		"is on a private network that may not be called",
		{ hint: "allow its network with --allow-private-upstreams CIDR" },
	);
}

function inClear(): SallyportError {
	return new SallyportError(
		"forbidden",
		"is not https, and credentials are never sent in clear",
		{ hint: "use its https address" },
	);
}

function codeOf(error: unknown): string {
	const code = (error as { code?: unknown } | null)?.code;
	return typeof code === "string" ? code : "";
}

/** Said in our words: the platform's own messages may quote the URL or a header. */
function failure(
	code: string,
	error: unknown,
	init: EgressInit,
): SallyportError {
	if (error instanceof SallyportError) return error;
	if (init.signal?.aborted)
		return new SallyportError("unavailable", "the request was cancelled");
	if (code === "TIMEOUT") return late(init.timeoutMs);
	const reason = UNSENT.has(code)
		? "the connection was refused"
		: /^ERR_TLS|CERT|SELF_SIGNED|UNABLE_TO_/.test(code)
			? `its certificate is not accepted (${code})`
			: `the connection failed (${code || "unknown reason"})`;
	const failure = unreachable(reason);
	return code === "ECONNRESET"
		? new EgressError("lost", failure.message, failure.hint as string)
		: failure;
}
