/**
 * Questions back to the user, in the four pairings of client and server era.
 *
 * A modern server ends its answer with `input_required` and is called again with the responses; a legacy server sends
 * a request in the middle of a call. Toward a modern client both become `input_required`; toward a legacy client both
 * become a request on the call's own stream. What a modern client carries between its two calls is sealed to it: a
 * server's `requestState`, or the handle of a legacy call that waits here.
 *
 * @see specification 2026-07-28, basic/utilities/mrtr (SEP-2322); 2025-11-25, client/elicitation, sampling, roots
 */

import { join, splice } from "../assembly.ts";
import { type Clock, delay } from "../clock.ts";
import {
	type Bytes,
	holds,
	type Member,
	memberOf,
	membersOf,
	parseJson,
	parseMessage,
	textOf,
	toBytes,
	withoutMember,
} from "../message.ts";
import { mintNonce } from "../mint.ts";
import { RPC } from "../protocol.ts";
import type { Call, Question, Reply, Upstream } from "../upstream/upstream.ts";
import type { Vault } from "../vault.ts";
import { createPageVisits } from "./page-visits.ts";
import { asServersFault, errorReply, RpcError } from "./rpc.ts";

/** Asks the user of a legacy client; the reply is the client's own. */
export type Ask = (question: Question) => Promise<Reply>;

/** One call on its way to a server, in whichever pairing. */
export type Interactive = {
	/** Whose call it is: user, client, server, method and name. What is sealed for one opens for no other. */
	readonly purpose: () => string;
	readonly upstream: Upstream;
	readonly call: Omit<Call, "onQuestion"> & { readonly asker: string };
};

export type Input = {
	/**
	 * The params of a modern client's call to a modern server, with the server's own state as it was before it was sealed.
	 * @throws RpcError when the state is not one of ours, not this call's, or too old
	 */
	readonly opened: (params: Bytes, purpose: string) => Bytes;
	/** The reply to such a call, in which the server's state is sealed. */
	readonly sealed: (reply: Reply, purpose: string) => Reply;
	/** A modern client's call to a legacy server: parked while the user is asked. */
	readonly park: (interactive: Interactive) => Promise<Reply>;
	/** A legacy client's call to a modern server: asked here, and called again. */
	readonly fulfil: (
		interactive: Interactive,
		ask: Ask | null,
	) => Promise<Reply>;
	/** Ends every parked call. */
	readonly close: () => void;
};

/** How long a sealed state or a parked call waits for its client. */
const WAIT_SECONDS = 600;
const PARKED_MAX = 500;
const PARKED_PER_ASKER_MAX = 20;
/** How long a first question waits for others to go with it. */
const GATHER_MS = 10;
/** Times a server may ask during one call. */
const ROUNDS_MAX = 10;

/** A legacy call that waits for its user. */
type Parked = {
	readonly asker: string;
	readonly abort: AbortController;
	readonly questions: Map<
		string,
		{ readonly question: Question; readonly settle: (reply: Reply) => void }
	>;
	/** The call's own end. */
	readonly reply: Promise<Reply>;
	/** Resolves at the next question. */
	asked: PromiseWithResolvers<void>;
	/** Where notifications go while a request of the client is open. */
	notify: (message: Bytes) => void;
	/** Ends the wait. */
	expiry: AbortController;
};

export function createInput(deps: {
	readonly vault: Pick<Vault, "sealHandle" | "openHandle">;
	readonly clock: Clock;
}): Input {
	const parked = new Map<string, Parked>();

	const seal = (purpose: string, inner: string): string =>
		deps.vault.sealHandle(
			purpose,
			`${deps.clock.now() + WAIT_SECONDS} ${inner}`,
		);
	/** @throws RpcError when the state is not one of ours, not this call's, or too old */
	const open = (purpose: string, state: unknown): string => {
		const text =
			typeof state === "string" ? deps.vault.openHandle(purpose, state) : null;
		const at = text?.indexOf(" ") ?? -1;
		if (text === null || Number(text.slice(0, at)) < deps.clock.now())
			throw new RpcError(
				RPC.invalidParams,
				"params.requestState is not of this call, or is too old: call again without it",
			);
		return text.slice(at + 1);
	};

	const opened: Input["opened"] = (params, purpose) => {
		const state = memberOf(params, 0, "requestState");
		if (!state) return params;
		const text = open(purpose, parseJson(params, state));
		return splice(params, [{ ...state, text }]);
	};
	const sealed: Input["sealed"] = (reply, purpose) => {
		const asked = inputRequired(reply);
		const own = asked?.members.find(({ key }) => key === "requestState");
		if (!asked || !own) return reply;
		const text = JSON.stringify(seal(purpose, textOf(asked.body, own)));
		return { member: "result", body: splice(asked.body, [{ ...own, text }]) };
	};

	const begin = ({ upstream, call }: Interactive): Parked => {
		const { asker } = call;
		if (
			parked.size >= PARKED_MAX ||
			[...parked.values()].filter((other) => other.asker === asker).length >=
				PARKED_PER_ASKER_MAX
		)
			throw new RpcError(
				RPC.internalError,
				"too many calls wait for an answer: answer or drop some first",
			);
		const abort = new AbortController();
		const questions: Parked["questions"] = new Map();
		let asked = 0;
		const waiting: Parked = {
			asker,
			abort,
			questions,
			asked: Promise.withResolvers(),
			notify: call.onNotification ?? (() => {}),
			expiry: new AbortController(),
			reply: upstream.request({
				...call,
				signal: abort.signal,
				onNotification: (message) => {
					if (!tellsOfVisit(message)) waiting.notify(message);
				},
				// What cannot be read fails here, and its server is told, not the client.
				onQuestion: async ({ method, params }) => {
					const question = { method, params: params && withoutId(params) };
					const { promise, resolve } = Promise.withResolvers<Reply>();
					questions.set(`q${++asked}`, { question, settle: resolve });
					waiting.asked.resolve();
					return promise;
				},
			}),
		};
		// Whoever waits hears of a failure; while it is parked nobody does.
		waiting.reply.catch(() => {});
		return waiting;
	};

	/** Waits for the end or the next question, whichever is first. A client that goes away meanwhile cancels. */
	const next = async (
		handle: string,
		waiting: Parked,
		{ purpose, call }: Interactive,
	): Promise<Reply> => {
		const cancel = (): void => waiting.abort.abort();
		call.signal.addEventListener("abort", cancel, { once: true });
		waiting.notify = call.onNotification ?? (() => {});
		waiting.expiry.abort();
		try {
			const reply = await Promise.race([
				waiting.reply,
				...(waiting.questions.size > 0
					? [null]
					: [waiting.asked.promise.then(() => null)]),
			]);
			if (reply) {
				parked.delete(handle);
				return reply;
			}
		} catch (error) {
			parked.delete(handle);
			throw error;
		} finally {
			call.signal.removeEventListener("abort", cancel);
		}
		// Servers ask several things side by side: what follows at once goes along.
		await delay(GATHER_MS, call.signal);
		waiting.notify = () => {};
		waiting.expiry = expire(handle, waiting);
		parked.set(handle, waiting);
		return questionsReply(waiting, seal(purpose(), handle));
	};

	const expire = (handle: string, waiting: Parked): AbortController => {
		const expiry = new AbortController();
		void delay(WAIT_SECONDS * 1000, expiry.signal).then(() => {
			if (expiry.signal.aborted) return;
			parked.delete(handle);
			waiting.abort.abort();
		});
		return expiry;
	};

	const park = async (interactive: Interactive): Promise<Reply> => {
		const { params } = interactive.call;
		const state = params && memberOf(params, 0, "requestState");
		if (!params || !state) {
			// Answers to what no call here waits for, such as that a page was visited, are nothing to a legacy server.
			const own = params && withoutMember(params, "inputResponses");
			const begun = begin({
				...interactive,
				call: { ...interactive.call, params: own },
			});
			return next(mintNonce(), begun, interactive);
		}
		const handle = open(interactive.purpose(), parseJson(params, state));
		const waiting = parked.get(handle);
		if (!waiting)
			throw new RpcError(
				RPC.invalidParams,
				"the call that waited for this answer is gone: call again",
			);
		deliver(waiting, params);
		return next(handle, waiting, interactive);
	};

	const fulfil: Input["fulfil"] = (interactive, ask) =>
		askAndCall(interactive, ask).catch((error: unknown) => {
			throw asServersFault(error);
		});

	const askAndCall = async (
		{ upstream, call }: Interactive,
		ask: Ask | null,
	): Promise<Reply> => {
		let reply = await upstream.request(call);
		if (!inputRequired(reply)) return reply;
		if (!ask) return refused("the client cannot be asked");
		const visits = createPageVisits(ask);
		for (let round = 0; round < ROUNDS_MAX; round++) {
			const asked = inputRequired(reply);
			if (!asked) {
				if (call.onNotification) visits.done(call.onNotification);
				return reply;
			}
			const responses = await askAll(asked, visits.ask);
			if (!responses) return refused("the client did not answer");
			await visits.pause(call.signal);
			reply = await upstream.request({
				...call,
				params: withResponses(call.params, responses, asked),
			});
		}
		return visits.refusal() ?? refused("the server asks without end");
	};

	return {
		opened,
		sealed,
		park,
		fulfil,
		close: () => {
			for (const { abort, expiry } of parked.values()) {
				expiry.abort();
				abort.abort();
			}
			parked.clear();
		},
	};
}

type Asked = { readonly body: Bytes; readonly members: readonly Member[] };

const INPUT_REQUIRED = Buffer.from('"input_required"');

/** The result of a server that needs input; null for any other. */
export function inputRequired({ member, body }: Reply): Asked | null {
	if (member !== "result" || !(body instanceof Uint8Array)) return null;
	if (!holds(body, INPUT_REQUIRED)) return null;
	const members = membersOf(body, 0);
	const type = members.find(({ key }) => key === "resultType");
	return type && textOf(body, type) === '"input_required"'
		? { body, members }
		: null;
}

/** Hands the client's responses to the questions that wait. What is not answered is asked again. */
function deliver(waiting: Parked, params: Bytes): void {
	const responses = memberOf(params, 0, "inputResponses");
	if (!responses) return;
	for (const { key, start, end } of membersOf(params, responses.start)) {
		waiting.questions
			.get(key)
			?.settle({ member: "result", body: params.slice(start, end) });
		waiting.questions.delete(key);
	}
	waiting.asked = Promise.withResolvers();
}

/** What a modern client is told: the questions, and the handle to come back with. */
function questionsReply({ questions }: Parked, state: string): Reply {
	const asked = [...questions].map(([key, { question }]) =>
		join([
			`${JSON.stringify(key)}:{"method":${JSON.stringify(question.method)}`,
			...(question.params ? [',"params":', question.params] : []),
			"}",
		]),
	);
	return {
		member: "result",
		body: join([
			'{"resultType":"input_required","inputRequests":{',
			...asked.flatMap((entry, index) =>
				index === 0 ? [entry] : [",", entry],
			),
			`},"requestState":${JSON.stringify(state)}}`,
		]),
		isQuestion: true,
	};
}

/** The params of a question without the id of a page, which the modern era does not have. */
function withoutId(params: Bytes): Bytes {
	return holds(params, '"elicitationId"')
		? withoutMember(params, "elicitationId")
		: params;
}

const VISITED = "notifications/elicitation/complete";

/** Whether a server says that a page was visited, which the modern era does not say. */
function tellsOfVisit(message: Bytes): boolean {
	if (!holds(message, `"${VISITED}"`)) return false;
	const parsed = parseMessage(message);
	return parsed.kind === "notification" && parsed.method === VISITED;
}

/** Asks everything that a modern server wants to know, at once. Null when the client refuses. */
async function askAll(
	asked: Asked,
	ask: Ask,
): Promise<readonly (readonly [string, Bytes])[] | null> {
	const requests = asked.members.find(({ key }) => key === "inputRequests");
	if (!requests) return [];
	const answers = await Promise.all(
		membersOf(asked.body, requests.start).map(async (request) => {
			const method = memberOf(asked.body, request.start, "method");
			const params = memberOf(asked.body, request.start, "params");
			const reply = await ask({
				method: method ? String(parseJson(asked.body, method)) : "",
				params: params ? asked.body.slice(params.start, params.end) : null,
			});
			return reply.member === "result" && reply.body instanceof Uint8Array
				? ([request.key, reply.body] as const)
				: null;
		}),
	);
	return answers.every((answer) => answer !== null) ? answers : null;
}

/** The params of the next round: as they were, with the responses and the server's own state in front. */
function withResponses(
	params: Bytes | null,
	responses: readonly (readonly [string, Bytes])[],
	asked: Asked,
): Bytes {
	const state = asked.members.find(({ key }) => key === "requestState");
	const own = params ?? toBytes("{}");
	return join([
		'{"inputResponses":{',
		...responses.flatMap(([key, body], index) => [
			`${index === 0 ? "" : ","}${JSON.stringify(key)}:`,
			body,
		]),
		"}",
		...(state
			? [',"requestState":', asked.body.subarray(state.start, state.end)]
			: []),
		membersOf(own, 0).length > 0 ? "," : "",
		own.subarray(1),
	]);
}

function refused(reason: string): Reply {
	return errorReply(
		new RpcError(RPC.internalError, `the server has a question, and ${reason}`),
	);
}
