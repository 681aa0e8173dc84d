/**
 * What the connection doctor says of the clients of this gateway: reads the timeline and the clients' rows, and has
 * each attempt judged. Kept apart from the judging, which is pure.
 */
import { findClient } from "../store/clients.ts";
import type { Database } from "../store/database.ts";
import { isGrantUsed } from "../store/grants.ts";
import { listSteps, type RecordedStep } from "../store/timeline.ts";
import { knownClientOf } from "./client-quirks.ts";
import { judgeAttempt, type Verdict } from "./connection-doctor.ts";
import { type Attempt, attemptsOf, lastAt } from "./timeline.ts";

/** One attempt of one client, and what became of it. */
export type Diagnosis = {
	/** Null: it never said who it is. */
	readonly clientId: string | null;
	/** What we call it, when we know it; what it calls itself otherwise; or its program. */
	readonly name: string;
	/** What it calls itself; empty when it gives itself no name. */
	readonly callsItself: string;
	readonly startedAt: number;
	readonly endedAt: number;
	readonly verdict: Verdict;
	readonly steps: readonly RecordedStep[];
};

const DAYS_SHOWN = 30;
const STEPS_READ_MAX = 20_000;
const DIAGNOSES_MAX = 100;

/**
 * Diagnoses of the last 30 days, the newest first.
 * @param of.client only of clients of this id, or whose names or program have this in them
 * @param of.userId only attempts of this person
 */
export function listDiagnoses(
	db: Database,
	now: number,
	of: { readonly client?: string; readonly userId?: string } = {},
): readonly Diagnosis[] {
	const steps = listSteps(db, now - DAYS_SHOWN * 24 * 3600, STEPS_READ_MAX);
	return attemptsOf(steps)
		.filter(
			(attempt) =>
				of.userId === undefined ||
				attempt.steps.some(({ userId }) => userId === of.userId),
		)
		.map((attempt) => diagnose(db, attempt, now))
		.filter(
			(diagnosis) =>
				of.client === undefined || isNamed(diagnosis, of.client.toLowerCase()),
		)
		.slice(0, DIAGNOSES_MAX);
}

function diagnose(db: Database, attempt: Attempt, now: number): Diagnosis {
	const { clientId, steps } = attempt;
	const client = clientId === null ? null : findClient(db, clientId);
	const agents = [...new Set(steps.map(({ agent }) => agent))];
	const known = knownClientOf({
		id: clientId,
		name: client?.name ?? "",
		redirectUris: client?.redirectUris ?? [],
		agents: ownAgents(steps),
	});
	return {
		clientId,
		name:
			known?.name ?? (client?.name || agents[0] || "a program without a name"),
		callsItself: client?.name ?? "",
		startedAt: steps[0]?.at ?? now,
		endedAt: lastAt(attempt),
		verdict: judgeAttempt(attempt, known, now, (id) => isGrantUsed(db, id)),
		steps,
	};
}

/** The names of the client's own programs: the pages are opened by a browser. */
function ownAgents(steps: readonly RecordedStep[]): readonly string[] {
	const byBrowser = ["document", "authorize", "login", "consent", "code"];
	return steps
		.filter(({ step }) => !byBrowser.includes(step))
		.map(({ agent }) => agent);
}

function isNamed(
	{ clientId, name, callsItself, steps }: Diagnosis,
	word: string,
): boolean {
	return (
		clientId?.toLowerCase() === word ||
		[name, callsItself, ...ownAgents(steps)].some((text) =>
			text.toLowerCase().includes(word),
		)
	);
}
