/**
 * The Streamable HTTP transport of both eras, put together: calls (`http-call.ts`) and listening
 * (`http-listening.ts`) on one channel (`http-channel.ts`).
 *
 * @see specification 2026-07-28 and 2025-11-25, basic/transports (Streamable HTTP)
 */
import type { Bytes } from "../message.ts";
import { callOverHttp } from "./http-call.ts";
import { HttpChannel } from "./http-channel.ts";
import { listenOverHttp } from "./http-listening.ts";
import { type HttpTarget, swallowExpected } from "./http-target.ts";
import type { Hearing, Link, Outgoing, Speaking } from "./link.ts";

/** Nothing is sent until the first request. A class, because every server has one, also when nobody asks it anything. */
export class HttpLink implements Link {
	readonly #channel: HttpChannel;
	readonly #target: HttpTarget;
	readonly #hearing: Hearing;

	/** @throws SallyportError `forbidden`, `invalid` for a URL that is not called */
	constructor(target: HttpTarget, hearing: Hearing) {
		this.#channel = new HttpChannel(target, hearing);
		this.#target = target;
		this.#hearing = hearing;
	}

	send(outgoing: Outgoing): void {
		callOverHttp(this.#channel, outgoing);
	}

	notify(message: Bytes, speaking: Speaking): Promise<void> {
		return this.#channel.say(message, speaking);
	}

	takeStream(): (() => void) | null {
		return this.#target.takeStream();
	}

	listen(speaking: Speaking): void {
		if (speaking.era !== "legacy") return;
		const release = this.takeStream();
		if (!release) return;
		void listenOverHttp(this.#channel, this.#hearing, speaking)
			.catch(swallowExpected)
			.finally(release);
	}

	close(): Promise<void> {
		return this.#channel.close();
	}

	get closed(): Promise<string> {
		return this.#channel.closed;
	}
}
