/**
 * `/doctor`: how clients' attempts to connect went, and what to do about those that did not. `?client=` keeps to one.
 * A person sees attempts of their own; an administrator all, those of programs that never said who they are too.
 */
import { knownClientNamed } from "../ops/client-quirks.ts";
import { judgeAbsence } from "../ops/connection-doctor.ts";
import { listDiagnoses } from "../ops/diagnoses.ts";
import { may } from "../rights.ts";
import type { Route } from "../route.ts";
import { doctorPage, examinationPage } from "./dashboard/doctor.tsx";
import { seeOther } from "./layout.tsx";
import { missingPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import { findVisitor } from "./visitor.ts";

const NAME_LENGTH_MAX = 512;

export function doctorRoutes(site: Site): readonly Route[] {
	return [
		{
			method: "GET",
			path: "/doctor",
			handler: (request) => show(site, request),
		},
		{
			method: "GET",
			path: "/doctor/gateway",
			handler: (request) => examination(site, request),
		},
	];
}

function show(site: Site, request: Request): Response {
	const { search, searchParams } = new URL(request.url);
	const visitor = findVisitor(site, request);
	if (!visitor)
		return seeOther(
			`/login?${new URLSearchParams({ next: `/doctor${search}` })}`,
		);
	const client = (searchParams.get("client") ?? "").slice(0, NAME_LENGTH_MAX);
	const { role, userId } = visitor.login;
	site.flushTimeline();
	const diagnoses = listDiagnoses(site.db, site.clock.now(), {
		...(client === "" ? {} : { client }),
		...(may(role, "run the gateway") ? {} : { userId }),
	});
	return doctorPage({
		client,
		diagnoses,
		absence: judgeAbsence(client, knownClientNamed(client), site.issuer),
		canExamine: may(role, "run the gateway"),
	});
}

async function examination(site: Site, request: Request): Promise<Response> {
	const visitor = findVisitor(site, request);
	if (!visitor) return seeOther("/login?next=%2Fdoctor%2Fgateway");
	if (!may(visitor.login.role, "run the gateway"))
		return missingPage("Only who runs the gateway may examine it.");
	site.flushTimeline();
	return examinationPage(await site.examine());
}
