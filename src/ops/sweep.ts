/**
 * Housekeeping: removes the rows that nothing can use any more, so that the store does not grow with time.
 * Nothing depends on it being on time: every lookup judges expiry itself.
 */
import {
	CODE_KEPT_SECONDS,
	IDLE_CLIENT_SECONDS,
	UNUSED_CLIENT_SECONDS,
	WAITING_CLIENT_SECONDS,
} from "../oauth/authorization-server.ts";
import { LOGIN_IDLE_SECONDS } from "../people/lifetimes.ts";
import { GUESSES_KEPT_SECONDS } from "../people/throttle.ts";
import { trimGatewayEntries } from "../store/audit.ts";
import { deleteIdleClients } from "../store/clients.ts";
import type { Database } from "../store/database.ts";
import { deleteExpiredDeviceCodes } from "../store/device-codes.ts";
import { deleteExpiredGrants } from "../store/grants.ts";
import { deleteStaleGuesses } from "../store/guesses.ts";
import { deleteExpiredHalfLogins } from "../store/half-logins.ts";
import { deleteExpiredVisits } from "../store/identities.ts";
import { deleteExpiredInvites } from "../store/invites.ts";
import { deleteExpiredLogins } from "../store/logins.ts";
import { deleteExpiredChallenges } from "../store/passkeys.ts";
import { deleteExpiredSignIns } from "../store/sign-ins.ts";
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
	deleteExpiredLogins(db, now, now - LOGIN_IDLE_SECONDS);
	deleteExpiredHalfLogins(db, now);
	deleteExpiredChallenges(db, now);
	deleteExpiredVisits(db, now);
	deleteStaleGuesses(db, now - GUESSES_KEPT_SECONDS);
	deleteExpiredInvites(db, now);
	deleteExpiredDeviceCodes(db, now);
	deleteExpiredSignIns(db, now);
	deleteOldSteps(db, now - TIMELINE_SECONDS);
	trimGatewayEntries(db);
}
