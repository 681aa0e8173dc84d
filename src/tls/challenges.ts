/**
 * Port 80: the answers to http-01 challenges of names that are being ordered, and a redirect to https. Nothing else.
 *
 * A challenge is answered only when the request is for exactly its name and token, so that a name which somebody
 * points here (DNS rebinding) proves nothing. Who orders, and why, is not known here.
 *
 * @see RFC 8555 8.3 (http-01), RFC 8738 4 (the same for IP addresses)
 */

import type { HttpRequest } from "../http1/incoming.ts";
import type { Identifier } from "./identifiers.ts";
import { parseIdentifier } from "./identifiers.ts";

export type Challenges = {
	/** Answers for this name and token until the function it returns is called. */
	readonly answer: (
		identifier: Identifier,
		token: string,
		keyAuthorization: string,
	) => () => void;
	/** The handler of port 80. @param originOf where a request for this host is sent; null: a fixed text */
	readonly handler: (
		originOf: (host: string) => string | null,
	) => (request: HttpRequest) => Response;
};

const PATH = "/.well-known/acme-challenge/";
/** Orders run one at a time and a certificate has at most 25 names; what is beyond is a leak of ours. */
const PENDING_MAX = 100;

/** The challenges that are pending now. */
export function createChallenges(): Challenges {
	const pending = new Map<string, string>();

	const keyAuthorizationFor = (url: URL): string | undefined => {
		const identifier = parseIdentifier(url.hostname);
		const token = url.pathname.slice(PATH.length);
		return identifier ? pending.get(`${identifier.value} ${token}`) : undefined;
	};

	return {
		answer: ({ value }, token, keyAuthorization) => {
			const key = `${value} ${token}`;
			const [oldest] = pending.keys();
			if (pending.size >= PENDING_MAX && oldest) pending.delete(oldest);
			pending.set(key, keyAuthorization);
			return () => void pending.delete(key);
		},
		handler: (originOf) => (request) => {
			const url = URL.parse(request.url);
			if (!url || !["GET", "HEAD"].includes(request.method))
				return text(400, "this port only redirects to https");
			if (url.pathname.startsWith(PATH)) {
				const keyAuthorization = keyAuthorizationFor(url);
				return keyAuthorization === undefined
					? text(404, "no such challenge")
					: new Response(keyAuthorization, {
							headers: { "content-type": "application/octet-stream" },
						});
			}
			const origin = originOf(url.hostname.replace(/^\[|\]$/g, ""));
			if (origin === null)
				return text(404, "this gateway is not set up for https yet");
			return new Response(null, {
				status: 308,
				headers: { location: `${origin}${url.pathname}${url.search}` },
			});
		},
	};
}

function text(status: number, message: string): Response {
	return new Response(`${message}\n`, {
		status,
		headers: { "content-type": "text/plain; charset=utf-8" },
	});
}
