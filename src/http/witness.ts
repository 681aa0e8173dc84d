/**
 * Puts on the timeline what only the doorman sees: who was turned away at an MCP endpoint, and the first call that a
 * client makes with what it was allowed. Every other call passes by one look into a small set.
 */
import type { Caller } from "../caller.ts";
import type { Clock } from "../clock.ts";
import { createLimiter, networkOf } from "../oauth/limits.ts";
import type { Step, TimelineRecorder } from "../store/timeline.ts";

/** Steps of nobody in particular that one network may leave, so that a scanner does not write the timeline. */
const NAMELESS_STEPS = { count: 60, seconds: 60 } as const;

export type Witness = {
	/** Puts a step of whoever sends this request on the timeline. */
	readonly note: (request: Request, step: Step) => void;
	/** Hears what came of a request at an MCP endpoint; no caller: it was turned away. */
	readonly heard: (
		request: Request,
		caller: Caller | null,
		response: Response,
	) => void;
};

/** A witness for one listener. */
export function createWitness(deps: {
	readonly timeline: TimelineRecorder;
	readonly clock: Clock;
	readonly clientAddress: (request: Request) => string;
}): Witness {
	const { timeline, clientAddress } = deps;
	const nameless = createLimiter(deps.clock, NAMELESS_STEPS);

	function note(request: Request, step: Step): void {
		const address = clientAddress(request);
		const isNameless = (step.clientId ?? null) === null;
		if (isNameless && nameless.take(networkOf(address)) > 0) return;
		const agent = request.headers.get("User-Agent") ?? "";
		timeline.note({ address, agent }, step);
	}

	return {
		note,
		heard: (request, caller, response) => {
			if (caller === null)
				return note(request, {
					step: "challenge",
					outcome: request.headers.has("Authorization") ? "refused" : "ok",
					detail: `${request.method} ${new URL(request.url).pathname}`,
				});
			if (!timeline.isFirstUse(caller.grantId)) return;
			note(request, {
				step: "mcp",
				outcome: response.status < 400 ? "ok" : "refused",
				detail: `${request.method} ${new URL(request.url).pathname} ${response.status}`,
				clientId: caller.clientId,
				userId: caller.userId,
				grantId: caller.grantId,
			});
		},
	};
}
