/**
 * Puts on the timeline what only the doorman sees: who was turned away at an MCP endpoint, and the first call that a
 * client makes with what it was allowed.
 */
import type { Caller } from "../caller.ts";
import type { Clock } from "../clock.ts";
import type { HttpRequest } from "../http1/incoming.ts";
import type { Later } from "../http1/outgoing.ts";
import type { Answered } from "../http1/server-connection.ts";
import { createLimiter, networkOf } from "../oauth/limits.ts";
import type { Step, TimelineRecorder } from "../store/timeline.ts";

/** Steps of nobody in particular that one network may leave, so that a scanner does not write the timeline. */
const NAMELESS_STEPS = { count: 60, seconds: 60 } as const;

/** A request, and where it came from. */
export type Seen = { readonly request: HttpRequest; clientAddress(): string };

export type Witness = {
	/** Puts a step of whoever sends this request on the timeline. */
	readonly note: (seen: Seen, step: Step) => void;
	/** It was turned away at an MCP endpoint. */
	readonly turnedAway: (seen: Seen) => void;
	/** The answer that a caller gets; the first one of each grant is put on the timeline. */
	readonly heard: (
		seen: Seen,
		caller: Caller,
		answered: Answered | Later<Answered>,
	) => Answered | Later<Answered>;
};

/** A witness for one listener. */
export function createWitness(deps: {
	readonly timeline: TimelineRecorder;
	readonly clock: Clock;
}): Witness {
	const nameless = createLimiter(deps.clock, NAMELESS_STEPS);

	const note: Witness["note"] = (seen, step) => {
		const address = seen.clientAddress();
		const isNameless = (step.clientId ?? null) === null;
		if (isNameless && nameless.take(networkOf(address)) > 0) return;
		const agent = seen.request.headers.get("User-Agent") ?? "";
		deps.timeline.note({ address, agent }, step);
	};

	const heardFirst = async (
		seen: Seen,
		{ clientId, userId, grantId }: Caller,
		answered: Answered | Later<Answered>,
	): Promise<Answered> => {
		const response = await answered;
		const { status } = response;
		note(seen, {
			step: "mcp",
			outcome: status < 400 ? "ok" : "refused",
			detail: `${lineOf(seen.request)} ${status}`,
			...{ clientId, userId, grantId },
		});
		return response;
	};

	return {
		note,
		turnedAway: (seen) =>
			note(seen, {
				step: "challenge",
				outcome: seen.request.headers.has("Authorization") ? "refused" : "ok",
				detail: lineOf(seen.request),
			}),
		heard: (seen, caller, answered) =>
			deps.timeline.isFirstUse(caller.grantId)
				? heardFirst(seen, caller, answered)
				: answered,
	};
}

function lineOf({ method, url }: HttpRequest): string {
	return `${method} ${new URL(url).pathname}`;
}
