/**
 * The timeline: the steps by which clients come to their first call, as they happened. Names, outcomes and our own
 * words, never a credential, a code, a verifier or anything a client wrote but the name of its program.
 *
 * Rows are written in batches and bounded in number and age; those of nobody in particular have a bound of their own,
 * so that strangers at the door do not push out what is known of clients.
 */
import type { Clock } from "../clock.ts";
import { describeError } from "../errors.ts";
import type { Log } from "../log.ts";
import { createBatch } from "./batch.ts";
import { type Database, transaction } from "./database.ts";

/** The steps in the order in which a client takes them; `refresh` comes later, again and again. */
export const STEPS = [
	"challenge",
	"metadata",
	"registration",
	"document",
	"device",
	"authorize",
	"login",
	"consent",
	"code",
	"token",
	"mcp",
	"refresh",
] as const;
export type StepName = (typeof STEPS)[number];

/** One step of somebody's attempt. */
export type Step = {
	readonly step: StepName;
	/** `waiting`: the next move is a person's. */
	readonly outcome: "ok" | "waiting" | "refused";
	/** Why, or which: a short text of ours. */
	readonly detail?: string | undefined;
	readonly clientId?: string | null | undefined;
	readonly userId?: string | null | undefined;
	readonly grantId?: string | null | undefined;
};

/** Where a request came from. */
export type Origin = { readonly address: string; readonly agent: string };

/** A step as it is kept. */
export type RecordedStep = Origin & {
	readonly at: number;
	readonly step: StepName;
	readonly outcome: Step["outcome"];
	readonly detail: string | null;
	readonly clientId: string | null;
	readonly userId: string | null;
	readonly grantId: string | null;
};

export type TimelineRecorder = {
	readonly note: (origin: Origin, step: Step) => void;
	/** Whether a grant got its first tokens from this process and has not used them yet. */
	readonly isUnused: (grantId: string) => boolean;
	/** Whether a grant uses its first tokens now, for the first time. One look into a small set. */
	readonly isFirstUse: (grantId: string | null) => boolean;
	readonly flush: () => void;
	readonly close: () => void;
};

const STEPS_MAX = 20_000;
/** Of them, those of which the client is not known. */
const NAMELESS_STEPS_MAX = 5_000;
const TEXT_LENGTH_MAX = 200;
/** Grants that have a token and were not seen yet; the oldest are forgotten. */
const AWAITED_MAX = 1_000;

/** A recorder. A full disk never fails a request. */
export function createTimelineRecorder(deps: {
	readonly db: Database;
	readonly clock: Clock;
	readonly log?: Log;
}): TimelineRecorder {
	const awaited = new Set<string>();
	const batch = createBatch<RecordedStep>({
		write: (steps) => insertSteps(deps.db, steps),
		onFailure: (error, count) =>
			deps.log?.warn("steps not recorded", {
				reason: describeError(error),
				count,
			}),
	});
	return {
		note: (origin, step) => {
			const grantId = step.grantId ?? null;
			if (step.step === "token" && step.outcome === "ok" && grantId !== null) {
				awaited.add(grantId);
				for (const oldest of awaited) {
					if (awaited.size <= AWAITED_MAX) break;
					awaited.delete(oldest);
				}
			}
			if (step.step === "refresh" && grantId !== null) awaited.delete(grantId);
			batch.add({
				at: deps.clock.now(),
				step: step.step,
				outcome: step.outcome,
				detail: step.detail === undefined ? null : short(step.detail),
				clientId: step.clientId ?? null,
				userId: step.userId ?? null,
				grantId,
				address: short(origin.address),
				agent: short(origin.agent),
			});
		},
		isUnused: (grantId) => awaited.has(grantId),
		isFirstUse: (grantId) => grantId !== null && awaited.delete(grantId),
		flush: batch.flush,
		close: batch.close,
	};
}

/** One line, without control and direction characters: it ends up on pages and terminals. */
function short(text: string): string {
	return text
		.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ")
		.trim()
		.slice(0, TEXT_LENGTH_MAX);
}

function insertSteps(db: Database, steps: readonly RecordedStep[]): void {
	transaction(db, () => {
		const insert = db.query(
			`INSERT INTO timeline (at, step, outcome, detail, client_id, user_id, grant_id, address, agent)
			 VALUES ($at, $step, $outcome, $detail, $clientId, $userId, $grantId, $address, $agent)`,
		);
		for (const step of steps) insert.run(step);
		db.query(
			"DELETE FROM timeline WHERE id <= (SELECT max(id) FROM timeline) - ?",
		).run(STEPS_MAX);
		// Through the index, in which the nameless stand together.
		db.query(
			`DELETE FROM timeline WHERE client_id IS NULL AND id <= (
				SELECT id FROM timeline WHERE client_id IS NULL ORDER BY id DESC LIMIT 1 OFFSET ?)`,
		).run(NAMELESS_STEPS_MAX);
	});
}

/** The newest steps since an instant, oldest first. */
export function listSteps(
	db: Database,
	since: number,
	stepsMax: number,
): readonly RecordedStep[] {
	return db
		.query<RecordedStep, [number, number]>(
			`SELECT at, step, outcome, detail, client_id AS clientId, user_id AS userId, grant_id AS grantId, address, agent
			 FROM (SELECT * FROM timeline WHERE at >= +? ORDER BY id DESC LIMIT ? + 0) ORDER BY id`,
		)
		.all(since, stepsMax);
}

/** When the newest step was taken; null when there is none. */
export function newestStepAt(db: Database): number | null {
	return (
		db
			.query<{ at: number | null }, []>("SELECT max(at) AS at FROM timeline")
			.get()?.at ?? null
	);
}

/** Removes steps older than an instant. */
export function deleteOldSteps(db: Database, before: number): void {
	db.query("DELETE FROM timeline WHERE at < ?").run(before);
}
