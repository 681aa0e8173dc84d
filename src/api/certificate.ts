/** `/api/certificate`: what clients are shown, until when, and why it was not renewed. */
import * as z from "zod";
import { recordAudit } from "../store/audit.ts";
import { readBody } from "./body.ts";
import { type Answer, type Ask, actorName, type Route } from "./route.ts";

/** Routes of the gateway's own certificates. */
export const certificateRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/certificate", who: "admins", run: show },
	{ method: "POST", path: "/api/certificate/renew", who: "admins", run: renew },
];

function show({ deps: { certificates } }: Ask): Answer {
	return {
		body: { tls: certificates.source, certificates: certificates.list() },
	};
}

/** Asks the CA now, whatever the plan says; its refusal is the answer. */
async function renew(ask: Ask): Promise<Answer> {
	const { deps, actor, request } = ask;
	await readBody(request, z.strictObject({}));
	recordAudit(
		deps.db,
		{
			actor: actorName(actor),
			action: "certificate.renew",
			object: "gateway",
		},
		deps.clock.now(),
	);
	await deps.certificates.renew();
	return show(ask);
}
