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
	const own = addresses();
	const here = findPublicAddress(addresses);
	const records =
		here === null
			? "point its A record (and AAAA, if there is one) at this machine"
			: `point its ${here.includes(":") ? "AAAA" : "A"} record at ${here}`;
	if (found.length === 0)
		return new SallyportError("invalid", `${name} is not in the DNS`, {
			hint: `${records}; new records may take minutes to be seen`,
		});
	const elsewhere = found.filter(
		(address) => !own.includes(address) && !isLocal(address),
	);
	if (here === null || elsewhere.length === 0) return null;
	return new SallyportError(
		"invalid",
		`${name} leads to ${elsewhere.join(", ")}, and this machine is ${here}`,
		{ hint: `${records}, and remove what leads elsewhere` },
	);
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
