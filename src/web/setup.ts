/**
 * Coming in for the first time: the owner by the setup link, everyone else by an invitation.
 * While the gateway has an owner there is no `/setup`; a link that does not work looks like a page that is not there.
 */
import { SallyportError, sentence } from "../errors.ts";
import { createLimiter, networkOf } from "../oauth/limits.ts";
import { tooMany } from "../oauth/oauth-error.ts";
import { readForm } from "../oauth/parameters.ts";
import {
	acceptInvite,
	claim,
	isClaimed,
	requireInvited,
} from "../ops/setup.ts";
import type { Route } from "../route.ts";
import { invitePage } from "./account/invite.tsx";
import { isOwnPost } from "./forms.ts";
import { seeOther } from "./layout.tsx";
import { missingPage, problemOf, staleFormPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import { admit } from "./second-factor.ts";
import { claimPage } from "./setup/claim.tsx";
import { formBinding, signIn } from "./visitor.ts";

/** How often one address may try a link. */
const TRIES = { count: 20, seconds: 60 } as const;

export function setupRoutes(site: Site): readonly Route[] {
	const limiter = createLimiter(site.clock, TRIES);
	const limited = async (
		request: Request,
		work: () => Response | Promise<Response>,
	): Promise<Response> => {
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
	return [
		{
			method: "GET",
			path: "/setup",
			handler: (request) => limited(request, () => askOwner(site, request)),
		},
		{
			method: "POST",
			path: "/setup",
			handler: (request) => limited(request, () => claimGateway(site, request)),
		},
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

function askOwner(site: Site, request: Request): Response {
	if (isClaimed(site.db)) return alreadyClaimed();
	const { binding, cookie } = formBinding(site, request);
	return claimPage({ csrf: site.forms.issue(binding, "setup"), cookie });
}

async function claimGateway(site: Site, request: Request): Promise<Response> {
	if (isClaimed(site.db)) return alreadyClaimed();
	if (!isOwnPost(request, site.issuer)) return staleFormPage();
	const form = await readForm(request);
	const { binding, cookie } = formBinding(site, request);
	if (!site.forms.isValid(binding, "setup", form.get("csrf")))
		return staleFormPage();
	const [token, email] = [form.get("token") ?? "", form.get("email") ?? ""];
	try {
		const password = form.get("password") ?? "";
		const owner = await claim(site, { token, email, password });
		return seeOther("/", signIn(site, request, owner.id, "link"));
	} catch (error) {
		const problem = problemOf(error);
		const csrf = site.forms.issue(binding, "setup");
		return claimPage({ csrf, cookie, token, email, problem });
	}
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

function alreadyClaimed(): Response {
	return missingPage("This gateway has an owner. Setting it up is over.");
}
