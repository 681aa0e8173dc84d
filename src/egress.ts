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
 * @param options.ownOrigin this gateway's own origin, which it never calls
 * @param options.ca the only authorities trusted, in PEM (an ACME directory with its own); the public ones if absent
 */
export function createEgress(options: {
	readonly allowPrivate: readonly string[];
	readonly lookup?: Lookup;
	readonly ownOrigin?: string;
	readonly ca?: string;
}): Egress {
	const isAllowed = createJudge(options.allowPrivate);
	const lookup = options.lookup ?? lookupAll;
	const verdicts = new Map<string, Promise<string[]>>();

	const judge = async (host: string): Promise<string[]> => {
		const found = isAddress(host) ? [host] : await inTime(lookup(host), host);
		const good = found.filter((address) => isAllowed(address));
		if (good.length === 0) throw forbiddenAddress(host);
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

	return {
		fetch: async (target, init) => {
			const url = checkedUrl(target, options.ownOrigin);
			refuseOwnCredentials(url, init.headers ?? {});
			const host = url.hostname.replace(/^\[|\]$/g, "");
			const addresses = await addressesOf(host);
			for (let tries = 1; ; tries++) {
				const address = addresses[0] as string;
				try {
					return await send(url, address, init, options.ca);
				} catch (error) {
					const code = codeOf(error);
					if (!UNSENT.has(code) || tries >= addresses.length)
						throw failure(url, code, error, init);
					addresses.push(addresses.shift() as string);
				}
			}
		},
	};
}

async function send(
	url: URL,
	address: string,
	init: EgressInit,
	ca: string | undefined,
): Promise<Response> {
	const pinned = new URL(url);
	pinned.hostname = address.includes(":") ? `[${address}]` : address;
	const abort = new AbortController();
	const cancel = (): void => abort.abort(init.signal?.reason);
	if (init.signal?.aborted) cancel();
	init.signal?.addEventListener("abort", cancel, { once: true });
	const timer = setTimeout(
		() => abort.abort(new TimeoutReached()),
		init.timeoutMs,
	);
	const headers = new Headers(init.headers);
	headers.set("host", url.host);
	// A certificate is for the name that was asked for, not for the address that was dialled.
	const tls = {
		...(url.hostname !== pinned.hostname && { serverName: url.hostname }),
		...(ca !== undefined && { ca }),
	};
	try {
		// `timeout: false`: Bun gives up a silent body after 360 s otherwise, and a quiet event stream is normal.
		return await fetch(pinned.href, {
			method: init.method ?? "GET",
			headers,
			...(init.body !== undefined && { body: init.body }),
			redirect: "manual",
			signal: abort.signal,
			timeout: false,
			...(url.protocol === "https:" && { tls }),
		} as BunFetchRequestInit);
	} catch (error) {
		init.signal?.removeEventListener("abort", cancel);
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

function checkedUrl(target: string | URL, ownOrigin: string | undefined): URL {
	const url = URL.canParse(String(target)) ? new URL(target) : null;
	if (!url || (url.protocol !== "https:" && url.protocol !== "http:"))
		throw new SallyportError("invalid", "only http and https can be called");
	if (url.username !== "" || url.password !== "")
		throw new SallyportError("invalid", "the URL holds a user or a password", {
			hint: "declare a secret slot and send it as a header",
		});
	if (ownOrigin !== undefined && url.origin === ownOrigin)
		throw new SallyportError(
			"forbidden",
			"the URL is this gateway's own: it would call itself",
		);
	return url;
}

/** What we minted is a key to us and to nobody else; sent on, it would let the receiver act as its owner. */
function refuseOwnCredentials(
	url: URL,
	headers: Readonly<Record<string, string>>,
): void {
	for (const name in headers)
		if (MINTED.test(headers[name] as string)) throw leak("a header");
	if (MINTED.test(url.href)) throw leak("the URL");
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
	host: string,
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
			`cannot reach ${host}: its name cannot be resolved`,
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

function forbiddenAddress(host: string): SallyportError {
	return new SallyportError(
		"forbidden",
		`${host} is on a private network that servers may not be called on`,
		{ hint: "allow its network with --allow-private-upstreams CIDR" },
	);
}

function codeOf(error: unknown): string {
	const code = (error as { code?: unknown } | null)?.code;
	return typeof code === "string" ? code : "";
}

/** Said in our words: the platform's own messages may quote the URL or a header. */
function failure(
	url: URL,
	code: string,
	error: unknown,
	init: EgressInit,
): SallyportError {
	if (error instanceof SallyportError) return error;
	if (init.signal?.aborted)
		return new SallyportError("unavailable", "the request was cancelled");
	if (code === "TIMEOUT")
		return new SallyportError(
			"upstream",
			`${url.host} did not answer within ${Math.ceil(init.timeoutMs / 1000)} s`,
			{ hint: "check that the server is running and not overloaded" },
		);
	const reason = UNSENT.has(code)
		? "the connection was refused"
		: /^ERR_TLS|CERT|SELF_SIGNED|UNABLE_TO_/.test(code)
			? `its certificate is not accepted (${code})`
			: `the connection failed (${code || "unknown reason"})`;
	return new SallyportError("upstream", `cannot reach ${url.host}: ${reason}`, {
		hint: "check the URL, and that the server is running",
	});
}
