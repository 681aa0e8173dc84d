/**
 * `/authorize` in a browser: the request is judged, the person signs in, is asked, and is sent on.
 * GET asks; POST to the same query string decides. Between the two nothing is kept: the request is judged again.
 */

import {
	type AuthorizationRequest,
	judgeAuthorization,
} from "../oauth/authorize.ts";
import {
	type DocumentFinding,
	isDocumentUrl,
} from "../oauth/client-documents.ts";
import { allow, chosenScope, deny, isRemembered } from "../oauth/consent.ts";
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
	limiter: Limiter,
): readonly Route[] {
	return [
		{
			method: "GET",
			path: "/authorize",
			handler: (request) => {
				const wait = limiter.take(networkOf(site.clientAddress(request)));
				if (wait > 0) throw tooMany(wait);
				return ask(site, request);
			},
		},
		{
			method: "POST",
			path: "/authorize",
			handler: (request) => decide(site, request),
		},
	];
}

async function ask(site: Site, request: Request): Promise<Response> {
	const query = new URL(request.url).search;
	const judged = await judge(site, request, query);
	if (judged instanceof Response) return judged;
	const clientId = judged.request.client.id;
	const visitor = findVisitor(site, request);
	site.note(request, { step: "authorize", outcome: "ok", clientId });
	if (!visitor) {
		site.note(request, { step: "login", outcome: "waiting", clientId });
		return seeOther(
			`/login?${new URLSearchParams({ next: `/authorize${query}` })}`,
		);
	}
	const { userId } = visitor.login;
	site.note(request, { step: "login", outcome: "ok", clientId, userId });
	const from = request.headers.get("Sec-Fetch-Site");
	if (isRemembered(site, judged.request, userId, from))
		return grant(site, request, judged.request, userId);
	site.note(request, { step: "consent", outcome: "waiting", clientId, userId });
	return question(site, judged.request, query, visitor);
}

/** Gives what was allowed, and sends the browser on with it. */
function grant(
	site: Site,
	request: Request,
	allowed: AuthorizationRequest,
	userId: string,
): Response {
	const location = allow(site, allowed, userId);
	const step = { clientId: allowed.client.id, userId, outcome: "ok" } as const;
	site.note(request, { ...step, step: "consent" });
	site.note(request, { ...step, step: "code" });
	return seeOther(location);
}

/** The request, judged; or the page or redirect that ends it, put on the timeline. */
async function judge(
	site: Site,
	request: Request,
	query: string,
): Promise<{ readonly request: AuthorizationRequest } | Response> {
	const judged = await judgeAuthorization(
		{
			...site,
			documents: {
				find: (url) =>
					site.documents.find(url, noteDocument(site, request, url)),
			},
		},
		query,
	);
	if (judged.outcome === "ready") return judged;
	const step = { step: "authorize", clientId: judged.client?.id } as const;
	if (judged.outcome === "waiting") {
		site.note(request, { ...step, outcome: "waiting" });
		return waitingPage(judged.client);
	}
	const detail = judged.error.reason;
	site.note(request, { ...step, outcome: "refused", detail });
	return judged.outcome === "redirect"
		? seeOther(judged.location)
		: refusedPage(judged.error);
}

function noteDocument(
	site: Site,
	request: Request,
	url: string,
): (finding: DocumentFinding) => void {
	return (finding) =>
		site.note(request, {
			step: "document",
			outcome: finding.how === "refused" ? "refused" : "ok",
			detail:
				finding.how === "read"
					? undefined
					: finding.how === "bundled"
						? `bundled copy, because: ${finding.reason}`
						: finding.reason,
			// Anybody can name any URL: only one that could be a client's is taken for one.
			clientId: isDocumentUrl(url) ? url : null,
		});
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
		choice: choiceOf(site, request, visitor),
		csrf: site.forms.issue(visitor.binding, actionOf(query)),
		...(problem === undefined ? {} : { problem }),
	});
}

async function decide(site: Site, request: Request): Promise<Response> {
	const visitor = findVisitor(site, request);
	if (!visitor || !isOwnPost(request, site.issuer)) return staleFormPage();
	const query = new URL(request.url).search;
	const form = await readForm(request);
	const csrf = form.get("csrf");
	if (
		csrf === null ||
		!site.forms.isValid(visitor.binding, actionOf(query), csrf)
	)
		return staleFormPage();
	const decision = form.get("decision");
	if (decision !== "allow" && decision !== "deny")
		throw new OAuthError(
			"invalid_request",
			"the form says neither allow nor deny",
		);
	const judged = await judge(site, request, query);
	if (judged instanceof Response) return judged;
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
	const { userId } = visitor.login;
	if (decision === "deny" || scope === null) {
		const clientId = judged.request.client.id;
		site.note(request, {
			step: "consent",
			outcome: "refused",
			clientId,
			userId,
		});
		return seeOther(deny(site, judged.request));
	}
	return grant(site, request, { ...judged.request, scope }, userId);
}

/** What is asked for, whoever asks. */
type Asked = Pick<AuthorizationRequest, "resource" | "scope">;

/** What the person ticked of what was asked; null when that is nothing. */
export function scopeLeft(
	site: Site,
	request: Asked,
	visitor: Visitor,
	form: Parameters,
): string | null {
	const { slugs, boxes } = choiceOf(site, request, visitor);
	if (boxes === "none") return request.scope;
	return chosenScope(request.scope, slugs, {
		slugs: new Set(slugs.filter((slug) => form.has(`server:${slug}`))),
		later: form.has("later"),
	});
}

function actionOf(query: string): string {
	return `authorize ${query}`;
}

/**
 * What there is to choose for a person: at `/mcp` each of their servers; at a server's own endpoint, or a toolset's,
 * nothing.
 */
export function choiceOf(
	site: Site,
	{ resource, scope }: Asked,
	{ login }: Visitor,
): Choice {
	const usable = site.listSlugs(login);
	const words = scope.split(" ");
	const path = new URL(resource).pathname;
	const { toolsOf } = site;
	if (words.includes("mcp"))
		return {
			slugs: usable,
			toolsOf,
			toolset: null,
			boxes: "servers and later",
		};
	return {
		toolsOf,
		slugs: usable.filter((slug) => words.includes(`mcp:${slug}`)),
		toolset:
			path === DEFAULT_PATH
				? null
				: site.findToolset(path.slice(DEFAULT_PATH.length + 1), login),
		boxes: path === DEFAULT_PATH ? "servers" : "none",
	};
}
