/** The page of whoever is signed in. */

import {
	type Overview,
	type OverviewFacts,
	summarise,
} from "../ops/overview.ts";
import { panicSince } from "../ops/panic.ts";
import { isClaimed } from "../ops/setup.ts";
import { nextSetupStep, readSetupFacts } from "../ops/setup-steps.ts";
import { may } from "../rights.ts";
import type { Route } from "../route.ts";
import { hasAnyGrant } from "../store/grants.ts";
import { countHeldChanges } from "../store/held-changes.ts";
import { listNotices } from "../store/notices.ts";
import { mayUse } from "../store/servers.ts";
import { listToolsets } from "../store/toolsets.ts";
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
		toolsets: listToolsets(site.db).filter((toolset) =>
			mayUse(toolset, visitor.login),
		),
		csrf: site.forms.issue(visitor.binding, "logout"),
		apiToken: issueApiToken(site.forms, visitor),
		hasNews: listNotices(site.db, visitor.login.userId).length > 0,
		managesPeople: may(visitor.login.role, "manage members"),
		notices: may(visitor.login.role, "run the gateway")
			? site.listNotices()
			: [],
		overview: visitor.login.role === "owner" ? overviewOf(site) : null,
	});
}

/** The first server that is not as it was approved. */
function heldAt({ db, directory }: Site): OverviewFacts["held"] {
	const counts = countHeldChanges(db);
	const server = directory.servers().find(({ id }) => counts.has(id));
	return server
		? { slug: server.slug, count: counts.get(server.id) ?? 0 }
		: null;
}

function overviewOf(site: Site): Overview {
	const { db, desk } = site;
	const facts = readSetupFacts({ db, ...desk });
	return summarise({
		setup: nextSetupStep(facts),
		servers: desk.listHealth(),
		held: heldAt(site),
		backupFailure: desk.backups.failure()?.message ?? null,
		isPanic: panicSince(db) !== null,
		hasClient: hasAnyGrant(db),
	});
}
