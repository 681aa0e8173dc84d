/** What the store says of itself and of what people still have to do. It opens no secret. */
import { SallyportError } from "../errors.ts";
import { listClients } from "../store/clients.ts";
import { type Database, requireIntegrity } from "../store/database.ts";
import { countHeldChanges } from "../store/held-changes.ts";
import { listServers, mayUse } from "../store/servers.ts";
import { newestStepAt } from "../store/timeline.ts";
import { hasOwner, listUsers } from "../store/users.ts";
import { identityFor, missingSlots } from "../upstream/credentials.ts";
import { type Finding, ill, well } from "./finding.ts";
import { panicSince } from "./panic.ts";

/** A row from further ahead than this means that the clock has gone back. */
const AHEAD_SECONDS = 300;

/** What the rows say. */
export function judgeStore(db: Database, now: number): readonly Finding[] {
	return [
		judgeIntegrity(db),
		...judgeTime(db, now),
		judgeOwner(db),
		...judgePanic(db),
		judgeWaiting(db),
		...judgeHeld(db),
		...judgeSecrets(db),
	];
}

function judgeIntegrity(db: Database): Finding {
	try {
		requireIntegrity(db);
		return well("database", "every page of the database is as it should be");
	} catch (error) {
		if (!(error instanceof SallyportError)) throw error;
		return ill("error", "database", error.message, error.hint ?? null);
	}
}

function judgeTime(db: Database, now: number): readonly Finding[] {
	const newest = newestStepAt(db);
	return newest === null || newest <= now + AHEAD_SECONDS
		? []
		: [
				ill(
					"error",
					"clock-back",
					`the clock has gone back: the store knows of things that happen in ${Math.ceil((newest - now) / 60)} minutes`,
					"set the clock right; until then certificates and tokens may be judged wrongly",
				),
			];
}

function judgePanic(db: Database): readonly Finding[] {
	return panicSince(db) === null
		? []
		: [
				ill(
					"error",
					"panic",
					"every client is refused since an administrator stopped everything",
					"when it is safe: sallyport resume",
				),
			];
}

function judgeOwner(db: Database): Finding {
	return hasOwner(db)
		? well("owner", "the gateway has an owner")
		: ill(
				"notice",
				"owner",
				"the gateway has no owner yet",
				"sallyport setup-link",
			);
}

function judgeWaiting(db: Database): Finding {
	const waiting = listClients(db).filter(
		({ approvedAt }) => approvedAt === null,
	);
	const [first] = waiting;
	if (!first)
		return well("waiting-clients", "no client waits for an administrator");
	return ill(
		"notice",
		"waiting-clients",
		waiting.length === 1
			? "one client waits until an administrator lets it in"
			: `${waiting.length} clients wait until an administrator lets them in`,
		`look at it under Clients, or: sallyport clients approve ${first.id}`,
	);
}

/** What servers changed since it was approved. */
function judgeHeld(db: Database): readonly Finding[] {
	const counts = countHeldChanges(db);
	const held = listServers(db).filter(({ id }) => counts.has(id));
	if (held.length === 0)
		return [well("held", "every server's tools are as they were approved")];
	return held.map(({ id, slug }) =>
		ill(
			"warning",
			"held",
			`${slug} is not as it was approved: ${counts.get(id)} of its tools, prompts or instructions are hidden from clients`,
			`look: sallyport servers tools ${slug} --changes; then: sallyport servers accept ${slug}`,
		),
	);
}

function judgeSecrets(db: Database): readonly Finding[] {
	const people = listUsers(db).filter(({ disabledAt }) => disabledAt === null);
	const findings = listServers(db)
		.filter(({ enabled }) => enabled)
		.flatMap((server) => {
			const lacking = people
				.filter(({ id, role }) => mayUse(server, { userId: id, role }))
				.map(({ id }) => missingSlots(db, server, identityFor(server, id)))
				.filter(({ length }) => length > 0);
			const slots = [...new Set(lacking.flat())];
			if (slots.length === 0) return [];
			const isPersonal = server.slots.some(
				({ name, personal }) => personal && slots.includes(name),
			);
			return [
				isPersonal
					? ill(
							"notice",
							"secrets",
							`${lacking.length} of ${people.length} people have no ${slots.join(", ")} for ${server.slug} yet`,
							`each gives it once: sallyport secrets set ${server.slug} ${slots[0]} --user EMAIL`,
						)
					: ill(
							"warning",
							"secrets",
							`${server.slug} cannot work: it has no ${slots.join(", ")}`,
							`sallyport secrets set ${server.slug} ${slots[0]}`,
						),
			];
		});
	return findings.length > 0
		? findings
		: [well("secrets", "no server lacks a secret")];
}
