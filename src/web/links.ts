/** One-time links: how often one address may try them, and that one which does not work looks like a page that is not there. */
import { SallyportError, sentence } from "../errors.ts";
import { type Limiter, networkOf } from "../oauth/limits.ts";
import { tooMany } from "../oauth/oauth-error.ts";
import { missingPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";

/** How often one address may try a link. */
export const LINK_TRIES = { count: 20, seconds: 60 } as const;

/** Work that tries a link. */
export type Limited = (
	request: Request,
	work: () => Response | Promise<Response>,
) => Promise<Response>;

/** Slows down whoever tries links, and answers for those that do not work. */
export function limitLinks(site: Site, limiter: Limiter): Limited {
	return async (request, work) => {
		const wait = limiter.take(networkOf(site.clientAddress(request)));
		if (wait > 0) throw tooMany(wait);
		try {
			return await work();
		} catch (error) {
			if (error instanceof SallyportError && error.code === "not_found")
				return missingPage(
					`${sentence(error.message)} ${error.hint === undefined ? "" : sentence(error.hint)}`,
				);
			throw error;
		}
	};
}
