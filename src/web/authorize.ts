/**
 * `/authorize` in a browser: the request is judged, the person signs in, is asked, and is sent on.
 * GET asks; POST to the same query string decides. Between the two nothing is kept: the request is judged again.
 */

import {
	type AuthorizationRequest,
	judgeAuthorization,
} from "../oauth/authorize.ts";
import type { ClientDocuments } from "../oauth/client-documents.ts";
import { allow, chosenScope, deny } from "../oauth/consent.ts";
import { type Limiter, networkOf } from "../oauth/limits.ts";
import { OAuthError, tooMany } from "../oauth/oauth-error.ts";
import { type Parameters, readForm } from "../oauth/parameters.ts";
import { DEFAULT_PATH } from "../oauth/resources.ts";
import type { Route } from "../route.ts";
import { isOwnPost } from "./forms.ts";
import { seeOther } from "./layout.tsx";
import { type Choice, consentPage } from "./oauth/consent.tsx";
import { refusedPage, staleFormPage, waitingPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import { findVisitor, type Visitor } from "./visitor.ts";

export function authorizeRoutes(
	site: Site,
	documents: ClientDocuments,
	limiter: Limiter,
): readonly Route[] {
	return [
		{
			method: "GET",
			path: "/authorize",
			handler: (request) => {
				const wait = limiter.take(networkOf(site.clientAddress(request)));
				if (wait > 0) throw tooMany(wait);
				return ask(site, documents, request);
			},
		},
		{
			method: "POST",
			path: "/authorize",
			handler: (request) => decide(site, documents, request),
		},
	];
}

async function ask(
	site: Site,
	documents: ClientDocuments,
	request: Request,
): Promise<Response> {
	const query = new URL(request.url).search;
	const judged = await judgeAuthorization(site, documents, query);
	if (judged.outcome === "refused") return refusedPage(judged.error);
	if (judged.outcome === "waiting") return waitingPage(judged.client);
	if (judged.outcome === "redirect") return seeOther(judged.location);
	const visitor = findVisitor(site, request);
	if (!visitor)
		return seeOther(
			`/login?${new URLSearchParams({ next: `/authorize${query}` })}`,
		);
	return question(site, judged.request, query, visitor);
}

function question(
	site: Site,
	request: AuthorizationRequest,
	query: string,
	visitor: Visitor,
	problem?: string,
): Response {
	return consentPage({
		request,
		query,
		email: visitor.login.email,
		choice: choiceOf(request, site.listSlugs(visitor.login)),
		csrf: site.forms.issue(bindingOf(visitor), actionOf(query)),
		...(problem === undefined ? {} : { problem }),
	});
}

async function decide(
	site: Site,
	documents: ClientDocuments,
	request: Request,
): Promise<Response> {
	const visitor = findVisitor(site, request);
	if (!visitor || !isOwnPost(request, site.issuer)) return staleFormPage();
	const query = new URL(request.url).search;
	const form = await readForm(request);
	const csrf = form.get("csrf");
	if (
		csrf === null ||
		!site.forms.isValid(bindingOf(visitor), actionOf(query), csrf)
	)
		return staleFormPage();
	const decision = form.get("decision");
	if (decision !== "allow" && decision !== "deny")
		throw new OAuthError(
			"invalid_request",
			"the form says neither allow nor deny",
		);
	const judged = await judgeAuthorization(site, documents, query);
	if (judged.outcome === "refused") return refusedPage(judged.error);
	if (judged.outcome === "waiting") return waitingPage(judged.client);
	if (judged.outcome === "redirect") return seeOther(judged.location);
	const scope = scopeLeft(site, judged.request, visitor, form);
	if (decision === "allow" && scope === null)
		return question(
			site,
			judged.request,
			query,
			visitor,
			"Nothing is ticked, so there is nothing to allow.",
		);
	// One decision a page: a second click, or the page out of the history, makes no second grant.
	if (!site.forms.spend(csrf)) return staleFormPage();
	return seeOther(
		decision === "allow" && scope !== null
			? allow(site, { ...judged.request, scope }, visitor.login.userId)
			: deny(site, judged.request),
	);
}

/** What the person ticked of what was asked; null when that is nothing. */
function scopeLeft(
	site: Site,
	request: AuthorizationRequest,
	visitor: Visitor,
	form: Parameters,
): string | null {
	const { slugs, boxes } = choiceOf(request, site.listSlugs(visitor.login));
	if (boxes === "none") return request.scope;
	return chosenScope(request.scope, slugs, {
		slugs: new Set(slugs.filter((slug) => form.has(`server:${slug}`))),
		later: form.has("later"),
	});
}

function bindingOf(visitor: Visitor): string {
	return Buffer.from(visitor.hash).toString("base64url");
}

function actionOf(query: string): string {
	return `authorize ${query}`;
}

/** What there is to choose for a person: at a server's own endpoint nothing, at `/mcp` each of their servers. */
function choiceOf(
	{ resource, scope }: AuthorizationRequest,
	usable: readonly string[],
): Choice {
	const words = scope.split(" ");
	if (words.includes("mcp"))
		return { slugs: usable, boxes: "servers and later" };
	const slugs = usable.filter((slug) => words.includes(`mcp:${slug}`));
	return {
		slugs,
		boxes: new URL(resource).pathname === DEFAULT_PATH ? "servers" : "none",
	};
}
