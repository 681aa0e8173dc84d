/**
 * One change of a server at a time, whether it comes from a page or over the API: a change may install a package or wait
 * for processes to end, and two that cross would leave something of each.
 */
import { SallyportError } from "../errors.ts";

/** Takes a slug until the lease is disposed of. @throws SallyportError `conflict` while somebody else has it */
export type Lease = (slug: string) => Disposable;

export function createLease(): Lease {
	const taken = new Set<string>();
	return (slug) => {
		if (taken.has(slug))
			throw new SallyportError(
				"conflict",
				`the server ${slug} is being changed by someone else`,
				{ hint: "wait until that is done, and look at it again" },
			);
		taken.add(slug);
		return { [Symbol.dispose]: () => void taken.delete(slug) };
	};
}
