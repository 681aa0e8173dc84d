/**
 * A form where nobody is signed in: it is bound to the browser, by a cookie that is made when it is missing and that
 * proves nothing but that page and form are of one browser.
 */
import { type Parameters, readForm } from "../oauth/parameters.ts";
import { isOwnPost } from "./forms.ts";
import { staleFormPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import { formBinding } from "./visitor.ts";

/** What a page with such a form is given. @param action what the form would do */
export function boundForm(
	site: Site,
	request: Request,
	action: string,
): { readonly csrf: string; readonly cookie: string | null } {
	const { binding, cookie } = formBinding(site, request);
	return { csrf: site.forms.issue(binding, action), cookie };
}

/** Such a form as it was sent; or the response to one that cannot be used. */
export async function readBoundForm(
	site: Site,
	request: Request,
	action: string,
	read: (request: Request) => Promise<Parameters> = readForm,
): Promise<Parameters | Response> {
	if (!isOwnPost(request, site.issuer)) return staleFormPage();
	const form = await read(request);
	const { binding } = formBinding(site, request);
	return site.forms.isValid(binding, action, form.get("csrf"))
		? form
		: staleFormPage();
}
