/** Accepting an invitation: a one-time link, a password, and the person is signed in. */
import { createLimiter } from "../oauth/limits.ts";
import { acceptInvite, requireInvited } from "../ops/setup.ts";
import type { Route } from "../route.ts";
import { invitePage } from "./account/invite.tsx";
import { boundForm, readBoundForm } from "./bound-form.ts";
import { LINK_TRIES, limitLinks } from "./links.ts";
import { problemOf } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import type { Problem } from "./problem.tsx";
import { admit } from "./second-factor.ts";

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

function askGuest(
	site: Site,
	request: Request,
	token: string,
	problem?: Problem,
): Response {
	const { email, role } = requireInvited(site, token);
	return invitePage({
		...boundForm(site, request, inviteAction(token)),
		token,
		email,
		role,
		...(problem && { problem }),
	});
}

async function joinGuest(
	site: Site,
	request: Request,
	token: string,
): Promise<Response> {
	requireInvited(site, token);
	const form = await readBoundForm(site, request, inviteAction(token));
	if (form instanceof Response) return form;
	try {
		const password = form.get("password") ?? "";
		const user = await acceptInvite(site, { token, password });
		return admit(site, request, user.id, "link", "/");
	} catch (error) {
		return askGuest(site, request, token, problemOf(error));
	}
}

function inviteAction(token: string): string {
	return `invite ${token}`;
}
