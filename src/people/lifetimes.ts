/** How long it counts that a person proved who they are. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** A browser's login ends when unused this long, and in any case after `LOGIN_ABSOLUTE_SECONDS`. */
export const LOGIN_IDLE_SECONDS = 12 * HOUR;
export const LOGIN_ABSOLUTE_SECONDS = 30 * 24 * HOUR;
/** How long the second factor may take. */
export const HALF_LOGIN_SECONDS = 10 * MINUTE;
/** How long a proof is good for what is dangerous. */
export const FRESH_SECONDS = 15 * MINUTE;
/** How long a browser is remembered as one its person signed in with. */
export const KNOWN_BROWSER_SECONDS = 180 * 24 * HOUR;
