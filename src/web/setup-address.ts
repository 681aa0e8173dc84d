/**
 * Step 3 of the wizard: the name is looked up, proved at a staging directory and given a certificate, and then the
 * gateway moves there. The work goes on while nobody looks, and its page can be opened again.
 */
import { SallyportError, sentence } from "../errors.ts";
import { readForm } from "../oauth/parameters.ts";
import { checkName, isReady } from "../ops/name-checks.ts";
import { FORMER_URL } from "../ops/restore.ts";
import { decideSetup, isReachedByName } from "../ops/setup-steps.ts";
import { findPublicAddress } from "../ops/whereabouts.ts";
import type { Report } from "../ops/work.ts";
import type { Route } from "../route.ts";
import { findSetting } from "../store/instance.ts";
import { findUser } from "../store/users.ts";
import type { CertificateFailure } from "../tls/certificates.ts";
import { showDate } from "./dates.ts";
import { seeOther } from "./layout.tsx";
import { staleFormPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import {
	addressPage,
	addressWorkPage,
	type Whereabouts,
} from "./setup/address.tsx";
import type { Wrong } from "./setup/step.tsx";
import { admitOwner, admitOwnerForm } from "./setup.ts";
import { signIn, type Visitor } from "./visitor.ts";

const PATH = "/setup/address";
const CHECK = "/setup/address/check";
const WORK = "address";
const ACTION = "setup address";

export function addressRoutes(site: Site): readonly Route[] {
	return [
		{ method: "GET", path: PATH, handler: (request) => ask(site, request) },
		{ method: "POST", path: PATH, handler: (request) => choose(site, request) },
		{
			method: "GET",
			path: CHECK,
			handler: (request) => {
				return follow(site, request);
			},
		},
		{
			method: "POST",
			path: "/setup/arrive",
			handler: (request) => arrive(site, request),
		},
	];
}

function ask(site: Site, request: Request): Response {
	const visitor = admitOwner(site, request, PATH);
	return visitor instanceof Response ? visitor : show(site, visitor, null);
}

function show(
	site: Site,
	visitor: Visitor,
	typed: string | null,
	problems: readonly Wrong[] = [],
): Response {
	return addressPage({
		csrf: site.forms.issue(visitor.binding, ACTION),
		whereabouts: whereaboutsOf(site),
		name: typed ?? proposedName(site),
		problems,
	});
}

/** The name it had on another machine, if it was restored from there. */
function proposedName(site: Site): string {
	const former = findSetting(site.db, FORMER_URL);
	return former === null ? "" : new URL(former).host;
}

function whereaboutsOf(site: Site): Whereabouts {
	const { address, certificates, addresses } = site.desk;
	const origin = address.origin();
	const host = hostOf(origin);
	const shown = certificates.list();
	return {
		origin,
		security:
			address.security === "own" && certificates.source === "files"
				? "files"
				: address.security,
		fixedBy: address.fixedBy,
		certificate:
			shown.find(({ names }) => names.includes(host)) ?? shown[0] ?? null,
		isSettled: isReachedByName(site.desk),
		publicAddress: findPublicAddress(addresses),
	};
}

async function choose(site: Site, request: Request): Promise<Response> {
	const sent = await admitOwnerForm(site, request, ACTION, PATH);
	if (sent instanceof Response) return sent;
	const { visitor, form } = sent;
	const action = form.get("action");
	const typed = form.get("name") ?? "";
	if (action === "skip" || action === "continue") {
		decideSetup(site.db, "address", site.clock.now());
		return seeOther("/setup/server");
	}
	const name =
		action === "address" ? findPublicAddress(site.desk.addresses) : typed;
	const target = name === null ? null : originOf(name);
	if (target === null)
		return show(site, visitor, typed, [
			{
				field: "name",
				text: "A name looks like gate.example.org.",
			},
		]);
	begin(site, visitor, target, action === "force");
	return seeOther(`${CHECK}?${new URLSearchParams({ target })}`);
}

/** `gate.example.org` or `https://gate.example.org:8443/` → its origin; null for anything else. */
function originOf(typed: string): string | null {
	// A name may be written with the dot of the root at its end.
	const text = typed.trim().replace(/\.(?=(?::\d+)?\/?$)/, "");
	const written = /^https:\/\//i.test(text)
		? text
		: `https://${text.includes(":") && !text.includes(".") ? `[${text}]` : text}`;
	const url = URL.parse(written);
	const isPlain =
		url !== null &&
		url.protocol === "https:" &&
		url.pathname === "/" &&
		url.search === "" &&
		url.hash === "" &&
		url.username === "";
	// A bare word is no name that a CA or the internet knows.
	return isPlain && /[.:]/.test(url.hostname) ? url.origin : null;
}

function begin(
	site: Site,
	visitor: Visitor,
	target: string,
	isForced: boolean,
): void {
	site.desk.works.start(WORK, (report) =>
		move(site, visitor.login.userId, target, isForced, report),
	);
}

async function move(
	site: Site,
	userId: string,
	target: string,
	isForced: boolean,
	report: Report,
): Promise<boolean> {
	const { address } = site.desk;
	const host = hostOf(target);
	if (!(await lookUp(site, host, report)) && !isForced) return false;
	if (address.orders !== null && !(await obtain(site, host, report)))
		return false;
	report("now", `Moving to ${target}`);
	address.move(target, userId);
	decideSetup(site.db, "address", site.clock.now());
	report("done", `The gateway is at ${target} now.`);
	return true;
}

/** What the name servers say, each record with what to do. @returns whether an order is worth its while */
async function lookUp(
	site: Site,
	host: string,
	report: Report,
): Promise<boolean> {
	const { dns, addresses, address } = site.desk;
	// An address is where it is, and a proxy is where it wants to be.
	if (isAddress(host) || address.orders === null) return true;
	report("now", `Looking up ${host}`);
	try {
		const checks = checkName(
			host,
			await dns.lookup(host),
			addresses(),
			address.orders.caaIdentity,
		);
		for (const { record, verdict, text, remedy, line } of checks)
			report(
				verdict === "bad" ? "bad" : verdict === "good" ? "done" : "note",
				`${record}: ${text}.`,
				{
					remedy: remedy === null ? undefined : sentence(remedy),
					copy: line ?? undefined,
				},
			);
		return isReady(checks);
	} catch (error) {
		if (!(error instanceof SallyportError)) throw error;
		report("bad", sentence(error.message), {
			remedy: error.hint === undefined ? undefined : sentence(error.hint),
		});
		return false;
	}
}

/** Proves at staging that port 80 is reached from outside, and orders. */
async function obtain(
	site: Site,
	host: string,
	report: Report,
): Promise<boolean> {
	const { orders } = site.desk.address;
	if (orders === null) return true;
	if (orders.hasStaging) {
		report(
			"now",
			"Asking the CA to look at this machine from outside, on port 80 (a rehearsal)",
		);
		const failure = await orders.rehearse(host);
		if (failure !== null) return refuse(failure, report);
		report("done", "Port 80: the CA found this machine.");
	}
	report("now", "Ordering the certificate");
	const failure = await orders.obtain(host);
	if (failure !== null) return refuse(failure, report);
	const issued = site.desk.certificates
		.list()
		.find(({ names }) => names.includes(host));
	report(
		"done",
		issued === undefined
			? "Certificate: issued."
			: `Certificate: issued by ${issued.issuer}, good until ${showDate(issued.notAfter)}; it renews itself.`,
	);
	return true;
}

function refuse(failure: CertificateFailure, report: Report): false {
	report("bad", `The CA said: ${failure.detail}`, {
		remedy: sentence(failure.remedy),
	});
	return false;
}

function follow(site: Site, request: Request): Response {
	const visitor = admitOwner(site, request, PATH);
	if (visitor instanceof Response) return visitor;
	const target = originOf(
		new URL(request.url).searchParams.get("target") ?? "",
	);
	const work = site.desk.works.find(WORK);
	// It died with the process, or never was: what is left to do follows from the facts.
	if (work === null || target === null) return seeOther(PATH);
	return addressWorkPage({
		work,
		csrf: site.forms.issue(visitor.binding, ACTION),
		name: new URL(target).host,
		target,
		isHere: hereOf(request) === new URL(target).host,
		issueArrival: () => site.desk.arrivals.issue(visitor.login.userId),
	});
}

function hereOf(request: Request): string {
	return request.headers.get("host")?.toLowerCase() ?? "";
}

/**
 * A browser that comes from the former origin. The form is another origin's, so its token is all that counts; it is
 * good once, for whom it was issued.
 */
async function arrive(site: Site, request: Request): Promise<Response> {
	const form = await readForm(request);
	const userId = site.desk.arrivals.redeem(form.get("arrival") ?? "");
	const user = userId === null ? null : findUser(site.db, userId);
	if (!user) return staleFormPage();
	return seeOther("/setup", signIn(site, request, user.id, "link"));
}

function hostOf(origin: string): string {
	return new URL(origin).hostname.replace(/^\[|\]$/g, "");
}

function isAddress(host: string): boolean {
	return host.includes(":") || /^[\d.]+$/.test(host);
}
