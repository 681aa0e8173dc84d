/**
 * The pages that a modern server sends a legacy client to in the middle of one call. In the modern era a page has no id,
 * and whoever was there calls again to see whether that was enough; a legacy client knows a page by its id, agrees to
 * open it, and waits. So an id is made here, a page that was agreed to is not shown again, and the server is given
 * time.
 *
 * @see specification 2025-11-25 and 2026-07-28, client/elicitation ("URL Mode")
 */
import type { Abortable } from "../abort.ts";
import { splice } from "../assembly.ts";
import { delay } from "../clock.ts";
import {
	type Bytes,
	membersOf,
	objectOf,
	parseJson,
	toBytes,
} from "../message.ts";
import { mintNonce } from "../mint.ts";
import { RPC } from "../protocol.ts";
import { wrapNotification } from "../upstream/envelope.ts";
import type { Reply } from "../upstream/upstream.ts";
import type { Ask } from "./input.ts";
import { errorReply, RpcError } from "./rpc.ts";

/** Pauses before a server is asked again whether a page was visited; the last one repeats. */
const PAUSE_MS = [1000, 2000, 5000] as const;

export type PageVisits = {
	/** Asks as before, but for pages that the client has agreed to open. */
	readonly ask: Ask;
	/** Gives the person time, when the last round wanted to know nothing else. */
	readonly pause: (signal: Abortable) => Promise<void>;
	/** The call was answered: the client hears that its pages are done with. */
	readonly done: (notify: (message: Bytes) => void) => void;
	/** What a client is told whose person was not done in time; null when no page is waited for. */
	readonly refusal: () => Reply | null;
};

/** A page that the client has agreed to open. */
type Page = {
	readonly elicitationId: string;
	/** As the client was asked. */
	readonly params: Bytes;
	readonly answer: Reply;
};

/** For one call. */
export function createPageVisits(ask: Ask): PageVisits {
	const pages = new Map<string, Page>();
	let pauses = 0;
	let askedAgain = false;
	let askedElse = false;
	return {
		ask: async (question) => {
			const { method, params } = question;
			const url = method === "elicitation/create" ? urlIn(params) : null;
			const known = url === null ? undefined : pages.get(url);
			if (known) {
				askedAgain = true;
				return known.answer;
			}
			askedElse = true;
			if (url === null || !params) return ask(question);
			const elicitationId = mintNonce();
			const own = withId(params, elicitationId);
			const answer = await ask({ method, params: own });
			if (isAccepted(answer))
				pages.set(url, { elicitationId, params: own, answer });
			return answer;
		},
		pause: async (signal) => {
			const isWaiting = askedAgain && !askedElse;
			askedAgain = false;
			askedElse = false;
			if (!isWaiting) return;
			const longest = PAUSE_MS.length - 1;
			await delay(PAUSE_MS[Math.min(pauses++, longest)] as number, signal);
		},
		done: (notify) => {
			for (const { elicitationId } of pages.values())
				notify(
					wrapNotification(
						"notifications/elicitation/complete",
						toBytes(JSON.stringify({ elicitationId })),
					),
				);
		},
		refusal: () =>
			pages.size === 0
				? null
				: errorReply(
						new RpcError(
							RPC.urlElicitationRequired,
							"the page must be visited first: call again after that",
							{
								data: {
									elicitations: [...pages.values()].map(({ params }) =>
										parseJson(params),
									),
								},
							},
						),
					),
	};
}

/** The page that a question sends its client to; null for any other question. */
function urlIn(params: Bytes | null): string | null {
	const { mode, url } = objectOf(params && parseJson(params));
	return mode === "url" && typeof url === "string" ? url : null;
}

function withId(params: Bytes, elicitationId: string): Bytes {
	const own = membersOf(params, 0).find(({ key }) => key === "elicitationId");
	const text = JSON.stringify(elicitationId);
	return splice(params, [
		own
			? { ...own, text }
			: { start: 1, end: 1, text: `"elicitationId":${text},` },
	]);
}

function isAccepted({ member, body }: Reply): boolean {
	return (
		member === "result" &&
		body instanceof Uint8Array &&
		objectOf(parseJson(body))["action"] === "accept"
	);
}
