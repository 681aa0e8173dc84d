/**
 * Signing in, linking an account and proving who one is with the OpenID provider: each sends the browser there and
 * comes back to one callback. What a browser goes for is bound to it and to whoever is signed in, so that an answer
 * meant for another browser is worth nothing here. A link is asked for on a page of ours when it comes back.
 */

import { SallyportError } from "../errors.ts";
import { createLimiter, networkOf } from "../oauth/limits.ts";
import { tooMany } from "../oauth/oauth-error.ts";
import {
	type Arrived,
	linkIdentity,
	requireLinkable,
	unlinkIdentities,
	userOfIdentity,
} from "../ops/identities.ts";
import type { Arrival } from "../people/provider.ts";
import type { Route } from "../route.ts";
import {
	findIdentity,
	type IdentityProvider,
	type VisitPurpose,
} from "../store/identities.ts";
import { linkAccountPage } from "./account/link.tsx";
import { safeNext } from "./forms.ts";
import { admitForm, admitVisitor } from "./guard.ts";
import { seeOther } from "./layout.tsx";
import { missingPage, staleFormPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import { admit } from "./second-factor.ts";
import { findVisitor, formBinding, renew, type Visitor } from "./visitor.ts";

const CALLBACK = "/login/provider/callback";
const LINK = { path: "/account/link", dangerous: true } as const;
/** How often one address may set out. */
const VISITS = { count: 20, seconds: 60 } as const;
/** How long the page that asks whether to link may stay open. */
const OFFER_SECONDS = 10 * 60;

export function providerRoutes(site: Site): readonly Route[] {
	const limiter = createLimiter(site.clock, VISITS);
	const go = (
		request: Request,
		purpose: VisitPurpose,
		visitor: Visitor | null,
		next: string,
	): Promise<Response> => {
		const wait = limiter.take(networkOf(site.clientAddress(request)));
		if (wait > 0) throw tooMany(wait);
		return sendAway(site, request, purpose, visitor, next);
	};
	const nextOf = (request: Request): string =>
		safeNext(new URL(request.url).searchParams.get("next"), site.issuer);
	return [
		{
			method: "GET",
			path: "/login/provider",
			handler: (request) => go(request, "sign in", null, nextOf(request)),
		},
		{
			method: "GET",
			path: "/reauthenticate/provider",
			handler: (request) => {
				const next = nextOf(request);
				const visitor = findVisitor(site, request);
				return visitor
					? go(request, "prove", visitor, next)
					: seeOther(`/login?${new URLSearchParams({ next })}`);
			},
		},
		{
			method: "GET",
			path: LINK.path,
			handler: (request) => {
				const visitor = admitVisitor(site, request, LINK);
				return visitor instanceof Response
					? visitor
					: go(request, "link", visitor, "/account");
			},
		},
		{
			method: "POST",
			path: LINK.path,
			handler: (request) => link(site, request),
		},
		{
			method: "POST",
			path: "/account/unlink",
			handler: (request) => unlink(site, request),
		},
		{
			method: "GET",
			path: CALLBACK,
			handler: (request) => receive(site, request),
		},
	];
}

async function sendAway(
	site: Site,
	request: Request,
	purpose: VisitPurpose,
	visitor: Visitor | null,
	next: string,
): Promise<Response> {
	const { binding, cookie } = formBinding(site, request);
	const location = await site.provider.begin({
		purpose,
		next,
		binding: bindingFor(binding, visitor),
		redirectUri: site.issuer + CALLBACK,
	});
	return seeOther(location, cookie);
}

/** A sign-in is this browser's; the others are also of the person who is signed in. */
function bindingFor(binding: string, visitor: Visitor | null): string {
	return `${binding}/${visitor?.login.userId ?? ""}`;
}

async function receive(site: Site, request: Request): Promise<Response> {
	const provider = site.provider.find();
	if (!provider) return missingPage("There is no other way to sign in here.");
	const visitor = findVisitor(site, request);
	const { binding } = formBinding(site, request);
	const arrival = await site.provider.finish(
		new URL(request.url),
		bindingFor(binding, visitor),
		site.issuer + CALLBACK,
	);
	switch (arrival.purpose) {
		case "sign in": {
			const user = userOfIdentity(site, provider, arrival);
			return admit(site, request, user.id, "provider", arrival.next);
		}
		case "link":
			return askToLink(site, provider, visitor, arrival);
		case "prove":
			return prove(site, visitor, arrival);
	}
}

/** Nothing is linked before the person says so on a page of ours. */
function askToLink(
	site: Site,
	provider: IdentityProvider,
	visitor: Visitor | null,
	arrival: Arrival,
): Response {
	if (!visitor) return staleFormPage();
	requireLinkable(provider, visitor.login, arrival);
	const { issuer, subject, email } = arrival;
	const expiresAt = site.clock.now() + OFFER_SECONDS;
	return linkAccountPage({
		issuer,
		email: email ?? "",
		offer: site.vault.sealHandle(
			purposeOf(visitor),
			JSON.stringify({ issuer, subject, email, expiresAt }),
		),
		csrf: site.forms.issue(visitor.binding, LINK.path),
	});
}

async function link(site: Site, request: Request): Promise<Response> {
	const sent = await admitForm(site, request, LINK.path, LINK);
	if (sent instanceof Response) return sent;
	const { visitor, form } = sent;
	const provider = site.provider.find();
	const text = site.vault.openHandle(
		purposeOf(visitor),
		form.get("offer") ?? "",
	);
	const offer =
		text === null
			? null
			: (JSON.parse(text) as Arrived & { readonly expiresAt: number });
	if (!provider || !offer || offer.expiresAt <= site.clock.now())
		return staleFormPage();
	linkIdentity(site, visitor.login.userId, offer);
	return seeOther("/account");
}

async function unlink(site: Site, request: Request): Promise<Response> {
	const sent = await admitForm(site, request, "account", {
		path: "/account",
		dangerous: true,
	});
	if (sent instanceof Response) return sent;
	unlinkIdentities(site, sent.visitor.login.userId);
	return seeOther("/account");
}

function prove(
	site: Site,
	visitor: Visitor | null,
	{ issuer, subject, next }: Arrival,
): Response {
	const identity = findIdentity(site.db, issuer, subject);
	if (!visitor || identity?.userId !== visitor.login.userId)
		throw new SallyportError("forbidden", "this is not your linked account", {
			hint: "use the one that your account here is linked with",
		});
	return seeOther(next, renew(site, visitor));
}

function purposeOf({ login }: Visitor): string {
	return `link offer/${login.userId}`;
}
