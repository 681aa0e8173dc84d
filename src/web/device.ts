/**
 * `/device`: a person types the code that a device shows, sees who asks and from where, and decides. The code is never
 * taken from a link. GET shows the field; POST with a code asks, POST with a decision decides.
 */
import { USER_CODE_TRIES, userCodeHash } from "../oauth/device.ts";
import { createLimiter, type Limiter, networkOf } from "../oauth/limits.ts";
import { tooMany } from "../oauth/oauth-error.ts";
import { readForm } from "../oauth/parameters.ts";
import { readClientPolicy } from "../oauth/policy.ts";
import type { Route } from "../route.ts";
import { findClient } from "../store/clients.ts";
import {
	type DeviceRequest,
	decideDeviceRequest,
	findDeviceRequest,
} from "../store/device-codes.ts";
import { choiceOf, scopeLeft } from "./authorize.ts";
import { isOwnPost } from "./forms.ts";
import { seeOther } from "./layout.tsx";
import {
	deviceCodePage,
	deviceConsentPage,
	deviceDonePage,
} from "./oauth/device.tsx";
import { missingPage, staleFormPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import { findVisitor, type Visitor } from "./visitor.ts";

const TYPE_ACTION = "device";
/** More than a person types: with or without hyphens and blanks. */
const TYPED_LENGTH_MAX = 32;

/** Codes typed so far. */
type Tries = { readonly person: Limiter; readonly address: Limiter };

export function deviceRoutes(site: Site): readonly Route[] {
	const tries: Tries = {
		person: createLimiter(site.clock, USER_CODE_TRIES.person),
		address: createLimiter(site.clock, USER_CODE_TRIES.address),
	};
	return [
		{
			method: "GET",
			path: "/device",
			handler: (request) => ask(site, request),
		},
		{
			method: "POST",
			path: "/device",
			handler: (request) => answer(site, tries, request),
		},
	];
}

function ask(site: Site, request: Request): Response {
	if (!readClientPolicy(site.db).device)
		return missingPage("Devices cannot sign in here: that is switched off.");
	const visitor = findVisitor(site, request);
	if (!visitor) return seeOther("/login?next=%2Fdevice");
	return typing(site, visitor);
}

function typing(site: Site, visitor: Visitor, problem?: string): Response {
	return deviceCodePage({
		csrf: site.forms.issue(visitor.binding, TYPE_ACTION),
		...(problem === undefined ? {} : { problem }),
	});
}

async function answer(
	site: Site,
	tries: Tries,
	request: Request,
): Promise<Response> {
	const visitor = findVisitor(site, request);
	if (
		!visitor ||
		!isOwnPost(request, site.issuer) ||
		!readClientPolicy(site.db).device
	)
		return staleFormPage();
	const form = await readForm(request);
	const typed = (form.get("user_code") ?? "").slice(0, TYPED_LENGTH_MAX);
	const deciding = form.has("decision");
	const action = deciding ? decideAction(typed) : TYPE_ACTION;
	const csrf = form.get("csrf");
	if (csrf === null || !site.forms.isValid(visitor.binding, action, csrf))
		return staleFormPage();
	if (!deciding) countTry(site, tries, request, visitor);
	const hash = userCodeHash(site, typed);
	const found = findDeviceRequest(site.db, hash, site.clock.now());
	if (!found)
		return typing(
			site,
			visitor,
			"There is no such code, or it is too old. Type it again as the device shows it, or start again there.",
		);
	const { userId } = visitor.login;
	const step = { clientId: found.clientId, userId } as const;
	if (!deciding) {
		site.note(request, { ...step, step: "login", outcome: "ok" });
		site.note(request, { ...step, step: "consent", outcome: "waiting" });
		return question(site, visitor, found, typed, request);
	}
	const allowed = form.get("decision") === "allow";
	const scope = allowed ? scopeLeft(site, found, visitor, form) : null;
	if (allowed && scope === null)
		return question(
			site,
			visitor,
			found,
			typed,
			request,
			"Nothing is ticked, so there is nothing to allow.",
		);
	if (!site.forms.spend(csrf)) return staleFormPage();
	decideDeviceRequest(
		site.db,
		hash,
		scope === null
			? { allowed: false, userId }
			: { allowed: true, userId, scope },
		site.clock.now(),
	);
	site.note(request, {
		...step,
		step: "consent",
		outcome: scope === null ? "refused" : "ok",
	});
	return deviceDonePage(scope !== null);
}

/** Counted before the code is looked at, right or wrong. @throws OAuthError 429 */
function countTry(
	site: Site,
	tries: Tries,
	request: Request,
	visitor: Visitor,
): void {
	const wait = Math.max(
		tries.person.take(visitor.login.userId),
		tries.address.take(networkOf(site.clientAddress(request))),
	);
	if (wait > 0) throw tooMany(wait);
}

function question(
	site: Site,
	visitor: Visitor,
	found: DeviceRequest,
	typed: string,
	request: Request,
	problem?: string,
): Response {
	const client = findClient(site.db, found.clientId);
	if (!client) return staleFormPage();
	return deviceConsentPage({
		client,
		request: found,
		typed,
		here: site.clientAddress(request),
		ageSeconds: site.clock.now() - found.createdAt,
		email: visitor.login.email,
		choice: choiceOf(site, found, visitor),
		csrf: site.forms.issue(visitor.binding, decideAction(typed)),
		...(problem === undefined ? {} : { problem }),
	});
}

function decideAction(typed: string): string {
	return `device ${typed}`;
}
