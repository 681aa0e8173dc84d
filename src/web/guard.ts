/**
 * Who may see a page and who may send its form: someone who is signed in and, where it is dangerous, proved who they
 * are within the last quarter of an hour. Whoever did not is sent to do so and comes back.
 */
import { type Parameters, readForm } from "../oauth/parameters.ts";
import { isOwnPost } from "./forms.ts";
import { seeOther } from "./layout.tsx";
import { staleFormPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import { findVisitor, isFresh, type Visitor } from "./visitor.ts";

/** A page: its path, and whether it is for a proof that is fresh. */
type Place = { readonly path: string; readonly dangerous: boolean };

/** Who asks for a page; or the response that sends them elsewhere first. */
export function admitVisitor(
	site: Site,
	request: Request,
	{ path, dangerous }: Place,
): Visitor | Response {
	const next = new URLSearchParams({ next: path });
	const visitor = findVisitor(site, request);
	if (!visitor) return seeOther(`/login?${next}`);
	return dangerous && !isFresh(site, visitor)
		? seeOther(`/reauthenticate?${next}`)
		: visitor;
}

/** A form that a visitor's own page sent. */
export type Sent = { readonly visitor: Visitor; readonly form: Parameters };

/**
 * Who sends a form, and what; or the response to a form that cannot be used.
 * @param action what the form's token was issued for
 * @param place.path the page to come back to
 */
export async function admitForm(
	site: Site,
	request: Request,
	action: string,
	place: Place,
): Promise<Sent | Response> {
	if (!isOwnPost(request, site.issuer)) return staleFormPage();
	const visitor = admitVisitor(site, request, place);
	if (visitor instanceof Response) return visitor;
	const form = await readForm(request);
	return site.forms.isValid(visitor.binding, action, form.get("csrf"))
		? { visitor, form }
		: staleFormPage();
}

/** How long a page waits for a server that sleeps or is slow: what it waits for goes on, and is there the next time. */
const PATIENCE_MS = 5000;

/** The end of a page's patience, or of whoever asked for it. */
export function briefly(request: Request): AbortSignal {
	return AbortSignal.any([request.signal, AbortSignal.timeout(PATIENCE_MS)]);
}
