/**
 * Listening to a legacy HTTP server: a GET stream carries what it says unasked, and is opened again whenever it ends,
 * for as long as the server offers one.
 *
 * @see specification 2025-11-25, basic/transports, "Listening for Messages from the Server"
 */
import { delay } from "../clock.ts";
import type { Message } from "../message.ts";
import type { EventSplitter } from "./events.ts";
import type { HttpChannel } from "./http-channel.ts";
import { discard, readEvents, reopenMs } from "./http-reply.ts";
import { swallowExpected } from "./http-target.ts";
import type { Hearing, Speaking } from "./link.ts";

/** Listens until the channel ends or the server offers no stream. Never rejects for what a server does. */
export async function listenOverHttp(
	channel: HttpChannel,
	hearing: Hearing,
	speaking: Speaking,
): Promise<void> {
	const onMessage = (message: Message): "more" => {
		if (message.kind === "notification") hearing.onNotification(message);
		else if (message.kind === "request")
			channel.answerServer(message, null, speaking);
		return "more";
	};
	const ended = channel.ended();
	let lastId = "";
	for (let attempt = 0; !ended.aborted; attempt++) {
		const read = await listenOnce(channel, speaking, lastId, onMessage);
		if (!read) return;
		lastId = read.splitter?.lastId() ?? lastId;
		await delay(reopenMs(read.splitter, attempt), ended);
	}
}

/** Reads the stream once. Null when the server offers none. */
async function listenOnce(
	channel: HttpChannel,
	speaking: Speaking,
	lastId: string,
	onMessage: (message: Message) => "more",
): Promise<{ readonly splitter: EventSplitter | null } | null> {
	const ended = channel.ended();
	const exchange = channel.stream(speaking, lastId);
	const stop = (): void => exchange.abandon();
	ended.addEventListener("abort", stop, { once: true });
	try {
		const answer = await exchange.answer;
		if (answer.status === 404 && channel.inSession(speaking)) channel.lose();
		if (answer.status !== 200 || answer.mediaType !== "text/event-stream") {
			discard(answer);
			return null;
		}
		const splitter = await readEvents(answer.body, onMessage).catch(
			swallowExpected,
		);
		return { splitter: splitter ?? null };
	} finally {
		ended.removeEventListener("abort", stop);
	}
}
