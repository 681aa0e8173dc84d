/** `/users/provider`: which OpenID provider people may sign in with, for administrators, on a fresh proof. */
import { may } from "../rights.ts";
import type { Route } from "../route.ts";
import { recordAudit } from "../store/audit.ts";
import { deleteIdentityProvider } from "../store/identities.ts";
import { providerSettingsPage } from "./account/provider-settings.tsx";
import { admitForm, admitVisitor, type Sent } from "./guard.ts";
import { seeOther } from "./layout.tsx";
import { missingPage, problemOf } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import type { Problem } from "./problem.tsx";
import type { Visitor } from "./visitor.ts";

const PLACE = { path: "/users/provider", dangerous: true } as const;

export function providerSettingsRoutes(site: Site): readonly Route[] {
	return [
		{
			method: "GET",
			path: PLACE.path,
			handler: (request) => {
				const visitor = admitVisitor(site, request, PLACE);
				if (visitor instanceof Response) return visitor;
				return isAdmin(visitor) ? show(site, visitor) : notForYou();
			},
		},
		{
			method: "POST",
			path: PLACE.path,
			handler: async (request) => {
				const sent = await admitForm(site, request, PLACE.path, PLACE);
				if (sent instanceof Response) return sent;
				return isAdmin(sent.visitor) ? change(site, sent) : notForYou();
			},
		},
	];
}

function show(site: Site, visitor: Visitor, problem?: Problem): Response {
	return providerSettingsPage({
		provider: site.provider.find(),
		redirectUri: `${site.issuer}/login/provider/callback`,
		csrf: site.forms.issue(visitor.binding, PLACE.path),
		...(problem === undefined ? {} : { problem }),
	});
}

/** `do=set` with what the form says, or `do=remove`. */
async function change(site: Site, { visitor, form }: Sent): Promise<Response> {
	const record = (action: string, object: string): void =>
		recordAudit(
			site.db,
			{ actor: visitor.login.userId, action, object },
			site.clock.now(),
		);
	if (form.get("do") === "remove") {
		const issuer = site.provider.find()?.issuer;
		if (deleteIdentityProvider(site.db))
			record("identity-provider.remove", issuer ?? "");
		return seeOther(PLACE.path);
	}
	const issuer = (form.get("issuer") ?? "").trim();
	try {
		await site.provider.configure({
			issuer,
			clientId: (form.get("client_id") ?? "").trim(),
			clientSecret: form.get("client_secret") ?? undefined,
			domains: (form.get("domains") ?? "")
				.split(/[\s,]+/)
				.filter((domain) => domain !== ""),
			provisions: form.has("provisions"),
		});
	} catch (error) {
		return show(site, visitor, problemOf(error));
	}
	record("identity-provider.set", issuer);
	return seeOther(PLACE.path);
}

function isAdmin({ login }: Visitor): boolean {
	return may(login.role, "run the gateway");
}

function notForYou(): Response {
	return missingPage("This page is for administrators.");
}
