/**
 * `/api/backups`: what there is, one more, and whether they make themselves. A backup holds everything, so its bytes
 * do not leave through here: whoever is on the machine takes the file.
 */
import * as z from "zod";
import { SallyportError } from "../errors.ts";
import { readBody } from "./body.ts";
import { type Answer, type Ask, actorName, type Route } from "./route.ts";

const NewBackup = z.strictObject({
	passphrase: z.string().max(1024, { error: "must be shorter" }).optional(),
});

const Change = z.strictObject({ schedule: z.enum(["nightly", "off"]) });

/** Routes of backups. */
export const backupRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/backups", who: "admins", run: list },
	{ method: "POST", path: "/api/backups", who: "admins", run: create },
	{ method: "PUT", path: "/api/backups/schedule", who: "admins", run: plan },
	{ method: "GET", path: "/api/recovery-kit", who: "admins", run: kit },
];

function list({ deps: { backups } }: Ask): Answer {
	return {
		body: {
			schedule: backups.schedule(),
			failure: backups.failure(),
			backups: backups.list(),
		},
	};
}

async function create({ deps, actor, request }: Ask): Promise<Answer> {
	const { passphrase = null } = (await readBody(request, NewBackup)).value;
	requireOwner(actor);
	const backup = await deps.backups.create(passphrase, actorName(actor));
	return { status: 201, body: { backup } };
}

async function plan(ask: Ask): Promise<Answer> {
	const { deps, actor, request } = ask;
	const { schedule } = (await readBody(request, Change)).value;
	deps.backups.setSchedule(schedule, actorName(actor));
	return list(ask);
}

/** It opens every backup, so only whoever is on the machine sees it, who could read the master key anyway. */
function kit({ deps, actor }: Ask): Answer {
	if (actor.via !== "socket")
		throw new SallyportError(
			"forbidden",
			"the recovery kit is printed on the machine itself",
			{ hint: "run there: sallyport recovery-kit" },
		);
	return { body: { kit: deps.backups.kit(deps.address.origin()) } };
}

/** Whoever chooses the passphrase of a backup could read all that is in it. */
function requireOwner(actor: Ask["actor"]): void {
	if (actor.role === "owner") return;
	throw new SallyportError("forbidden", "only the owner may make a backup", {
		hint: "ask whoever set this gateway up",
	});
}
