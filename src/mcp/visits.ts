/**
 * Calls whose person must first open a page of ours: to sign in to the service behind a server, or to give it a secret
 * of their own. Whoever can be shown an address is (URL elicitation, as the era has it), the call waits a while for
 * the person to be done, and goes on; everyone else gets the address in the error's words.
 *
 * Nothing secret passes through the client: the page asks who is there, and what is entered on it belongs to them.
 *
 * @see specification 2026-07-28 and 2025-11-25, client/elicitation ("URL Mode"); basic/utilities/mrtr
 */
import type { Abortable } from "../abort.ts";
import { join } from "../assembly.ts";
import { type Clock, delay } from "../clock.ts";
import {
	type Bytes,
	holds,
	type Member,
	memberOf,
	membersOf,
	objectOf,
	parseJson,
	toBytes,
} from "../message.ts";
import { mintNonce } from "../mint.ts";
import { wrapNotification } from "../upstream/envelope.ts";
import { NeedsPerson } from "../upstream/needs-person.ts";
import type { Reply } from "../upstream/upstream.ts";
import type { Vault } from "../vault.ts";
import type { Ask } from "./input.ts";
import { resultReply } from "./rpc.ts";

/** A call that may have to wait for its person. */
export type Visit = {
	/** User, client, server, method and name: what is sealed for one call opens for no other. */
	readonly purpose: () => string;
	readonly method: string;
	readonly params: Bytes | null;
	/** What the client can be asked, in canonical JSON. */
	readonly capabilities: string;
	/** Asks the user of a legacy client; null for a modern one, which is asked by the answer. */
	readonly ask: Ask | null;
	readonly isModern: boolean;
	readonly serverId: string;
	readonly userId: string;
	readonly signal: Abortable;
	readonly onNotification: (message: Bytes) => void;
};

export type Visits = {
	/** Does the work with the call's own params, and sends its person to a page first when only they can help. */
	readonly through: (
		visit: Visit,
		work: (params: Bytes | null) => Promise<Reply>,
	) => Promise<Reply>;
	/** A person is done: what waits for them goes on. */
	readonly arrived: (serverId: string, userId: string) => void;
};

/** How long one answer waits for a person; below the patience of clients. */
const WAIT_MS = 50_000;
const WAITING_MAX = 500;
const ARRIVALS_MAX = 10_000;
/** Times that a person is sent to the page for one call. */
const ROUNDS_MAX = 3;
const SEALED_SECONDS = 600;
const QUESTION = "visit";
const FIRST = { round: 0, seen: 0 };
/** What a modern server may answer with a question (2026-07-28, basic/utilities/mrtr). */
const ASKING = new Set(["tools/call", "prompts/get", "resources/read"]);

export function createVisits(deps: {
	readonly vault: Pick<Vault, "sealHandle" | "openHandle">;
	readonly clock: Clock;
}): Visits {
	const waiting = new Map<string, Set<() => void>>();
	const arrivals = new Map<string, number>();
	let waitingCount = 0;

	const arrival = async ({
		serverId,
		userId,
		signal,
	}: Visit): Promise<void> => {
		if (waitingCount >= WAITING_MAX) return;
		const key = `${serverId} ${userId}`;
		const done = new AbortController();
		const stop = (): void => done.abort();
		const others = waiting.get(key) ?? new Set();
		waiting.set(key, others.add(stop));
		waitingCount++;
		signal.addEventListener("abort", stop, { once: true });
		await delay(WAIT_MS, done.signal);
		signal.removeEventListener("abort", stop);
		waitingCount--;
		others.delete(stop);
		if (others.size === 0) waiting.delete(key);
	};

	/** How often this visit's person was done with the server's page, so that nobody waits for what has happened. */
	const arrivalsOf = ({ serverId, userId }: Visit): number =>
		arrivals.get(`${serverId} ${userId}`) ?? 0;

	/** Does the work once the person is done, if they are in time. */
	const afterArrival = async (
		visit: Visit,
		seen: number,
		work: () => Promise<Reply>,
	): Promise<Reply | NeedsPerson> => {
		if (arrivalsOf(visit) === seen) await arrival(visit);
		return work().catch(needOf);
	};

	const seal = (visit: Visit, round: number): string =>
		deps.vault.sealHandle(
			`visit ${visit.purpose()}`,
			`${deps.clock.now() + SEALED_SECONDS} ${round} ${arrivalsOf(visit)}`,
		);
	/** How often this call's person was sent to the page; 0 when its state is none of ours. */
	const openState = ({
		purpose,
		params,
	}: Visit): { readonly round: number; readonly seen: number } => {
		// Nearly every call has none, and this is the path that every call takes.
		if (!params || !holds(params, '"requestState"')) return FIRST;
		const state = memberOf(params, 0, "requestState");
		const text = state ? parseJson(params, state) : null;
		const opened =
			typeof text === "string"
				? deps.vault.openHandle(`visit ${purpose()}`, text)
				: null;
		const [until = 0, round = 0, seen = 0] = (opened ?? "")
			.split(" ")
			.map(Number);
		return until > deps.clock.now() ? { round, seen } : FIRST;
	};

	const modern: Visits["through"] = async (visit, work) => {
		const { round, seen } = openState(visit);
		const params = round === 0 ? visit.params : ownParams(visit.params);
		let result = await work(params).catch(needOf);
		if (!(result instanceof NeedsPerson)) return result;
		if (round > 0) {
			if (!isAccepted(answerIn(visit.params))) throw result;
			// What is needed may be another thing by now, and the person was there already.
			if (arrivalsOf(visit) === seen)
				result = await afterArrival(visit, seen, () => work(params));
		}
		if (!(result instanceof NeedsPerson)) return result;
		if (!isAskable(visit) || round >= ROUNDS_MAX) throw result;
		return question(result, seal(visit, round + 1));
	};

	const legacy: Visits["through"] = async (visit, work) => {
		const again = (): Promise<Reply> => work(visit.params);
		const { ask } = visit;
		let result = await again().catch(needOf);
		for (let round = 0; result instanceof NeedsPerson; round++) {
			if (!ask || !isAskable(visit) || round >= ROUNDS_MAX) throw result;
			const elicitationId = mintNonce();
			const seen = arrivalsOf(visit);
			const reply = await ask({
				method: "elicitation/create",
				params: toBytes(JSON.stringify({ ...wordsOf(result), elicitationId })),
			});
			if (!isAccepted(contentOf(reply))) throw result;
			result = await afterArrival(visit, seen, again);
			if (!(result instanceof NeedsPerson))
				visit.onNotification(
					wrapNotification(
						"notifications/elicitation/complete",
						toBytes(JSON.stringify({ elicitationId })),
					),
				);
		}
		return result;
	};

	return {
		through: (visit, work) =>
			visit.isModern ? modern(visit, work) : legacy(visit, work),
		arrived: (serverId, userId) => {
			const key = `${serverId} ${userId}`;
			if (arrivals.size >= ARRIVALS_MAX) arrivals.clear();
			arrivals.set(key, (arrivals.get(key) ?? 0) + 1);
			for (const go of waiting.get(key) ?? []) go();
		},
	};
}

/** The need, as a value; anything else is thrown on. */
function needOf(error: unknown): NeedsPerson {
	if (error instanceof NeedsPerson) return error;
	throw error;
}

function isAskable({ capabilities, method }: Visit): boolean {
	const { elicitation } = objectOf(JSON.parse(capabilities));
	return ASKING.has(method) && objectOf(elicitation)["url"] !== undefined;
}

function wordsOf(error: NeedsPerson): Readonly<Record<string, string>> {
	return { mode: "url", message: error.message, url: error.url };
}

function question(error: NeedsPerson, requestState: string): Reply {
	return resultReply({
		resultType: "input_required",
		inputRequests: {
			[QUESTION]: { method: "elicitation/create", params: wordsOf(error) },
		},
		requestState,
	});
}

/** The params as the client first wrote them: without our state, and without the answer to our question. */
function ownParams(params: Bytes | null): Bytes | null {
	if (!params) return null;
	const kept = membersOf(params, 0).filter(
		({ key }) => key !== "requestState" && key !== "inputResponses",
	);
	return join([
		"{",
		...kept.flatMap((member: Member, at) => [
			...(at === 0 ? [] : [","]),
			params.subarray(member.keyStart, member.end),
		]),
		"}",
	]);
}

function answerIn(params: Bytes | null): unknown {
	const responses = params && memberOf(params, 0, "inputResponses");
	return responses && params
		? objectOf(parseJson(params, responses))[QUESTION]
		: undefined;
}

function contentOf({ member, body }: Reply): unknown {
	return member === "result" && body instanceof Uint8Array
		? parseJson(body)
		: undefined;
}

function isAccepted(answer: unknown): boolean {
	return objectOf(answer)["action"] === "accept";
}
