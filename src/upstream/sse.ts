/**
 * The HTTP+SSE transport of 2024-11-05: a GET stream that names where to POST, and carries every answer.
 *
 * @see specification 2024-11-05, basic/transports (HTTP with SSE)
 */

import type { Writable } from "../assembly.ts";
import { awaited } from "../http1/exchange.ts";
import type { Request1 } from "../http1/request.ts";
import type { Bytes } from "../message.ts";
import { wrapCancellation } from "./envelope.ts";
import { createEventSplitter } from "./events.ts";
import { discard } from "./http-reply.ts";
import {
	baseHeaders,
	type HttpTarget,
	swallowExpected,
} from "./http-target.ts";
import {
	type Hearing,
	type Link,
	LinkError,
	MESSAGE_BYTES_MAX,
} from "./link.ts";
import { createPending, type Wire } from "./pending.ts";

const OPEN_TIMEOUT_MS = 15_000;
const POST_TIMEOUT_MS = 60_000;

/** Opens the stream and waits for the endpoint. @throws SallyportError `upstream` when the server offers none */
export async function openSseLink(
	target: HttpTarget,
	hearing: Hearing,
): Promise<Link> {
	const { egress, url } = target;
	const base = baseHeaders(target);
	const client = egress.openClient(url);
	const listening: Request1 = {
		method: "GET",
		headers: egress.headers({ ...base, accept: "text/event-stream" }),
		timeoutMs: OPEN_TIMEOUT_MS,
		repeatable: true,
	};
	const stream = await awaited((to) => client.send(listening, to)).answer;
	if (stream.status !== 200 || stream.mediaType !== "text/event-stream") {
		client.close();
		throw new LinkError(
			"final",
			stream.status === 401 || stream.status === 403
				? `the server refused our credentials (${stream.status})`
				: "the server speaks no transport that we know",
			{
				status: stream.status,
				hint: "check that the URL is the server's MCP endpoint",
			},
		);
	}

	const endpoint = Promise.withResolvers<string>();
	// Whoever opens the link awaits it; when reading fails first, that is what they are told.
	endpoint.promise.catch(() => {});
	const post = async (message: Bytes | Writable): Promise<void> => {
		const request: Request1 = {
			method: "POST",
			path: await endpoint.promise,
			headers: egress.headers({ ...base, "content-type": "application/json" }),
			body: message,
			timeoutMs: POST_TIMEOUT_MS,
			repeatable: false,
		};
		const taken = await awaited((to) => client.send(request, to)).answer;
		discard(taken);
		if (taken.status < 200 || taken.status > 299)
			throw new LinkError(
				"final",
				`the server answered ${taken.status} to a message`,
				{ status: taken.status },
			);
	};
	const tell = (message: Bytes): void => {
		post(message).catch(swallowExpected);
	};
	const pending = createPending(hearing, tell);
	const wire: Wire = {
		send: ({ message }) => post(message),
		cancel: (outgoing) => {
			const message = wrapCancellation(outgoing);
			if (message) tell(message);
		},
	};

	const splitter = createEventSplitter({
		bytesMax: MESSAGE_BYTES_MAX,
		onTooLong: () => {
			throw new LinkError("broken", "the server's answer is too large");
		},
		onEvent: ({ type, data }) => {
			if (type === "endpoint") {
				const there = endpointOf(url, Buffer.from(data).toString("utf8"));
				if (there === null) endpoint.reject(foreignEndpoint());
				else endpoint.resolve(there);
			} else if (type === "message") pending.receive(data);
		},
	});
	const read = async (): Promise<string> => {
		try {
			for (;;) {
				const piece = await stream.body.next();
				if (!piece) return "the server ended the connection";
				splitter.push(piece);
			}
		} catch (error) {
			return error instanceof LinkError
				? error.message
				: "the connection to the server broke";
		}
	};
	const closed = read().then((reason) => {
		client.close();
		pending.fail(reason);
		endpoint.reject(new LinkError("broken", reason));
		return reason;
	});

	const timer = setTimeout(() => {
		endpoint.reject(
			new LinkError("final", "the server named no endpoint in time"),
		);
	}, OPEN_TIMEOUT_MS);
	try {
		await endpoint.promise;
	} catch (error) {
		client.close();
		throw error;
	} finally {
		clearTimeout(timer);
	}

	return {
		send: (outgoing) => pending.add(outgoing, wire),
		notify: post,
		listen: () => {},
		takeStream: () => () => {},
		close: async () => {
			client.close();
			await closed;
		},
		closed,
	};
}

/** The path to POST to. Another origin would be handed the server's secrets (2024-11-05 says nothing; SDKs refuse it too). */
function endpointOf(url: string, said: string): string | null {
	if (!URL.canParse(said, url)) return null;
	const endpoint = new URL(said, url);
	return endpoint.origin === new URL(url).origin
		? endpoint.pathname + endpoint.search
		: null;
}

function foreignEndpoint(): LinkError {
	return new LinkError(
		"final",
		"the server named an endpoint at another origin",
	);
}
