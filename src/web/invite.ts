/** Accepting an invitation: a one-time link, a password, and the person is signed in. */
import { createLimiter } from "../oauth/limits.ts";
import { readForm } from "../oauth/parameters.ts";
import { acceptInvite, requireInvited } from "../ops/setup.ts";
import type { Route } from "../route.ts";
import { invitePage } from "./account/invite.tsx";
import { isOwnPost } from "./forms.ts";
import { LINK_TRIES, limitLinks } from "./links.ts";
import { problemOf, staleFormPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import { admit } from "./second-factor.ts";
import { formBinding } from "./visitor.ts";

export function inviteRoutes(site: Site): readonly Route[] {
	const limited = limitLinks(site, createLimiter(site.clock, LINK_TRIES));
	return [
		{
			method: "GET",
			path: "/invite/:token",
			handler: (request, params) =>
				limited(request, () => askGuest(site, request, params["token"] ?? "")),
		},
		{
			method: "POST",
			path: "/invite/:token",
			handler: (request, params) =>
				limited(request, () => joinGuest(site, request, params["token"] ?? "")),
		},
	];
}

function askGuest(site: Site, request: Request, token: string): Response {
	const { email, role } = requireInvited(site, token);
	const { binding, cookie } = formBinding(site, request);
	const csrf = site.forms.issue(binding, inviteAction(token));
	return invitePage({ token, email, role, csrf, cookie });
}

async function joinGuest(
	site: Site,
	request: Request,
	token: string,
): Promise<Response> {
	const { email, role } = requireInvited(site, token);
	if (!isOwnPost(request, site.issuer)) return staleFormPage();
	const form = await readForm(request);
	const { binding, cookie } = formBinding(site, request);
	if (!site.forms.isValid(binding, inviteAction(token), form.get("csrf")))
		return staleFormPage();
	try {
		const password = form.get("password") ?? "";
		const user = await acceptInvite(site, { token, password });
		return admit(site, request, user.id, "link", "/");
	} catch (error) {
		const problem = problemOf(error);
		const csrf = site.forms.issue(binding, inviteAction(token));
		return invitePage({ token, email, role, csrf, cookie, problem });
	}
}

function inviteAction(token: string): string {
	return `invite ${token}`;
}
