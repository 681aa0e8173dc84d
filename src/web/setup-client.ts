/** Steps 5 and 6 of the wizard: the first client, and what the gateway does by itself from then on. */
import { decideSetup } from "../ops/setup-steps.ts";
import type { Route } from "../route.ts";
import { listGrants } from "../store/grants.ts";
import { placeOf } from "./dashboard/clients.tsx";
import { seeOther } from "./layout.tsx";
import type { Site } from "./pages.ts";
import { clientPage, type SignedIn } from "./setup/client.tsx";
import { donePage } from "./setup/done.tsx";
import { admitOwner, admitOwnerForm } from "./setup.ts";
import type { Visitor } from "./visitor.ts";

const CLIENT = "/setup/client";
const DONE = "/setup/done";
const ACTION = "setup end";
const SHOWN_MAX = 5;

export function clientStepRoutes(site: Site): readonly Route[] {
	return [
		{
			method: "GET",
			path: CLIENT,
			handler: (request) => showClients(site, request),
		},
		{ method: "POST", path: CLIENT, handler: (request) => goOn(site, request) },
		{
			method: "GET",
			path: DONE,
			handler: (request) => showDone(site, request),
		},
		{ method: "POST", path: DONE, handler: (request) => finish(site, request) },
	];
}

function showClients(site: Site, request: Request): Response {
	const visitor = admitOwner(site, request, CLIENT, false);
	if (visitor instanceof Response) return visitor;
	return clientPage({
		csrf: site.forms.issue(visitor.binding, ACTION),
		endpoint: endpointOf(site),
		signedIn: signedIn(site, visitor),
		isLocal: site.desk.address.security === "none",
	});
}

function endpointOf(site: Site): string {
	return `${site.desk.address.origin()}/mcp`;
}

/** The clients of this person, each once, however often it registered. */
function signedIn(site: Site, { login }: Visitor): readonly SignedIn[] {
	const rows = listGrants(site.db, login.userId, site.clock.now()).map(
		({ clientName, redirectUri }): SignedIn => ({
			name: clientName || "A client",
			place: placeOf(redirectUri),
		}),
	);
	const once = new Map(
		rows.map((row) => [`${row.name} ${row.place}`, row] as const),
	);
	return [...once.values()].slice(0, SHOWN_MAX);
}

async function goOn(site: Site, request: Request): Promise<Response> {
	const sent = await admitOwnerForm(site, request, ACTION, CLIENT, false);
	if (sent instanceof Response) return sent;
	decideSetup(site.db, "client", site.clock.now());
	return seeOther(DONE);
}

function showDone(site: Site, request: Request): Response {
	const visitor = admitOwner(site, request, DONE, false);
	if (visitor instanceof Response) return visitor;
	return donePage({
		csrf: site.forms.issue(visitor.binding, ACTION),
		// On unless somebody says no.
		isNightly: true,
		endpoint: endpointOf(site),
	});
}

async function finish(site: Site, request: Request): Promise<Response> {
	const sent = await admitOwnerForm(site, request, ACTION, DONE, false);
	if (sent instanceof Response) return sent;
	const { form, visitor } = sent;
	site.desk.backups.setSchedule(
		form.has("nightly") ? "nightly" : "off",
		visitor.login.userId,
	);
	decideSetup(site.db, "done", site.clock.now());
	return seeOther("/");
}
