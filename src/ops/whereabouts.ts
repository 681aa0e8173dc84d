/**
 * Where this machine is, and whether a name leads to it, as far as the machine itself can tell: by the addresses of
 * its interfaces and its own name servers. Behind a router or a cloud's translation it has no public address of its
 * own, and only the CA, which looks from outside, can tell.
 *
 * @see RFC 8555 8.3 (a CA follows A and AAAA records)
 */
import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import { createJudge } from "../addresses.ts";
import { SallyportError } from "../errors.ts";
import { checkAddresses } from "./name-checks.ts";

/** Every address of this machine. */
export type Addresses = () => readonly string[];

const LOOKUP_TIMEOUT_MS = 5000;
const isPublic = createJudge([]);
const isLoopback = createJudge(["127.0.0.0/8", "::1/128"]);

export function listAddresses(): readonly string[] {
	return Object.values(networkInterfaces()).flatMap((found) =>
		(found ?? []).map(({ address }) => address),
	);
}

/** The address by which the world reaches this machine, IPv4 if it can; null when it has none of its own. */
export function findPublicAddress(addresses: Addresses): string | null {
	const found = addresses().filter(isPublic);
	return found.find((address) => !address.includes(":")) ?? found[0] ?? null;
}

/**
 * What keeps a name from leading here, or null: it does, or that cannot be told from here.
 * @returns as an error that says what to do; it is not thrown
 */
export async function findDetour(
	name: string,
	addresses: Addresses,
): Promise<SallyportError | null> {
	const found = await resolve(name);
	const records = found.filter((address) => !isLocal(address));
	if (found.length > 0 && records.length === 0) return null;
	const a = records.filter((address) => !address.includes(":"));
	const aaaa = records.filter((address) => address.includes(":"));
	const bad = checkAddresses(name, { a, aaaa }, addresses()).find(
		({ verdict }) => verdict === "bad",
	);
	if (bad === undefined) return null;
	const line = bad.line === null ? [] : [`the right record: ${bad.line}`];
	return new SallyportError("invalid", bad.text, {
		hint: [bad.remedy, ...line].join("; "),
	});
}

/** A machine often has its own name in its hosts file, at a loopback address. */
function isLocal(address: string): boolean {
	return isLoopback(address) && !isPublic(address);
}

async function resolve(name: string): Promise<readonly string[]> {
	let timer: Timer | undefined;
	const late = new Promise<readonly []>((resolve) => {
		timer = setTimeout(() => resolve([]), LOOKUP_TIMEOUT_MS);
	});
	try {
		const found = lookup(name, { all: true, verbatim: true });
		const answered = await Promise.race([found, late]);
		return answered.map(({ address }) => address);
	} catch {
		return []; // not known, or no name server: either way it leads nowhere
	} finally {
		clearTimeout(timer);
	}
}
