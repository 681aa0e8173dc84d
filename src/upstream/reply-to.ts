/**
 * Who hears of a reply. A call passes from its client to its server and back through many hands: they are called
 * rather than waited for, because each promise on the way is five objects and another turn.
 */
import type { Reply } from "./upstream.ts";

/** Whoever sent a request: one of the two, once, and perhaps before sending has returned. Neither throws. */
export type ReplyTo = {
	onReply(reply: Reply): void;
	/** @param error a LinkError, or a bug */
	onFailure(error: unknown): void;
};

/** Sends a request whose reply is waited for. */
export function replied(send: (to: ReplyTo) => void): Promise<Reply> {
	const { promise, resolve, reject } = Promise.withResolvers<Reply>();
	send({ onReply: resolve, onFailure: reject });
	return promise;
}

/** Tells whoever sent a request what is waited for. */
export function tell(reply: Promise<Reply>, to: ReplyTo): void {
	reply.then(
		(done) => to.onReply(done),
		(error: unknown) => to.onFailure(error),
	);
}
