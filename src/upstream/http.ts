/**
 * The Streamable HTTP transport of both eras, put together: calls (`http-call.ts`) and listening
 * (`http-listening.ts`) on one channel (`http-channel.ts`).
 *
 * @see specification 2026-07-28 and 2025-11-25, basic/transports (Streamable HTTP)
 */
import { callOverHttp } from "./http-call.ts";
import { HttpChannel } from "./http-channel.ts";
import { listenOverHttp } from "./http-listening.ts";
import { type HttpTarget, swallowExpected } from "./http-target.ts";
import type { Hearing, Link } from "./link.ts";

/** Nothing is sent until the first request. */
export function openHttpLink(target: HttpTarget, hearing: Hearing): Link {
	const channel = new HttpChannel(target, hearing);
	return {
		send: (outgoing) => callOverHttp(channel, outgoing),
		notify: (message, speaking) => channel.say(message, speaking),
		takeStream: target.takeStream,
		listen: (speaking) => {
			if (speaking.era !== "legacy") return;
			const release = target.takeStream();
			if (!release) return;
			void listenOverHttp(channel, hearing, speaking)
				.catch(swallowExpected)
				.finally(release);
		},
		close: () => channel.close(),
		closed: channel.closed,
	};
}
