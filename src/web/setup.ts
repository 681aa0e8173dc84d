/**
 * The wizard: its first two steps, and the way to the next one. Which step that is follows from facts
 * (`ops/setup-steps.ts`), so any page can be opened again, from any browser.
 *
 * While the gateway has no owner, the setup link is what lets in; it is proved on the first page and kept in a cookie
 * until it is used up. From then on it is the owner's login, and for everyone else there is no `/setup`.
 */
import { SallyportError, sentence } from "../errors.ts";
import { createLimiter } from "../oauth/limits.ts";
import { claim, isClaimed, requireSetupLink } from "../ops/setup.ts";
import {
	decideSetup,
	nextSetupStep,
	readSetupFacts,
	type SetupStep,
} from "../ops/setup-steps.ts";
import type { Route } from "../route.ts";
import { boundForm, readBoundForm } from "./bound-form.ts";
import { admitForm, admitVisitor, type Sent } from "./guard.ts";
import { seeOther } from "./layout.tsx";
import { LINK_TRIES, type Limited, limitLinks } from "./links.ts";
import { missingPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import { kitPage, ownerPage } from "./setup/owner.tsx";
import type { Wrong } from "./setup/step.tsx";
import { welcomePage } from "./setup/welcome.tsx";
import { restoreRoutes } from "./setup-restore.ts";
import {
	dropSetupToken,
	findSetupToken,
	findVisitor,
	keepSetupToken,
	signIn,
	type Visitor,
} from "./visitor.ts";

const ACTION = "setup";
const KIT = "/setup/kit";
const KIT_ACTION = "setup kit";

/** The page of each step. */
const PAGE_OF: Readonly<Record<SetupStep, string>> = {
	welcome: "/setup",
	owner: KIT,
	address: "/setup/address",
	server: "/setup/server",
	client: "/setup/client",
	done: "/setup/done",
};

export function setupRoutes(site: Site): readonly Route[] {
	const limited = limitLinks(site, createLimiter(site.clock, LINK_TRIES));
	return [
		{
			method: "GET",
			path: "/setup",
			handler: (request) => limited(request, () => begin(site, request)),
		},
		{
			method: "POST",
			path: "/setup",
			handler: (request) => limited(request, () => prove(site, request)),
		},
		...claimRoutes(site, limited),
		...restoreRoutes(site, limited),
		{ method: "GET", path: KIT, handler: (request) => showKit(site, request) },
		{ method: "POST", path: KIT, handler: (request) => keepKit(site, request) },
		{
			method: "GET",
			path: "/setup/kit.txt",
			handler: (request) => giveKit(site, request),
		},
	];
}

function claimRoutes(site: Site, limited: Limited): readonly Route[] {
	return [
		{
			method: "GET",
			path: "/setup/owner",
			handler: (request) => limited(request, () => askOwner(site, request)),
		},
		{
			method: "POST",
			path: "/setup/owner",
			handler: (request) => limited(request, () => claimGateway(site, request)),
		},
	];
}

/**
 * The owner, to a page of the wizard; or the response to everyone else.
 * @param dangerous whether it wants a fresh proof of who they are
 */
export function admitOwner(
	site: Site,
	request: Request,
	path: string,
	dangerous = true,
): Visitor | Response {
	if (!isClaimed(site.db)) return seeOther("/setup");
	const visitor = admitVisitor(site, request, { path, dangerous });
	if (visitor instanceof Response || visitor.login.role === "owner")
		return visitor;
	return alreadyClaimed();
}

/** The owner's own form; or the response to any other. */
export async function admitOwnerForm(
	site: Site,
	request: Request,
	action: string,
	path: string,
	dangerous = true,
): Promise<Sent | Response> {
	const sent = await admitForm(site, request, action, { path, dangerous });
	if (sent instanceof Response || sent.visitor.login.role === "owner")
		return sent;
	return alreadyClaimed();
}

/** Whether this is the owner, and something is left to set up. */
export function isSettingUp(site: Site, { login }: Visitor): boolean {
	return (
		login.role === "owner" &&
		nextSetupStep(readSetupFacts({ db: site.db, ...site.desk })) !== null
	);
}

/** The first page, or for an owner the page of what is left to do. */
function begin(site: Site, request: Request): Response {
	if (!isClaimed(site.db)) return welcome(site, request);
	const visitor = findVisitor(site, request);
	if (visitor?.login.role !== "owner") return alreadyClaimed();
	const step = nextSetupStep(readSetupFacts({ db: site.db, ...site.desk }));
	return seeOther(step === null ? "/" : PAGE_OF[step]);
}

function welcome(
	site: Site,
	request: Request,
	problems: readonly Wrong[] = [],
	status = 200,
): Response {
	return welcomePage({
		...boundForm(site, request, ACTION),
		version: site.desk.version,
		isAccepted: findSetupToken(site, request) !== null,
		status,
		problems,
	});
}

/** Whoever holds the link may go on; it is not used up yet. */
async function prove(site: Site, request: Request): Promise<Response> {
	if (isClaimed(site.db)) return alreadyClaimed();
	const form = await readBoundForm(site, request, ACTION);
	if (form instanceof Response) return form;
	const token = form.get("token") ?? findSetupToken(site, request) ?? "";
	try {
		requireSetupLink(site, token);
	} catch (error) {
		if (!(error instanceof SallyportError) || error.code !== "not_found")
			throw error;
		const text = `${sentence(error.message)} On the machine, run: sudo sallyport setup-link`;
		return welcome(site, request, [{ field: "token", text }], 404);
	}
	const next =
		form.get("choice") === "restore" ? "/setup/restore" : "/setup/owner";
	return seeOther(next, keepSetupToken(site, token.trim()));
}

function askOwner(site: Site, request: Request): Response {
	if (isClaimed(site.db)) return begin(site, request);
	const token = findSetupToken(site, request);
	if (token === null) return seeOther("/setup");
	requireSetupLink(site, token);
	return owner(site, request);
}

function owner(
	site: Site,
	request: Request,
	email = "",
	problems: readonly Wrong[] = [],
): Response {
	return ownerPage({
		...boundForm(site, request, ACTION),
		email,
		problems,
		status: problems.length > 0 ? 400 : 200,
	});
}

/** The claim itself: the link is used up in the transaction that makes the owner, so a second one finds nothing. */
async function claimGateway(site: Site, request: Request): Promise<Response> {
	if (isClaimed(site.db)) return alreadyClaimed();
	const form = await readBoundForm(site, request, ACTION);
	if (form instanceof Response) return form;
	const token = findSetupToken(site, request) ?? "";
	const email = form.get("email") ?? "";
	const password = form.get("password") ?? "";
	try {
		const { id } = await claim(site, { token, email, password });
		return seeOther(KIT, [
			...signIn(site, request, id, "link"),
			dropSetupToken(site),
		]);
	} catch (error) {
		if (!(error instanceof SallyportError) || error.code !== "invalid")
			throw error;
		const field = error.message.includes("password") ? "password" : "email";
		return owner(site, request, email, [
			{ field, text: sentence(error.message) },
		]);
	}
}

function showKit(site: Site, request: Request): Response {
	const visitor = admitOwner(site, request, KIT);
	return visitor instanceof Response ? visitor : kit(site, visitor);
}

function kit(
	site: Site,
	visitor: Visitor,
	problems: readonly Wrong[] = [],
): Response {
	return kitPage({
		csrf: site.forms.issue(visitor.binding, KIT_ACTION),
		kit: isKitSaved(site) ? null : writeKit(site),
		problems,
	});
}

async function keepKit(site: Site, request: Request): Promise<Response> {
	const sent = await admitOwnerForm(site, request, KIT_ACTION, KIT);
	if (sent instanceof Response) return sent;
	if (!isKitSaved(site)) {
		if (!sent.form.has("saved"))
			return kit(site, sent.visitor, [
				{ field: "saved", text: "Save the kit, then tick the box." },
			]);
		decideSetup(site.db, "kit", site.clock.now());
	}
	const facts = readSetupFacts({ db: site.db, ...site.desk });
	return seeOther(facts.isFinished ? "/" : PAGE_OF.address);
}

function giveKit(site: Site, request: Request): Response {
	const visitor = admitOwner(site, request, KIT);
	if (visitor instanceof Response) return visitor;
	if (isKitSaved(site))
		return missingPage(
			"The recovery kit was saved. To print it again, run sallyport recovery-kit on the machine.",
		);
	return new Response(writeKit(site), {
		headers: {
			"Content-Type": "text/plain; charset=utf-8",
			"Content-Disposition":
				'attachment; filename="sallyport-recovery-kit.txt"',
			"Cache-Control": "no-store",
			"X-Content-Type-Options": "nosniff",
		},
	});
}

function writeKit(site: Site): string {
	return site.desk.backups.kit(site.desk.address.origin());
}

function isKitSaved(site: Site): boolean {
	return readSetupFacts({ db: site.db, ...site.desk }).isKitSaved;
}

function alreadyClaimed(): Response {
	return missingPage(
		"This gateway has an owner, and setting it up is theirs. If that is you, sign in first.",
	);
}
