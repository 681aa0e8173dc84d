/**
 * Carrying a login over to another origin: cookies stay behind when the gateway moves, so whoever moved it is given a
 * token that is good once, for a minute, at the new origin. It lives in memory only: after a restart one signs in.
 */
import type { Clock } from "../clock.ts";
import { mintNonce } from "../mint.ts";

export type Arrivals = {
	/** A token for this user. */
	readonly issue: (userId: string) => string;
	/** Whose token this is; null when it was used, is too old or was made up. */
	readonly redeem: (token: string) => string | null;
};

const ARRIVAL_SECONDS = 300;
const ARRIVALS_MAX = 100;
const TOKEN_BYTES = 32;

/** The arrivals of one process. */
export function createArrivals(clock: Clock): Arrivals {
	const waiting = new Map<
		string,
		{ readonly userId: string; readonly until: number }
	>();
	return {
		issue: (userId) => {
			const token = mintNonce(TOKEN_BYTES);
			waiting.set(token, { userId, until: clock.now() + ARRIVAL_SECONDS });
			for (const oldest of waiting.keys()) {
				if (waiting.size <= ARRIVALS_MAX) break;
				waiting.delete(oldest);
			}
			return token;
		},
		redeem: (token) => {
			const arrival = waiting.get(token);
			waiting.delete(token);
			return arrival && arrival.until > clock.now() ? arrival.userId : null;
		},
	};
}
