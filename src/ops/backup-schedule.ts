/**
 * Backups that make themselves: one a night, the newest seven kept. They need nobody's passphrase, because the
 * recovery code opens them: it is in the kit that the owner saved. A failure is kept until the next success, for the
 * overview to show.
 */
import type { Clock } from "../clock.ts";
import { describeError, SallyportError } from "../errors.ts";
import type { Log } from "../log.ts";
import { recordAudit } from "../store/audit.ts";
import type { Database } from "../store/database.ts";
import {
	clearSetting,
	findSetting,
	requireInstanceId,
	setSetting,
} from "../store/instance.ts";
import {
	type BackupPlace,
	type BackupView,
	createBackup,
	listBackups,
	pruneBackups,
} from "./backup.ts";
import { writeRecoveryKit } from "./recovery-kit.ts";

export type Schedule = "nightly" | "off";

export type BackupFailure = { readonly message: string; readonly at: number };

export type Backups = {
	readonly list: () => readonly BackupView[];
	/** Makes one now. @throws SallyportError as `createBackup` */
	readonly create: (
		passphrase: string | null,
		actor: string,
	) => Promise<BackupView>;
	readonly schedule: () => Schedule;
	readonly setSchedule: (schedule: Schedule, actor: string) => void;
	/** The page that opens them all. @param address where the gateway is reached */
	readonly kit: (address: string) => string;
	/** The last scheduled one that failed, since the last that did not. */
	readonly failure: () => BackupFailure | null;
	/** Makes one if one is due. */
	readonly check: () => Promise<void>;
};

const SCHEDULE = "backup_schedule";
const FAILURE = "backup_failure";
const NIGHTLY_KEPT = 7;
const DAY = 86_400;
/** In UTC: when few are awake in Europe, Africa and the Americas. */
const NIGHT_SECOND = 3 * 3600;

/** @param deps.place where the data is, and its key */
export function createBackups(deps: {
	readonly db: Database;
	readonly clock: Clock;
	readonly log: Log;
	readonly place: BackupPlace;
}): Backups {
	const { db, clock, log, place } = deps;
	const schedule = (): Schedule =>
		findSetting(db, SCHEDULE) === "nightly" ? "nightly" : "off";
	let running: Promise<void> | null = null;

	const nightly = async (): Promise<void> => {
		try {
			const { name } = await createBackup(place, clock.now(), {
				passphrase: null,
				schedule: "nightly",
			});
			pruneBackups(place.dataDir, NIGHTLY_KEPT);
			clearSetting(db, FAILURE);
			log.info("backup made", { path: name });
		} catch (error) {
			const message =
				error instanceof SallyportError ? error.message : "internal error";
			setSetting(
				db,
				FAILURE,
				JSON.stringify({ message, at: clock.now() } satisfies BackupFailure),
			);
			log.error("backup failed", { reason: describeError(error) });
		}
	};

	return {
		list: () => listBackups(place.dataDir),
		create: async (passphrase, actor) => {
			const made = await createBackup(place, clock.now(), {
				passphrase,
				schedule: "manual",
			});
			recordAudit(
				db,
				{ actor, action: "backup.create", object: made.name },
				clock.now(),
			);
			return made;
		},
		kit: (address) => kitOf(db, place, address, clock.now()),
		schedule,
		setSchedule: (next, actor) => {
			if (next === schedule()) return;
			setSetting(db, SCHEDULE, next);
			recordAudit(
				db,
				{ actor, action: "backup.schedule", object: "gateway", detail: next },
				clock.now(),
			);
		},
		failure: () => {
			const text = findSetting(db, FAILURE);
			return text === null ? null : (JSON.parse(text) as BackupFailure);
		},
		check: async () => {
			const last = lastAttempt(db, place.dataDir);
			if (schedule() === "off" || !isBackupDue(last, clock.now())) return;
			running ??= nightly().finally(() => {
				running = null;
			});
			await running;
		},
	};
}

/** The recovery kit of a gateway whose data is open. */
export function kitOf(
	db: Database,
	{ kek }: Pick<BackupPlace, "kek">,
	address: string,
	now: number,
): string {
	return writeRecoveryKit({
		instance: requireInstanceId(db),
		address,
		kek,
		date: new Date(now * 1000).toISOString().slice(0, 10),
	});
}

/** Whether a night has begun since the last one. @param lastAt null: never */
export function isBackupDue(lastAt: number | null, now: number): boolean {
	const today = now - (now % DAY) + NIGHT_SECOND;
	const night = now >= today ? today : today - DAY;
	return lastAt === null || lastAt < night;
}

/** A failed night is not tried again every few minutes. */
function lastAttempt(db: Database, dataDir: string): number | null {
	const made = listBackups(dataDir).find(
		({ schedule }) => schedule === "nightly",
	);
	const failed = findSetting(db, FAILURE);
	const failedAt =
		failed === null ? 0 : (JSON.parse(failed) as BackupFailure).at;
	const at = Math.max(made?.createdAt ?? 0, failedAt);
	return at === 0 ? null : at;
}
