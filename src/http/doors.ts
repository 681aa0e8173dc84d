/**
 * Origins beside the gateway's own, for whoever sets it up. Each speaks as itself, with its own issuer, cookies and
 * forms, because a browser at one sends nothing of another; which one is meant, the request's host says. What belongs
 * to none is the gateway's own to answer, and to refuse.
 */
import type { Handler } from "../tls/listeners.ts";

/**
 * A handler for an origin and its doors.
 * @param speakAs what answers under an origin
 * @param origin the gateway's own, which wins where a door is the same
 */
export function withDoors(
	speakAs: (origin: string) => Handler,
	origin: string,
	doors: readonly (string | null)[],
): Handler {
	const own = speakAs(origin);
	const beside = new Map(
		doors
			.filter((door) => door !== null && door !== origin)
			.map((door) => [new URL(door as string).host, speakAs(door as string)]),
	);
	if (beside.size === 0) return own;
	return (request, connection) => {
		const host = request.headers.get("host")?.toLowerCase() ?? "";
		return (beside.get(host) ?? own)(request, connection);
	};
}
