/**
 * What a client can be asked through the gateway, in one canonical form: elicitation, roots and sampling, each with
 * only the parts that we carry. Two clients with the same abilities are the same to a server.
 *
 * @see specification 2025-11-25, basic/lifecycle ("Capability Negotiation"); 2026-07-28, basic ("_meta")
 */
import { objectOf } from "../message.ts";

/** Nothing can be asked. */
export const NO_CAPABILITIES = "{}";

const CARRIED: Readonly<Record<string, readonly string[]>> = {
	elicitation: ["form", "url"],
	roots: [],
	sampling: ["context", "tools"],
};

/** The canonical JSON of declared capabilities, whatever else they hold. */
export function canonicalCapabilities(declared: unknown): string {
	const known = objectOf(declared);
	const kept = Object.entries(CARRIED).flatMap(([name, parts]) => {
		if (known[name] === undefined) return [];
		const inner = objectOf(known[name]);
		const own = parts.filter((part) => inner[part] !== undefined);
		return [[name, Object.fromEntries(own.map((part) => [part, {}]))] as const];
	});
	return JSON.stringify(Object.fromEntries(kept));
}
