/** `/api/setup-link` and `/api/version`: what the first day and a support question need. */
import * as z from "zod";
import { SallyportError } from "../errors.ts";
import { createSetupLink } from "../ops/setup-link.ts";
import { recordAudit } from "../store/audit.ts";
import { readBody } from "./body.ts";
import { type Answer, type Ask, actorName, type Route } from "./route.ts";

/** Routes of the gateway itself. */
export const setupRoutes: readonly Route[] = [
	{ method: "POST", path: "/api/setup-link", who: "admins", run: setupLink },
	{
		method: "GET",
		path: "/api/version",
		who: "anyone",
		run: ({ deps }) => ({ body: { version: deps.version } }),
	},
];

async function setupLink({ deps, actor, request }: Ask): Promise<Answer> {
	await readBody(request, z.strictObject({}));
	// Whoever opens the link becomes the owner, so only whoever is the machine's may ask for it.
	if (actor.via !== "socket")
		throw new SallyportError(
			"forbidden",
			"a setup link is made on the machine itself",
			{
				hint: "run there: sallyport setup-link",
			},
		);
	const link = await createSetupLink(deps, deps.approach);
	recordAudit(
		deps.db,
		{ actor: actorName(actor), action: "setup.link", object: "gateway" },
		deps.clock.now(),
	);
	return { status: 201, body: link };
}
