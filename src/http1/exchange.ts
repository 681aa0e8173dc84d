/**
 * A request on its way, and whoever hears of its answer. They are called rather than waited for: a call passes here, and
 * each promise on its way is five objects and another turn.
 */
import type { Answer } from "./answer.ts";
import { abandoned } from "./failure.ts";

export type Exchange = {
	/** Ends it: the answer fails, or its body breaks, and the server sees the connection go. */
	abandon(reason?: Error): void;
	/** Anything of the answer has arrived. */
	heard(): boolean;
};

/** Whoever sent a request: one of the two, once, and perhaps before sending has returned. Neither throws. */
export type AnswerTo = {
	onAnswer(answer: Answer): void;
	/** @param error EgressError, or SallyportError `upstream` when the answer is malformed */
	onFailure(error: Error): void;
};

/** One whose answer is waited for. */
export type AwaitedExchange = Exchange & { readonly answer: Promise<Answer> };

/** Sends a request whose answer is waited for. */
export function awaited(send: (to: AnswerTo) => Exchange): AwaitedExchange {
	const { promise, resolve, reject } = Promise.withResolvers<Answer>();
	const exchange = send({ onAnswer: resolve, onFailure: reject });
	return {
		answer: promise,
		abandon: (reason) => exchange.abandon(reason),
		heard: () => exchange.heard(),
	};
}

/** One that failed before it was sent. */
export function unsentExchange(
	to: AnswerTo,
	error: Error = abandoned(),
): Exchange {
	to.onFailure(error);
	return NEVER_SENT;
}

const NEVER_SENT: Exchange = { abandon: () => {}, heard: () => false };
