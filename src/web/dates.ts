/** Instants as a page shows them. */

/** `20 Nov 2026, 15:04`, in UTC. @param at seconds */
export function showDate(at: number): string {
	return new Intl.DateTimeFormat("en-GB", {
		dateStyle: "medium",
		timeStyle: "short",
		timeZone: "UTC",
	}).format(new Date(at * 1000));
}
