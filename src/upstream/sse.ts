/**
 * The HTTP+SSE transport of 2024-11-05: a GET stream that names where to POST, and carries every answer.
 *
 * @see specification 2024-11-05, basic/transports (HTTP with SSE)
 */
import { SallyportError } from "../errors.ts";
import type { Bytes } from "../message.ts";
import { wrapCancellation } from "./envelope.ts";
import { createEventSplitter } from "./events.ts";
import { discard, mediaType } from "./http-reply.ts";
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
import { createPending } from "./pending.ts";

const OPEN_TIMEOUT_MS = 15_000;
const POST_TIMEOUT_MS = 60_000;

/** Opens the stream and waits for the endpoint. @throws SallyportError `upstream` when the server offers none */
export async function openSseLink(
	target: HttpTarget,
	hearing: Hearing,
): Promise<Link> {
	const { egress, url } = target;
	const base = baseHeaders(target);
	const ended = new AbortController();
	const response = await egress.fetch(url, {
		headers: { ...base, accept: "text/event-stream" },
		signal: ended.signal,
		timeoutMs: OPEN_TIMEOUT_MS,
	});
	if (!response.ok || mediaType(response) !== "text/event-stream") {
		discard(response);
		throw new LinkError(
			"final",
			response.status === 401 || response.status === 403
				? `the server refused our credentials (${response.status})`
				: "the server speaks no transport that we know",
			{
				status: response.status,
				hint: "check that the URL is the server's MCP endpoint",
			},
		);
	}

	const endpoint = Promise.withResolvers<string>();
	// Whoever opens the link awaits it; when reading fails first, that is what they are told.
	endpoint.promise.catch(() => {});
	const post = async (message: Bytes): Promise<void> => {
		const answer = await egress.fetch(await endpoint.promise, {
			method: "POST",
			headers: { ...base, "content-type": "application/json" },
			body: message,
			timeoutMs: POST_TIMEOUT_MS,
		});
		discard(answer);
		if (!answer.ok)
			throw new LinkError(
				"final",
				`the server answered ${answer.status} to a message`,
				{ status: answer.status },
			);
	};
	const tell = (message: Bytes): void => {
		post(message).catch(swallowExpected);
	};
	const pending = createPending(hearing, tell);

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
			for await (const chunk of response.body as ReadableStream<Bytes>)
				splitter.push(chunk);
			return "the server ended the connection";
		} catch (error) {
			return error instanceof SallyportError
				? error.message
				: "the connection to the server broke";
		}
	};
	const closed = read().then((reason) => {
		ended.abort();
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
		ended.abort();
		throw error;
	} finally {
		clearTimeout(timer);
	}

	return {
		request: (outgoing) =>
			pending.add(
				outgoing,
				() => post(outgoing.bytes),
				() => {
					const message = wrapCancellation(outgoing);
					if (message) tell(message);
				},
			),
		notify: post,
		listen: () => {},
		takeStream: () => () => {},
		close: async () => {
			ended.abort();
			await closed;
		},
		closed,
	};
}

/** Where to POST. Another origin would be handed the server's secrets (2024-11-05 says nothing; SDKs refuse it too). */
function endpointOf(url: string, said: string): string | null {
	if (!URL.canParse(said, url)) return null;
	const endpoint = new URL(said, url);
	return endpoint.origin === new URL(url).origin ? endpoint.href : null;
}

function foreignEndpoint(): LinkError {
	return new LinkError(
		"final",
		"the server named an endpoint at another origin",
	);
}
