/** The page of whoever is signed in. */

import { isClaimed } from "../ops/setup.ts";
import { may } from "../rights.ts";
import type { Route } from "../route.ts";
import { issueApiToken } from "./api-visitor.ts";
import { homePage, unclaimedPage } from "./dashboard/home.tsx";
import { seeOther } from "./layout.tsx";
import type { Site } from "./pages.ts";
import { findVisitor } from "./visitor.ts";

export function homeRoutes(site: Site): readonly Route[] {
	return [
		{ method: "GET", path: "/", handler: (request) => show(site, request) },
	];
}

function show(site: Site, request: Request): Response {
	if (!isClaimed(site.db)) return unclaimedPage();
	const visitor = findVisitor(site, request);
	if (!visitor) return seeOther("/login");
	return homePage({
		issuer: site.issuer,
		email: visitor.login.email,
		slugs: site.listSlugs(visitor.login),
		csrf: site.forms.issue(visitor.binding, "logout"),
		apiToken: issueApiToken(site.forms, visitor),
		managesPeople: may(visitor.login.role, "manage members"),
		notices: may(visitor.login.role, "run the gateway")
			? site.listNotices()
			: [],
	});
}
