/**
 * A page for whoever runs the gateway, and the form on it: the same path shows it and takes its form, whose token is
 * for that path. For everybody else there is nothing there.
 */
import type { Parameters } from "../oauth/parameters.ts";
import { may } from "../rights.ts";
import type { Params, Route } from "../route.ts";
import { admitForm, admitVisitor } from "./guard.ts";
import { missingPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import type { Visitor } from "./visitor.ts";

/** One request for such a page, by someone who may see it. */
export type Ask = {
	readonly site: Site;
	readonly request: Request;
	readonly visitor: Visitor;
	readonly params: Params;
	/** The page's own path, which is also what its form's token is for. */
	readonly path: string;
};

type Answer = Response | Promise<Response>;

/** The two routes of a page: how it is shown, and what its form does. */
export function adminPage(
	site: Site,
	path: string,
	show: (ask: Ask) => Answer,
	act: (ask: Ask, form: Parameters) => Answer,
): readonly Route[] {
	return [
		{
			method: "GET",
			path,
			handler: (request, params) => {
				const { pathname, search } = new URL(request.url);
				const place = { path: pathname + search, dangerous: false };
				const visitor = admitVisitor(site, request, place);
				if (visitor instanceof Response) return visitor;
				return mayLook(visitor)
					? show({ site, request, visitor, params, path: pathname })
					: notForYou();
			},
		},
		{
			method: "POST",
			path,
			handler: async (request, params) => {
				const { pathname } = new URL(request.url);
				const place = { path: pathname, dangerous: false };
				const sent = await admitForm(site, request, pathname, place);
				if (sent instanceof Response) return sent;
				const { visitor, form } = sent;
				return mayLook(visitor)
					? act({ site, request, visitor, params, path: pathname }, form)
					: notForYou();
			},
		},
	];
}

function mayLook({ login }: Visitor): boolean {
	return may(login.role, "run the gateway");
}

/** The same for whoever may not look as for what is not there. */
export function notForYou(): Response {
	return missingPage("This page is for administrators.");
}
