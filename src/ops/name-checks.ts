/**
 * Whether a name is ready for a certificate, as far as the DNS can say: each record judged against this machine's
 * addresses, with what to do about it. What the DNS cannot say (port 80, a firewall) only an order can. The words are
 * those of an error: the thing first, and no full stop.
 */
import ipaddr from "ipaddr.js";
import { createJudge } from "../addresses.ts";
import type { CaaRecord, NameRecords } from "../dns.ts";

export type NameCheck = {
	readonly record: "A" | "AAAA" | "CAA";
	/** `open`: this machine cannot tell; the order will. */
	readonly verdict: "good" | "open" | "bad";
	/** What was found. */
	readonly text: string;
	/** What to do; null: nothing. */
	readonly remedy: string | null;
	/** The record to create, as a line of a zone; null when there is nothing to create. */
	readonly line: string | null;
};

const isPublic = createJudge([]);
/** The addresses from which Cloudflare answers for a name that it stands before. */
const CLOUDFLARE = [
	"103.21.244.0/22",
	"103.22.200.0/22",
	"103.31.4.0/22",
	"104.16.0.0/13",
	"104.24.0.0/14",
	"108.162.192.0/18",
	"131.0.72.0/22",
	"141.101.64.0/18",
	"162.158.0.0/15",
	"172.64.0.0/13",
	"173.245.48.0/20",
	"188.114.96.0/20",
	"190.93.240.0/20",
	"197.234.240.0/22",
	"198.41.128.0/17",
	"2400:cb00::/32",
	"2606:4700::/32",
	"2803:f800::/32",
	"2405:b500::/32",
	"2405:8100::/32",
	"2a06:98c0::/29",
	"2c0f:f248::/32",
].map((cidr) => ipaddr.parseCIDR(cidr));

/**
 * Judges what a name says.
 * @param own this machine's addresses; behind a router none of them is public, and then an address is left open
 * @param caIdentity how the CA calls itself in CAA records; null: not known
 */
export function checkName(
	name: string,
	records: NameRecords,
	own: readonly string[],
	caIdentity: string | null,
): readonly NameCheck[] {
	return [
		...checkAddresses(name, records, own),
		checkCaa(name, records.caa, caIdentity),
	];
}

/** Whether a name leads here: its A and AAAA records alone. */
export function checkAddresses(
	name: string,
	records: Pick<NameRecords, "a" | "aaaa">,
	own: readonly string[],
): readonly NameCheck[] {
	const checks = [checkFamily(name, "A", records.a, own)];
	// Without IPv6 nothing is missing; with a wrong one the CA fails although IPv4 is right.
	if (records.aaaa.length > 0)
		checks.push(checkFamily(name, "AAAA", records.aaaa, own));
	const [v4] = checks;
	const isV6Only =
		records.a.length === 0 &&
		checks[1] !== undefined &&
		checks[1].verdict !== "bad";
	return isV6Only ? checks.filter((check) => check !== v4) : checks;
}

/** Whether an order is worth its while. */
export function isReady(checks: readonly NameCheck[]): boolean {
	return checks.every(({ verdict }) => verdict !== "bad");
}

function checkFamily(
	name: string,
	record: "A" | "AAAA",
	found: readonly string[],
	own: readonly string[],
): NameCheck {
	const isV6 = record === "AAAA";
	const family = own.filter((address) => address.includes(":") === isV6);
	const ours = family.filter(isPublic);
	const strangers = found.filter((address) => !family.some(isSame(address)));
	const line = ours[0] === undefined ? null : `${name}. ${record} ${ours[0]}`;
	if (found.length === 0)
		return {
			record,
			verdict: "bad",
			text: `${name} has no address yet`,
			remedy:
				line === null
					? "create an A record with the public address of this machine, then check again"
					: "create its record where the domain is managed, then check again; new records can take some minutes",
			line,
		};
	if (strangers.length === 0)
		return {
			record,
			verdict: "good",
			text: `${found.join(", ")} is this machine`,
			remedy: null,
			line: null,
		};
	const where = strangers.join(", ");
	if (strangers.some(isCloudflare))
		return {
			record,
			verdict: "bad",
			text: `${name} leads to ${where}, which is Cloudflare and stands before it`,
			remedy:
				"set the record to “DNS only” (the grey cloud), or serve behind it as behind a proxy of your own",
			line,
		};
	if (ours.length === 0 && !(isV6 && own.some(isPublic)))
		return {
			record,
			verdict: "open",
			text: `${name} leads to ${where}; this machine has private addresses only, so it cannot tell whether that is its own`,
			remedy: null,
			line: null,
		};
	return {
		record,
		verdict: "bad",
		text: `${name} leads to ${where}, which is not this machine`,
		remedy:
			isV6 && ours.length === 0
				? "remove the AAAA record: a CA tries it first, and this machine has no such address"
				: "point the record at this machine, then check again",
		line,
	};
}

function checkCaa(
	name: string,
	caa: readonly CaaRecord[],
	caIdentity: string | null,
): NameCheck {
	const issuers = caa
		.filter(({ tag }) => tag.toLowerCase() === "issue")
		.map(({ value }) => (value.split(";")[0] ?? "").trim());
	const base = { record: "CAA", line: null } as const;
	if (issuers.length === 0)
		return {
			...base,
			verdict: "good",
			text: "there is no such record, so every CA may issue",
			remedy: null,
		};
	const allowed = issuers.filter(Boolean).join(", ") || "nobody";
	if (caIdentity === null)
		return {
			...base,
			verdict: "open",
			text: `only ${allowed} may issue; whether that is your CA, it will say itself`,
			remedy: null,
		};
	if (issuers.includes(caIdentity))
		return {
			...base,
			verdict: "good",
			text: `${caIdentity} may issue`,
			remedy: null,
		};
	return {
		...base,
		verdict: "bad",
		text: `only ${allowed} may issue for this name, and the certificate comes from ${caIdentity}`,
		remedy: "add this record beside the others, then check again",
		line: `${name}. CAA 0 issue "${caIdentity}"`,
	};
}

function isSame(address: string): (other: string) => boolean {
	const wanted = ipaddr.process(address).toNormalizedString();
	return (other) =>
		ipaddr.isValid(other) &&
		ipaddr.process(other).toNormalizedString() === wanted;
}

function isCloudflare(text: string): boolean {
	const address = ipaddr.process(text);
	return CLOUDFLARE.some(
		([network, bits]) =>
			network.kind() === address.kind() && address.match(network, bits),
	);
}
