/**
 * Which IP addresses an outgoing connection may go to: public ones, and the private networks that were allowed.
 *
 * Whatever is special (loopback, private, shared, documentation, transition, multicast, reserved) is refused unless
 * allowed by name; link-local and cloud metadata addresses are refused even then.
 *
 * @see RFC 6890 and the IANA special-purpose address registries
 */
import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = readonly [Address, number];

/** Cloud metadata services outside the link-local range; like that range they are never allowed. */
const METADATA = ["fd00:ec2::254", "100.100.100.200", "192.0.0.192"];
/** The only IPv6 unicast that is routed (RFC 4291 2.4); what is left of it after the special ranges may be reached. */
const GLOBAL_UNICAST = ipaddr.parseCIDR("2000::/3");

/** What an operator's own network may be numbered from. */
export const PRIVATE_NETWORKS = [
	"10.0.0.0/8",
	"100.64.0.0/10",
	"127.0.0.0/8",
	"172.16.0.0/12",
	"192.168.0.0/16",
	"::1/128",
	"fc00::/7",
];

/** Whether a host is an address already, and needs no resolving. */
export function isAddress(host: string): boolean {
	return ipaddr.isValid(host);
}

/**
 * Says of an address whether it may be called.
 * @param allowPrivate CIDRs of networks that may be called although they are not public
 * @throws Error when one is not a CIDR
 */
export function createJudge(
	allowPrivate: readonly string[],
): (address: string) => boolean {
	const allowed = allowPrivate.map((cidr) => ipaddr.parseCIDR(cidr));
	return (address) => isAllowed(address, allowed);
}

/** Whether a connection may go to this address. */
function isAllowed(text: string, allowed: readonly Network[]): boolean {
	if (!ipaddr.isValid(text) || text.includes("%")) return false;
	const address = ipaddr.process(text); // an IPv4-mapped address is judged as the IPv4 address it is
	const range = address.range();
	if (range === "linkLocal" || METADATA.includes(address.toString()))
		return false;
	// Through a NAT64, which is how a machine without IPv4 reaches the rest: it leads where the address inside says.
	if (range === "rfc6052") return isAllowed(embedded(address), allowed);
	const isPublic =
		range === "unicast" &&
		(address.kind() === "ipv4" || address.match(GLOBAL_UNICAST));
	return (
		isPublic ||
		allowed.some(
			([network, bits]) =>
				network.kind() === address.kind() && address.match(network, bits),
		)
	);
}

/** The IPv4 address inside a NAT64 address (RFC 6052 2.2, the well-known prefix). */
function embedded(address: Address): string {
	return address.toByteArray().slice(12).join(".");
}
