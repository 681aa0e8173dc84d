/**
 * One call of an upstream, until it has its reply: it is sent a second time, and never a third, where the server did
 * not take it or where it changes nothing.
 */
import { SallyportError } from "../errors.ts";
import type { Server } from "../store/servers.ts";
import { isSafe, LinkError } from "./link.ts";
import type { ReplyTo } from "./reply-to.ts";
import type { Call, Reply } from "./upstream.ts";

/** Who is asked, as a call that is under way must know it. */
export type Asked = {
	readonly server: Server;
	/** Sends a call once. @throws when it cannot be put into words */
	attempt(call: Call, to: ReplyTo): void;
	/** A call is over. @param error why it failed, or null */
	onEnd(error: unknown): void;
};

/** A class, because every call makes one. */
export class Attempts implements ReplyTo {
	readonly #asked: Asked;
	readonly #call: Call;
	readonly #to: ReplyTo;
	#isAgain = false;

	constructor(asked: Asked, call: Call, to: ReplyTo) {
		this.#asked = asked;
		this.#call = call;
		this.#to = to;
	}

	begin(): void {
		try {
			this.#asked.attempt(this.#call, this);
		} catch (error) {
			this.onFailure(error);
		}
	}

	onReply(reply: Reply): void {
		this.#asked.onEnd(null);
		this.#to.onReply(reply);
	}

	onFailure(error: unknown): void {
		if (!this.#isAgain && mayRepeat(error, this.#call)) {
			this.#isAgain = true;
			// That a connection has ended is known a moment later than what failed by it.
			queueMicrotask(() => this.begin());
			return;
		}
		this.#asked.onEnd(error);
		this.#to.onFailure(named(this.#asked.server, error));
	}
}

/** Whether a failed call may be sent once more. */
function mayRepeat(error: unknown, { method, signal }: Call): boolean {
	if (!(error instanceof LinkError) || signal.aborted) return false;
	if (error.code !== "upstream") return false;
	return (
		error.reach === "unsent" || (error.reach === "broken" && isSafe(method))
	);
}

/** Says which server it was. */
export function named(server: Server, error: unknown): unknown {
	if (!(error instanceof SallyportError)) return error;
	const said = [`${server.slug} `, `${server.slug}: `];
	if (said.some((name) => error.message.startsWith(name))) return error;
	return new SallyportError(error.code, `${server.slug}: ${error.message}`, {
		...(error.hint !== undefined && {
			hint: error.hint.replaceAll("SLUG", server.slug),
		}),
		cause: error,
	});
}
