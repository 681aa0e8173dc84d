/** `/api/doctor`: what is wrong, and what to do; for clients, where their attempts to connect stand. */
import { knownClientNamed } from "../ops/client-quirks.ts";
import { judgeAbsence } from "../ops/connection-doctor.ts";
import { type Diagnosis, listDiagnoses } from "../ops/diagnoses.ts";
import type { Finding } from "../ops/finding.ts";
import { type Answer, type Ask, isAdmin, type Route } from "./route.ts";

/** What is said when nothing of the client that was asked for ever arrived. */
export type AbsenceView = ReturnType<typeof judgeAbsence>;

export type ConnectionsView = {
	readonly connections: readonly Diagnosis[];
	/** Only beside no connection at all, and only when a client was asked for. */
	readonly absence?: AbsenceView;
};

/** What the doctor found, the worst first. */
export type ExaminationView = { readonly findings: readonly Finding[] };

/** Routes of the doctor. */
export const doctorRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/doctor", who: "admins", run: examination },
	{ method: "GET", path: "/api/doctor/bundle", who: "admins", run: bundle },
	{
		method: "GET",
		path: "/api/doctor/connections",
		who: "anyone",
		run: connections,
	},
];

async function examination({ deps }: Ask): Promise<Answer> {
	deps.timeline.flush();
	const view: ExaminationView = { findings: await deps.doctor.examine() };
	return { body: view };
}

async function bundle({ deps }: Ask): Promise<Answer> {
	deps.timeline.flush();
	return { body: { bundle: await deps.doctor.makeBundle() } };
}

/** Members see their own attempts; those of nobody in particular are for administrators. */
function connections({ deps, actor, query }: Ask): Answer {
	const client = query.get("client") ?? undefined;
	deps.timeline.flush();
	const found = listDiagnoses(deps.db, deps.clock.now(), {
		...(client === undefined ? {} : { client }),
		...(isAdmin(actor) ? {} : { userId: actor.userId ?? "" }),
	});
	const view: ConnectionsView = {
		connections: found,
		...(client === undefined || found.length > 0
			? {}
			: {
					absence: judgeAbsence(
						client,
						knownClientNamed(client),
						deps.publicUrl,
					),
				}),
	};
	return { body: view };
}
