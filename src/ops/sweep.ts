/**
 * Housekeeping: removes the rows that nothing can use any more, so that the store does not grow with time.
 * Nothing depends on it being on time: every lookup judges expiry itself.
 */
import {
	CODE_KEPT_SECONDS,
	IDLE_CLIENT_SECONDS,
	LOGIN_ATTEMPTS_WINDOW_SECONDS,
	LOGIN_IDLE_SECONDS,
	UNUSED_CLIENT_SECONDS,
	WAITING_CLIENT_SECONDS,
} from "../oauth/authorization-server.ts";
import { deleteIdleClients } from "../store/clients.ts";
import type { Database } from "../store/database.ts";
import { deleteExpiredDeviceCodes } from "../store/device-codes.ts";
import { deleteExpiredGrants } from "../store/grants.ts";
import { deleteExpiredInvites } from "../store/invites.ts";
import { deleteExpiredLogins } from "../store/logins.ts";
import { deleteOldSteps } from "../store/timeline.ts";

/** How long the timeline remembers. */
const TIMELINE_SECONDS = 30 * 24 * 3600;

/** Removes what has expired. Call it now and then. */
export function sweep(db: Database, now: number): void {
	deleteExpiredGrants(db, now, now - CODE_KEPT_SECONDS);
	deleteIdleClients(db, {
		unused: now - UNUSED_CLIENT_SECONDS,
		waiting: now - WAITING_CLIENT_SECONDS,
		idle: now - IDLE_CLIENT_SECONDS,
	});
	deleteExpiredLogins(
		db,
		now,
		now - LOGIN_IDLE_SECONDS,
		now - LOGIN_ATTEMPTS_WINDOW_SECONDS,
	);
	deleteExpiredInvites(db, now);
	deleteExpiredDeviceCodes(db, now);
	deleteOldSteps(db, now - TIMELINE_SECONDS);
}
