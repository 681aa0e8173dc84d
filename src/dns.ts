/**
 * What the DNS says of a name, asked of the name servers directly: the machine's own files and caches are not what a
 * CA or a client sees. What it means is judged elsewhere.
 *
 * @see RFC 1035 (A), RFC 3596 (AAAA), RFC 8659 3 (CAA: the closest ancestor that has any)
 */
import { Resolver } from "node:dns/promises";
import { SallyportError } from "./errors.ts";

export type CaaRecord = { readonly tag: string; readonly value: string };

export type NameRecords = {
	readonly a: readonly string[];
	readonly aaaa: readonly string[];
	/** Of the name itself, or of the closest parent that has any. */
	readonly caa: readonly CaaRecord[];
};

export type Dns = {
	/** What there is; a kind that nobody has is empty. @throws SallyportError `upstream` when no name server answers */
	readonly lookup: (name: string) => Promise<NameRecords>;
};

const TIMEOUT_MS = 3000;
const TRIES = 2;
/** "There is no such name" and "there is none of that kind": answers, not failures. */
const NOTHING = new Set(["ENOTFOUND", "ENODATA"]);

/** @param servers whom to ask, `192.0.2.53` or `192.0.2.53:5353`; none: the machine's own */
export function createDns(servers: readonly string[] = []): Dns {
	const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
	if (servers.length > 0) resolver.setServers([...servers]);

	const ask = async <T>(
		found: Promise<readonly T[]>,
	): Promise<readonly T[]> => {
		try {
			return await found;
		} catch (cause) {
			const code = String((cause as { code?: unknown }).code);
			if (NOTHING.has(code)) return [];
			throw new SallyportError(
				"upstream",
				`the name servers do not answer (${code})`,
				{
					hint: "look at the name servers of the domain, and of this machine",
					cause,
				},
			);
		}
	};

	const caaOf = async (name: string): Promise<readonly CaaRecord[]> => {
		for (let at = name; at.includes("."); at = at.slice(at.indexOf(".") + 1)) {
			const found = await ask(resolver.resolveCaa(at));
			if (found.length > 0) return found.flatMap(pairsOf);
		}
		return [];
	};

	return {
		lookup: async (name) => {
			const [a, aaaa, caa] = await Promise.all([
				ask(resolver.resolve4(name)),
				ask(resolver.resolve6(name)),
				caaOf(name),
			]);
			return { a, aaaa, caa };
		},
	};
}

/** The platform gives a record as `{ critical, issue: "ca.example" }`. */
function pairsOf(record: object): readonly CaaRecord[] {
	return Object.entries(record).flatMap(([tag, value]) =>
		typeof value === "string" ? [{ tag, value }] : [],
	);
}
