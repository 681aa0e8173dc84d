/**
 * What a certificate is for: DNS names and IP addresses, each in its one canonical spelling.
 *
 * @see RFC 8555 9.7.7, RFC 8738 (IP identifiers), RFC 5952 (one spelling of an IPv6 address)
 */
import { domainToASCII } from "node:url";
import ipaddr from "ipaddr.js";
import { SallyportError } from "../errors.ts";

export type Identifier = {
	readonly type: "dns" | "ip";
	readonly value: string;
};

/** http-01 proves no wildcard, and no CA issues for a bare word. */
const DNS_NAME =
	/^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** The certificate profiles for IP addresses take no more (Let's Encrypt `shortlived`, `tlsserver`). */
const NAMES_MAX = 25;

/** Reads a name or an address, with or without brackets, in any case; null when it is neither. */
export function parseIdentifier(text: string): Identifier | null {
	const bare = text.trim().replace(/^\[(.+)\]$/, "$1");
	if (ipaddr.IPv4.isValidFourPartDecimal(bare))
		return { type: "ip", value: bare };
	if (bare.includes(":") && ipaddr.IPv6.isValid(bare))
		return { type: "ip", value: ipaddr.IPv6.parse(bare).toRFC5952String() };
	const name = domainToASCII(bare.replace(/\.$/, "")).toLowerCase();
	if (name === "localhost" || DNS_NAME.test(name))
		return { type: "dns", value: name };
	return null;
}

/**
 * Reads the names of one certificate: without doubles, sorted.
 * @throws SallyportError `invalid` naming what is no name
 */
export function parseIdentifiers(
	names: readonly string[],
): readonly Identifier[] {
	const found = new Map<string, Identifier>();
	for (const name of names) {
		const identifier = parseIdentifier(name);
		if (identifier === null)
			throw new SallyportError(
				"invalid",
				`${name} is not a name a certificate can be for`,
				{
					hint: "a name looks like gate.example.org, an address like 203.0.113.9",
				},
			);
		found.set(identifier.value, identifier);
	}
	if (found.size === 0 || found.size > NAMES_MAX)
		throw new SallyportError(
			"invalid",
			`a certificate is for 1 to ${NAMES_MAX} names`,
		);
	return [...found.values()].sort((a, b) => (a.value < b.value ? -1 : 1));
}

/** The one text that stands for a set of names, in the store and in logs. */
export function namesKey(identifiers: readonly Identifier[]): string {
	return identifiers.map(({ value }) => value).join(",");
}
