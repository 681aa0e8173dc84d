/**
 * Who is let in before anything is read: the Host must be ours, a foreign Origin may not drive an MCP endpoint.
 * Together they stop DNS rebinding; the issuer and every link come from the configuration, never from a request.
 *
 * @see specification 2025-11-25, basic/transports, "Security Warning"; RFC 9110 15.5.20 (421)
 */
import ipaddr from "ipaddr.js";
import type { HttpRequest } from "../http1/incoming.ts";

export type Admission = {
	/** Whether the request names a host that is ours, once. */
	readonly isOurHost: (request: HttpRequest) => boolean;
	/** Whether the request comes from no page at all, or from a page of ours. */
	readonly isOurOrigin: (request: HttpRequest) => boolean;
	/** Who sent it: the socket's peer, or what a trusted proxy says. */
	readonly clientAddress: (request: HttpRequest, peer: string) => string;
};

/** An address, or this machine by its own name, with or without a port: what no DNS can point elsewhere. */
const WITHOUT_DNS =
	/^(?:localhost|\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;

/**
 * @param origins the gateway's own origins: the public one, and those of loopback listeners
 * @param beganNamed whether there was a public URL from the start; without, it is set up at any address that reaches it
 */
export function createAdmission(
	origins: readonly string[],
	trustedProxies: readonly string[],
	beganNamed = true,
): Admission {
	const ourOrigins = new Set(origins);
	const ourHosts = new Set(origins.map((origin) => new URL(origin).host));
	const proxies = trustedProxies.map((cidr) => ipaddr.parseCIDR(cidr));
	const isProxy = (address: Address | null): boolean =>
		address !== null &&
		proxies.some(
			([network, bits]) =>
				network.kind() === address.kind() && address.match([network, bits]),
		);

	return {
		isOurHost: (request) => {
			const host = request.headers.get("host")?.toLowerCase() ?? "";
			return ourHosts.has(host) || (!beganNamed && WITHOUT_DNS.test(host));
		},
		isOurOrigin: (request) => {
			const origin = request.headers.get("origin");
			return origin === null || ourOrigins.has(origin);
		},
		clientAddress: (request, peer) => {
			if (proxies.length === 0 || !isProxy(parseAddress(peer))) return peer;
			const hops = (request.headers.get("x-forwarded-for") ?? "")
				.split(",")
				.map((hop) => hop.trim());
			// The right-most hop that is not a proxy of ours is the last one a proxy of ours saw itself.
			return (
				hops.reverse().find((hop) => {
					const address = parseAddress(hop);
					return address !== null && !isProxy(address);
				}) ?? peer
			);
		},
	};
}

type Address = ReturnType<typeof ipaddr.process>;

/** An address as it is compared; null for what is none. To ask beforehand whether it is one would read it twice. */
function parseAddress(text: string): Address | null {
	try {
		return ipaddr.process(text);
	} catch {
		return null; // not an address
	}
}
