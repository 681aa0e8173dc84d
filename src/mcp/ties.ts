/**
 * What a legacy server and a legacy client still have to tell each other when a call is over: that a page has been
 * visited which the client was sent to, and that the client's roots are others now. Each is told to those alone who had
 * to do with it: the client that was sent there, the servers that were given its roots.
 *
 * The modern era has neither (2026-07-28, changelog, major 5 and minor 11): its client calls again and sees, and says
 * its roots when it is asked.
 *
 * @see specification 2025-11-25, client/elicitation ("Completion Notifications for URL Mode"), client/roots
 */
import type { Clock } from "../clock.ts";
import {
	type Bytes,
	holds,
	memberOf,
	objectOf,
	parseJson,
	textOf,
} from "../message.ts";
import { RPC } from "../protocol.ts";
import type { Call, Question, Reply, Upstream } from "../upstream/upstream.ts";
import type { Ask } from "./input.ts";

/** The far end of a tie: one client's session, outside any call. */
export type End = {
	/** Says something on the stream that the client listens on; to one that does not listen it is lost. */
	readonly tell: (message: Bytes) => void;
	readonly ask: Ask;
};

export type Ties = {
	/** Sends a call on, and remembers what its server asks of the client. */
	readonly through: (
		upstream: Upstream,
		call: Call & { readonly asker: string },
		ask: Ask,
		end: End,
	) => Promise<Reply>;
	/** A server says that a page was visited: whoever it sent there hears it. */
	readonly visited: (
		upstream: Upstream,
		elicitationId: string,
		message: Bytes,
	) => void;
	/** A client's roots are others now: the servers that have them are told, and may ask for them for a while. */
	readonly rootsChanged: (end: End) => void;
	/** The answer to a server that asks for roots outside any call; null when nobody can be meant. */
	readonly rootsFor: (
		upstream: Upstream,
		question: Question,
	) => Promise<Reply> | null;
};

/** How long a server may take to notice that its page was visited, and how many pages are open at once. */
const VISIT_SECONDS = 3600;
const VISITS_MAX = 2000;
/** Pages that one refusal may name. */
const PAGES_MAX = 16;
const ID_LENGTH_MAX = 256;
/** Servers that one client's roots are known to. */
const ROOTED_MAX = 100;
/** For how long a server may ask for roots after it was told that they changed. */
const ASK_SECONDS = 60;

type Visit = {
	/** Who was sent there, and by whom. */
	readonly upstream: Upstream;
	readonly elicitationId: string;
	readonly end: End;
	readonly until: number;
};

export function createTies(deps: { readonly clock: Clock }): Ties {
	const { clock } = deps;
	/** Oldest first, by server, identity, page and client. */
	const visits = new Map<string, Visit>();
	/** Servers that were given an end's roots. */
	const rooted = new WeakMap<End, Set<Upstream>>();
	/** Whose roots have just changed, and until when a server may ask for them. */
	const changed = new WeakMap<Upstream, Map<End, number>>();

	const send = (
		upstream: Upstream,
		asker: string,
		end: End,
		elicitationId: unknown,
	): void => {
		if (typeof elicitationId !== "string") return;
		if (elicitationId.length > ID_LENGTH_MAX) return;
		const key = `${placeOf(upstream)} ${asker} ${elicitationId}`;
		visits.delete(key);
		const until = clock.now() + VISIT_SECONDS;
		visits.set(key, { upstream, elicitationId, end, until });
		if (visits.size > VISITS_MAX)
			visits.delete(visits.keys().next().value as string);
	};

	const root = (upstream: Upstream, end: End): void => {
		const servers = rooted.get(end) ?? new Set();
		rooted.set(end, servers);
		servers.delete(upstream);
		servers.add(upstream);
		if (servers.size > ROOTED_MAX)
			servers.delete(servers.values().next().value as Upstream);
	};

	return {
		through: async (upstream, call, ask, end) => {
			const reply = await upstream.request({
				...call,
				onQuestion: async (question) => {
					const { method, params } = question;
					if (method === "elicitation/create")
						send(upstream, call.asker, end, idIn(params));
					const answer = await ask(question);
					if (method === "roots/list" && answer.member === "result")
						root(upstream, end);
					return answer;
				},
			});
			for (const id of idsIn(reply)) send(upstream, call.asker, end, id);
			return reply;
		},
		visited: (upstream, elicitationId, message) => {
			for (const [key, visit] of visits) {
				if (visit.until < clock.now()) visits.delete(key);
				else if (
					visit.elicitationId === elicitationId &&
					placeOf(visit.upstream) === placeOf(upstream)
				) {
					visits.delete(key);
					visit.end.tell(message);
				}
			}
		},
		rootsChanged: (end) => {
			const servers = rooted.get(end) ?? new Set();
			for (const upstream of servers) {
				// One that sleeps, or was begun anew, has no roots that could be old.
				if (upstream.state() !== "ready") {
					servers.delete(upstream);
					continue;
				}
				const ends = changed.get(upstream) ?? new Map();
				changed.set(upstream, ends.set(end, clock.now() + ASK_SECONDS));
				upstream
					.notify("notifications/roots/list_changed", null)
					.catch(() => {}); // it is gone, and asks anew when it is back
			}
		},
		rootsFor: (upstream, question) => {
			const ends = changed.get(upstream);
			for (const [end, until] of ends ?? [])
				if (until < clock.now()) ends?.delete(end);
			// Of several clients nobody knows whose roots it wants.
			const [end, other] = ends?.keys() ?? [];
			return end && !other ? end.ask(question) : null;
		},
	};
}

/** A server as its clients know it, whichever of its processes speaks. */
function placeOf({ server, identity }: Upstream): string {
	return `${server.id} ${identity}`;
}

/** The id of the page that a question sends its client to. */
function idIn(params: Bytes | null): unknown {
	return params && holds(params, ELICITATION_ID)
		? objectOf(parseJson(params))["elicitationId"]
		: undefined;
}

const ELICITATION_ID = '"elicitationId"';

/** The ids of the pages that a refusal sends its client to. */
function idsIn({ member, body }: Reply): readonly unknown[] {
	if (member === "result" || !(body instanceof Uint8Array)) return [];
	if (!holds(body, ELICITATION_ID)) return [];
	const code = memberOf(body, 0, "code");
	if (!code || textOf(body, code) !== String(RPC.urlElicitationRequired))
		return [];
	const { elicitations } = objectOf(objectOf(parseJson(body))["data"]);
	return Array.isArray(elicitations)
		? elicitations
				.slice(0, PAGES_MAX)
				.map((page) => objectOf(page)["elicitationId"])
		: [];
}
