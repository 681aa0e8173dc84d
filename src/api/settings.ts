/** `/api/settings`: what the administrator chose for the whole gateway. So far: which clients may come by themselves. */
import * as z from "zod";
import {
	type ClientPolicy,
	changeClientPolicy,
	REGISTRATION_MODES,
	readClientPolicy,
} from "../oauth/policy.ts";
import { recordAudit } from "../store/audit.ts";
import { transaction } from "../store/database.ts";
import { readBody } from "./body.ts";
import { type Answer, type Ask, actorName, type Route } from "./route.ts";

/** The settings as the API shows them. */
export type SettingsView = { readonly clients: ClientPolicy };

const Change = z.strictObject({
	clients: z
		.strictObject({
			registration: z.enum(REGISTRATION_MODES).optional(),
			documents: z.boolean().optional(),
		})
		.optional(),
});

/** Routes of settings. */
export const settingRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/settings", who: "admins", run: show },
	{ method: "PUT", path: "/api/settings", who: "admins", run: change },
];

function show({ deps }: Ask): Answer {
	return { body: { clients: readClientPolicy(deps.db) } };
}

/** Changes what the body names and leaves the rest. */
async function change(ask: Ask): Promise<Answer> {
	const { deps, actor, request } = ask;
	const { clients = {} } = (await readBody(request, Change)).value;
	transaction(deps.db, () => {
		changeClientPolicy(deps.db, clients);
		recordAudit(
			deps.db,
			{
				actor: actorName(actor),
				action: "settings.change",
				object: "clients",
				detail: JSON.stringify(clients),
			},
			deps.clock.now(),
		);
	});
	return show(ask);
}
