/** `/api/panic` and `/api/resume`: the red button and its release. API keys are refused in between, so no key resumes. */
import { stopEverything } from "../ops/panic.ts";
import { type Answer, type Ask, actorName, type Route } from "./route.ts";

/** Routes of the red button. */
export const panicRoutes: readonly Route[] = [
	{ method: "POST", path: "/api/panic", who: "admins", run: panic },
	{ method: "POST", path: "/api/resume", who: "admins", run: resume },
];

async function panic({ deps, actor }: Ask): Promise<Answer> {
	const stopped = await stopEverything(
		{ ...deps, invalidate: deps.credentialsChanged },
		actorName(actor),
	);
	return { body: stopped };
}

function resume({ deps, actor }: Ask): Answer {
	deps.panic.end(actorName(actor));
	return { body: {} };
}
