/**
 * `/clients`: what the person who is signed in allowed, and the buttons that end it. Nobody sees another's; an
 * administrator also sees the clients that wait to be let in, and every client there is.
 * Grants that look alike are one row: some clients register anew each time they connect (oauth.md 1.6).
 */
import type { Parameters } from "../oauth/parameters.ts";
import { placeOfAnswer } from "../oauth/redirect-uris.ts";
import {
	type AlikeClients,
	approveClient,
	endGrants,
	foldAlike,
	revokeClient,
} from "../ops/clients.ts";
import { may } from "../rights.ts";
import type { Route } from "../route.ts";
import { type Client, listClients } from "../store/clients.ts";
import { type ListedGrant, listGrants } from "../store/grants.ts";
import { type AllowedClient, clientsPage } from "./dashboard/clients.tsx";
import { admitForm, admitVisitor } from "./guard.ts";
import { seeOther } from "./layout.tsx";
import type { Site } from "./pages.ts";
import type { Visitor } from "./visitor.ts";

const ACTION = "clients";
const PLACE = { path: "/clients", dangerous: false } as const;

export function clientRoutes(site: Site): readonly Route[] {
	return [
		{
			method: "GET",
			path: PLACE.path,
			handler: (request) => show(site, request),
		},
		{
			method: "POST",
			path: PLACE.path,
			handler: (request) => decide(site, request),
		},
	];
}

function show(site: Site, request: Request): Response {
	const visitor = admitVisitor(site, request, PLACE);
	if (visitor instanceof Response) return visitor;
	return clientsPage({
		clients: [...allowed(site, visitor).values()],
		waiting: waitingFor(site, visitor),
		known: knownFor(site, visitor),
		administers: may(visitor.login.role, "run the gateway"),
		csrf: site.forms.issue(visitor.binding, ACTION),
	});
}

/** Ends something, which is always allowed; or lets a client in, which is for a fresh proof. */
async function decide(site: Site, request: Request): Promise<Response> {
	const sent = await admitForm(site, request, ACTION, PLACE);
	if (sent instanceof Response) return sent;
	const { visitor, form } = sent;
	const letIn = form.get("approve");
	const gone = form.get("forget");
	if (gone !== null) forget(site, visitor, gone);
	else if (letIn === null) revoke(site, visitor, form);
	// Judged by the same list that the page was made from, which is empty for everyone but administrators.
	else if (waitingFor(site, visitor).some(({ id }) => id === letIn)) {
		const proven = admitVisitor(site, request, { ...PLACE, dangerous: true });
		if (proven instanceof Response) return proven;
		approveClient(site, letIn, visitor.login.userId);
	}
	return seeOther(PLACE.path);
}

function waitingFor(site: Site, { login }: Visitor): readonly Client[] {
	return may(login.role, "run the gateway")
		? listClients(site.db).filter(({ approvedAt }) => approvedAt === null)
		: [];
}

/** Every client that came or was made, those alike folded; for administrators. */
function knownFor(site: Site, { login }: Visitor): readonly AlikeClients[] {
	return may(login.role, "run the gateway")
		? foldAlike(
				listClients(site.db).filter(({ approvedAt }) => approvedAt !== null),
				() => false,
			)
		: [];
}

/** Forgets a client and those like it, and ends what anybody allowed them. */
function forget(site: Site, visitor: Visitor, id: string): void {
	const found = knownFor(site, visitor).find(({ ids }) => ids.includes(id));
	for (const one of found?.ids ?? [])
		revokeClient(site, one, visitor.login.userId);
}

function revoke(site: Site, visitor: Visitor, form: Parameters): void {
	const clients = allowed(site, visitor);
	const named = form.get("revoke") ?? "";
	const chosen =
		named === "all"
			? [...clients.values()]
			: [...clients.values()].filter(({ id }) => id === named);
	// A row that is gone was ended elsewhere: the page then shows that, which is what was wanted.
	const ids = chosen.flatMap(({ grantIds }) => grantIds);
	endGrants(site, ids, visitor.login.userId, visitor.login.userId);
}

/** The living grants of a person, those alike folded, by what makes them alike. */
function allowed(
	site: Site,
	{ login }: Visitor,
): ReadonlyMap<string, AllowedClient> {
	const rows = new Map<string, AllowedClient>();
	const grants = listGrants(site.db, login.userId, site.clock.now());
	for (const grant of grants) {
		const key = likenessOf(grant);
		const row = rows.get(key);
		rows.set(key, {
			// The first is the last used: the list is in that order.
			...(row ?? {
				id: grant.id,
				name: grant.clientName,
				redirectUri: grant.redirectUri,
				scope: grant.scope,
				lastUsedAt: grant.lastUsedAt,
				lastAddress: grant.lastAddress,
				clientId: grant.clientId,
			}),
			since: Math.min(row?.since ?? grant.createdAt, grant.createdAt),
			grantIds: [...(row?.grantIds ?? []), grant.id],
		});
	}
	return rows;
}

function likenessOf(grant: ListedGrant): string {
	const { clientName, redirectUri, scope } = grant;
	return JSON.stringify([clientName, placeOfAnswer(redirectUri), scope]);
}
