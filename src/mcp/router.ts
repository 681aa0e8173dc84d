/**
 * Who gets a request: the name says which server, the caller says which upstream of it.
 *
 * The router knows no HTTP, no tokens and no sessions: a view, a method and the params as bytes go in, a reply comes
 * out. Names are cut into the bytes; arguments and results are never re-serialised.
 */
import type { Abortable } from "../abort.ts";
import { bufferOf } from "../assembly.ts";
import type { Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import type { HttpRequest } from "../http1/incoming.ts";
import type { Log } from "../log.ts";
import {
	type Bytes,
	holds,
	memberOf,
	parseJson,
	textOf,
	toBytes,
} from "../message.ts";
import { type Era, RPC } from "../protocol.ts";
import type { CallRecord, CallRecorder } from "../store/calls.ts";
import { SHARED } from "../store/secrets.ts";
import type { Server } from "../store/servers.ts";
import { type ParamHeaders, paramHeadersOf } from "../upstream/mirror.ts";
import { NeedsPerson } from "../upstream/needs-person.ts";
import { wholeBody } from "../upstream/reply.ts";
import { type ReplyTo, replied, tell } from "../upstream/reply-to.ts";
import type {
	ListKind,
	Reply,
	ServerFacts,
	Upstream,
	Upstreams,
} from "../upstream/upstream.ts";
import { adaptResult, withPrivateCache } from "./adapt.ts";
import { askFrom, questionsFrom } from "./asking.ts";
import { isAskable } from "./capabilities.ts";
import { type Description, describe } from "./description.ts";
import { requireMirrored } from "./era.ts";
import { exposeResult, mayHoldUris } from "./exposure.ts";
import { type Ask, type Input, inputRequired } from "./input.ts";
import { createLists, type Merged } from "./lists.ts";
import { loggedBy } from "./logging.ts";
import { pagesAsked } from "./pages.ts";
import type { Pins } from "./pins.ts";
import { READ_MORE_NAMES, type Results, resultLimit } from "./results.ts";
import { asServersFault, explain, RpcError, toolErrorReply } from "./rpc.ts";
import type { Entry, Shapes } from "./shape.ts";
import { withObjectResult, wrapsOutput } from "./structured.ts";
import { type Listings, ownerOf, type Target, targetOf } from "./target.ts";
import { asTaskCall, listTasks, type TaskCall } from "./task-calls.ts";
import type { Task, Tasks } from "./tasks.ts";
import type { End, Ties } from "./ties.ts";
import type { View } from "./view.ts";
import type { Visit, Visits } from "./visits.ts";

/** A request to be routed. */
export type Routed = {
	readonly era: Era;
	readonly method: string;
	readonly params: Bytes | null;
	readonly signal: Abortable;
	readonly onNotification: (message: Bytes) => void;
	/** Asks the user of a legacy client; null when that cannot be. A modern client is asked by its answer. */
	readonly ask: Ask | null;
	/** The legacy session, or empty. */
	readonly session: string;
	/** The raw JSON of the log level that the client wants, or null. */
	readonly logLevel: string | null;
	/** The headers of a modern request, in which a tool may want some of its arguments repeated. */
	readonly headers?: HttpRequest["headers"];
	/** The legacy client outside this call, where it may have to be told something then. */
	readonly end?: End | null;
};

export type Router = {
	/** The entries of a list as this view shows them, and how long they are good for. */
	readonly list: (view: View, kind: ListKind) => Merged | Promise<Merged>;
	/** Sends a request to the one server it names. It fails with RpcError for a name nobody has. */
	readonly send: (view: View, routed: Routed, to: ReplyTo) => void;
	/**
	 * Watches a resource by its exposed URI until the returned function is called.
	 * @throws RpcError for a resource nobody has
	 */
	readonly watch: (
		view: View,
		uri: string,
		signal: Abortable,
	) => Promise<() => void>;
	/** The same for a modern task by its exposed id. @throws RpcError for a task that is not the caller's */
	readonly watchTask: (
		view: View,
		exposed: string,
		signal: Abortable,
	) => Promise<() => void>;
	/** What the view's servers can do together, and how to use them. */
	readonly describe: (view: View) => Promise<Description>;
	/** A page of the legacy tasks of this caller. @throws RpcError for a cursor that is not ours */
	readonly tasks: (
		view: View,
		cursor: unknown,
		signal: Abortable,
	) => Promise<Reply>;
	/** Every upstream of the view that is awake. */
	readonly awake: (view: View) => readonly Upstream[];
};

export function createRouter(deps: {
	readonly upstreams: Upstreams;
	/** Told of every upstream that is used, again and again. */
	readonly onUpstream: (upstream: Upstream) => void;
	readonly pins: Pick<Pins, "instructions">;
	readonly shapes: Shapes;
	readonly results: Results;
	readonly input: Input;
	readonly visits: Visits;
	readonly ties: Pick<Ties, "through">;
	readonly tasks: Tasks;
	readonly calls: CallRecorder;
	readonly clock: Clock;
	readonly log: Log;
}): Router {
	const upstreamOf = (view: View, server: Server): Upstream => {
		const { caller, capabilities } = view;
		const upstream = deps.upstreams.forUser(
			server,
			caller.userId,
			capabilities,
		);
		deps.onUpstream(upstream);
		return upstream;
	};
	const lists = createLists({
		upstreamOf,
		changes: deps.upstreams.changes,
		shapes: deps.shapes,
		clock: deps.clock,
		log: deps.log,
	});

	/** Who is asked: a task is asked for where it runs. */
	const askedOf = (
		view: View,
		{ server, task }: Pick<Target, "server" | "task">,
	): Upstream => {
		const usual = upstreamOf(view, server);
		return task ? runningAt(usual, server, task) : usual;
	};
	const runningAt = (usual: Upstream, server: Server, task: Task): Upstream => {
		if (deps.tasks.variantOf(usual) === task.variant) return usual;
		const running = deps.upstreams
			.live(server.id)
			.find(
				(each) =>
					each.identity === usual.identity &&
					deps.tasks.variantOf(each) === task.variant,
			);
		return running ?? usual;
	};

	/** A web address keeps its spelling at the shared endpoint: its owner is whoever lists it. */
	const listerOf = async (view: View, uri: string): Promise<Server | null> => {
		for (const server of view.servers) {
			const { shown } = await lists.of(view, server, "resources");
			if (shown.some(({ key }) => key === uri)) return server;
		}
		return null;
	};

	/** Sends the call on, in the pairing of eras that client and server make. */
	const converse = (
		view: View,
		routed: Routed,
		{ server, name, params }: Target,
		upstream: Upstream,
		era: Era,
		to: ReplyTo,
	): void => {
		const { method, signal, onNotification, ask, logLevel } = routed;
		const asker = routed.session || callerOf(view);
		const plain = { method, params, signal, onNotification, asker };
		if (routed.end && ask && era === "legacy") {
			tell(deps.ties.through(upstream, plain, ask, routed.end), to);
			return;
		}
		if (routed.era === "legacy" && era === "legacy") {
			upstream.send(ask ? { ...plain, onQuestion: ask } : plain, to);
			return;
		}
		const call = logLevel === null ? plain : { ...plain, logLevel };
		if (routed.era === "modern" && era === "modern") {
			const purpose =
				params && mayHoldState(params)
					? purposeOf(view, method, server, name)
					: null;
			upstream.send(
				purpose === null
					? call
					: { ...call, params: deps.input.opened(params as Bytes, purpose) },
				to,
			);
			return;
		}
		if (routed.era === "modern" && !isAskable(upstream.capabilities)) {
			upstream.send(call, to);
			return;
		}
		const interactive = {
			purpose: purposeLater(view, method, server, name),
			upstream,
			call,
		};
		tell(
			routed.era === "legacy"
				? deps.input.fulfil(interactive, ask)
				: deps.input.park(interactive),
			to,
		);
	};

	/** Sends the call to its target. It fails with RpcError, SallyportError, and NeedsPerson when only the caller can help. */
	const forward = (
		view: View,
		routed: Routed,
		target: Target,
		to: ReplyTo,
	): void => {
		try {
			if (target.refusal) throw target.refusal;
			const upstream = askedOf(view, target);
			const facts = upstream.liveFacts();
			if (facts) forwardTo(upstream, facts, view, routed, target, to);
			else void forwardAwake(upstream, view, routed, target, to);
		} catch (error) {
			to.onFailure(error);
		}
	};
	const forwardAwake = async (
		upstream: Upstream,
		view: View,
		routed: Routed,
		target: Target,
		to: ReplyTo,
	): Promise<void> => {
		try {
			const facts = await upstream.facts(routed.signal);
			forwardTo(upstream, facts, view, routed, target, to);
		} catch (error) {
			to.onFailure(error);
		}
	};
	/** @throws when the call cannot be put into words */
	const forwardTo = (
		upstream: Upstream,
		facts: ServerFacts,
		view: View,
		routed: Routed,
		target: Target,
		to: ReplyTo,
	): void => {
		const said = view.only ? routed : saidBy(target.server.slug, routed);
		const call = asTaskCall(deps.tasks, view, said, target, upstream, facts);
		const { era } = facts;
		const sent = new Sent(
			deps.input,
			{ view, routed, target, upstream, era, finish: call.finish },
			to,
		);
		converse(view, call.routed, call.target, upstream, era, sent);
	};

	/** A page of a result that was kept, when that is what is called; null for any other call. */
	const readOn = async (
		view: View,
		routed: Routed,
		params: Bytes,
	): Promise<Reply | null> => {
		const name = memberOf(params, 0, "name");
		const own = name && (await lists.readMoreName(view));
		if (!own || parseJson(params, name) !== own) return null;
		const { reply, serverId } = deps.results.more(view.caller, params);
		if (serverId !== null)
			deps.calls.record({
				userId: view.caller.userId,
				clientId: view.caller.clientId,
				serverId,
				method: routed.method,
				name: own,
				outcome: "ok",
				durationMs: 0,
			});
		return adaptResult(routed, "legacy", reply);
	};

	/** The reply, or the first page of it. */
	const limited = async (
		view: View,
		{ server }: Target,
		limitBytes: number,
		reply: Reply,
	): Promise<Reply> => {
		const name = await lists.readMoreName(view);
		return name === null
			? reply
			: deps.results.limit(view.caller, server.id, limitBytes, name, reply);
	};

	const listings: Listings = {
		listerOf,
		shapeOf: lists.forCall,
		openTask: deps.tasks.open,
	};
	const record = (
		{ caller: { userId, clientId } }: View,
		{ method }: Routed,
		{ server, name }: Target,
		startedMs: number,
		outcome: CallRecord["outcome"],
	): void =>
		deps.calls.record({
			userId,
			clientId,
			serverId: server.id,
			method,
			name,
			outcome,
			durationMs: deps.clock.nowMs() - startedMs,
		});

	/**
	 * The target's answer once its person has done what only they can do.
	 * @param need what it failed with just now; null: it comes back with what was asked before
	 */
	const visited = (
		view: View,
		routed: Routed,
		target: Target,
		need: NeedsPerson | null,
	): Promise<Reply> => {
		let failed = need;
		let isAgain = need !== null;
		return deps.visits.through(
			visitOf(view, routed, target),
			async (params) => {
				const before = failed;
				failed = null;
				if (before) throw before;
				// What a server has is known only when its person has signed in.
				const isKnown = !isAgain && params === routed.params;
				isAgain = true;
				const now = isKnown
					? target
					: await targetOf(view, { ...routed, params }, listings);
				return replied((to) => forward(view, routed, now, to));
			},
		);
	};

	const ways: Ways = {
		readOn,
		find: (view, routed) => targetOf(view, routed, listings),
		forward,
		visited,
		limited,
		nowMs: deps.clock.nowMs,
		record,
	};
	const send: Router["send"] = (view, routed, to) =>
		new Routing(ways, view, routed, to).begin();

	const watch: Router["watch"] = async (view, uri, signal) => {
		const owned = view.only
			? { server: view.only, name: uri }
			: await ownerOf(view, "legacy", uri, listerOf);
		return upstreamOf(view, owned.server).watch(
			`resource ${owned.name}`,
			signal,
		);
	};

	const watchTask: Router["watchTask"] = async (view, exposed, signal) => {
		const task = deps.tasks.open(view, "modern", exposed);
		if (!task) throw new RpcError(RPC.invalidParams, "the task is not known");
		const { server, taskId } = task;
		return askedOf(view, { server, task }).watch(`task ${taskId}`, signal);
	};

	const tasks: Router["tasks"] = (view, cursor, signal) =>
		listTasks(deps.tasks, view, cursor, (exposed) => {
			const routed: Routed = {
				era: "legacy",
				method: "tasks/get",
				params: toBytes(JSON.stringify({ taskId: exposed })),
				signal,
				onNotification: () => {},
				ask: null,
				session: "",
				logLevel: null,
			};
			return replied((to) => send(view, routed, to));
		});

	return {
		list: lists.merged,
		send,
		tasks,
		watch,
		watchTask,
		describe: (view) => describe(view, upstreamOf, deps.pins, deps.log),
		awake: (view) =>
			view.servers
				.flatMap((server) => deps.upstreams.live(server.id))
				.filter(
					(upstream) =>
						upstream.identity === "shared" ||
						upstream.identity === view.caller.userId,
				),
	};
}

/** Methods whose result a tool wrote. */
const PAGED: ReadonlySet<string> = new Set(["tools/call", "tasks/result"]);
/** A call to read on is small. */
const READ_ON_BYTES_MAX = 4096;

/** Whether a call may be one to read on: looked at without parsing, because every call is. */
function mayReadOn(params: Bytes | null): params is Bytes {
	return (
		params !== null &&
		params.length <= READ_ON_BYTES_MAX &&
		holds(params, READ_MORE)
	);
}

/** What each of its names ends with. */
const READ_MORE = Buffer.from(READ_MORE_NAMES[0]);

/** The ways of the router, as a request on its way must know them. */
type Ways = {
	readonly readOn: (
		view: View,
		routed: Routed,
		params: Bytes,
	) => Promise<Reply | null>;
	readonly find: (view: View, routed: Routed) => Target | Promise<Target>;
	readonly forward: (
		view: View,
		routed: Routed,
		target: Target,
		to: ReplyTo,
	) => void;
	readonly visited: (
		view: View,
		routed: Routed,
		target: Target,
		need: NeedsPerson | null,
	) => Promise<Reply>;
	readonly limited: (
		view: View,
		target: Target,
		limitBytes: number,
		reply: Reply,
	) => Promise<Reply>;
	readonly nowMs: () => number;
	readonly record: (
		view: View,
		routed: Routed,
		target: Target,
		startedMs: number,
		outcome: CallRecord["outcome"],
	) => void;
};

/** One request, until its reply is known and recorded. A class, because every call makes one. */
class Routing implements ReplyTo {
	readonly #ways: Ways;
	readonly #view: View;
	readonly #routed: Routed;
	readonly #to: ReplyTo;
	#target: Target | null = null;
	#startedMs = 0;
	/** Its person was sent somewhere once, and is not again. */
	#isVisited: boolean;

	constructor(ways: Ways, view: View, routed: Routed, to: ReplyTo) {
		this.#ways = ways;
		this.#view = view;
		this.#routed = routed;
		this.#to = to;
		this.#isVisited = isComingBack(routed);
	}

	begin(): void {
		const { method, params } = this.#routed;
		if (method === "tools/call" && mayReadOn(params)) void this.#readOn(params);
		else this.#find();
	}

	async #readOn(params: Bytes): Promise<void> {
		try {
			const page = await this.#ways.readOn(this.#view, this.#routed, params);
			if (page) this.#to.onReply(page);
			else this.#find();
		} catch (error) {
			this.#to.onFailure(error);
		}
	}

	#find(): void {
		try {
			const target = this.#ways.find(this.#view, this.#routed);
			if (target instanceof Promise) void this.#await(target);
			else this.#goTo(target);
		} catch (error) {
			this.#to.onFailure(error);
		}
	}

	async #await(target: Promise<Target>): Promise<void> {
		try {
			this.#goTo(await target);
		} catch (error) {
			this.#to.onFailure(error);
		}
	}

	/** @throws RpcError for a modern client whose headers do not say what the tool wants in them */
	#goTo(target: Target): void {
		const view = this.#view;
		const routed = this.#routed;
		if (routed.headers && target.entry)
			requireMirrored(routed.params, markedBy(target.entry), routed.headers);
		this.#target = target;
		this.#startedMs = this.#ways.nowMs();
		if (this.#isVisited)
			tell(this.#ways.visited(view, routed, target, null), this);
		else this.#ways.forward(view, routed, target, this);
	}

	onReply(whole: Reply): void {
		const target = this.#target as Target;
		const limitBytes = PAGED.has(this.#routed.method)
			? resultLimit(this.#view, target.server)
			: null;
		if (limitBytes === null) this.#end(whole);
		else void this.#limit(target, limitBytes, whole);
	}

	async #limit(
		target: Target,
		limitBytes: number,
		whole: Reply,
	): Promise<void> {
		let reply: Reply;
		try {
			reply = await this.#ways.limited(this.#view, target, limitBytes, whole);
		} catch (error) {
			this.#fail(error);
			return;
		}
		this.#end(reply);
	}

	onFailure(error: unknown): void {
		if (!(error instanceof NeedsPerson) || this.#isVisited) {
			this.#fail(error);
			return;
		}
		this.#isVisited = true;
		const target = this.#target as Target;
		tell(this.#ways.visited(this.#view, this.#routed, target, error), this);
	}

	#end(reply: Reply): void {
		this.#record(outcomeOf(this.#routed.method, reply));
		this.#to.onReply(reply);
	}

	#fail(error: unknown): void {
		const { method, signal } = this.#routed;
		this.#record(signal.aborted ? "cancelled" : "error");
		// A tool that cannot be reached is something the model should read, not a fault of the protocol.
		if (
			method === "tools/call" &&
			error instanceof SallyportError &&
			error.code !== "internal"
		) {
			const reply = toolErrorReply(explain(error));
			this.#to.onReply(adaptResult(this.#routed, "legacy", reply));
		} else this.#to.onFailure(error);
	}

	#record(outcome: CallRecord["outcome"]): void {
		const target = this.#target as Target;
		this.#ways.record(
			this.#view,
			this.#routed,
			target,
			this.#startedMs,
			outcome,
		);
	}
}

/** What must be known of a call when its answer comes. */
type Sending = {
	readonly view: View;
	readonly routed: Routed;
	readonly target: Target;
	readonly upstream: Upstream;
	readonly era: Era;
	readonly finish: TaskCall["finish"];
};

/** A call that was sent, and whose answer is put into its client's words. A class, because every call makes one. */
class Sent implements ReplyTo {
	readonly #input: Input;
	readonly #sending: Sending;
	readonly #to: ReplyTo;

	constructor(input: Input, sending: Sending, to: ReplyTo) {
		this.#input = input;
		this.#sending = sending;
		this.#to = to;
	}

	onReply(answer: Reply): void {
		let reply: Reply | Promise<Reply>;
		try {
			reply = finished(this.#sending, this.#sealed(answer));
		} catch (error) {
			this.#to.onFailure(asServersFault(error));
			return;
		}
		if (reply instanceof Promise) tell(reply.catch(unreadable), this.#to);
		else this.#to.onReply(reply);
	}

	onFailure(error: unknown): void {
		this.#to.onFailure(error);
	}

	/** What a modern server wants back from a modern client is for that client alone. */
	#sealed(answer: Reply): Reply {
		const { view, routed, target, era } = this.#sending;
		if (routed.era === "legacy" || era === "legacy" || !inputRequired(answer))
			return answer;
		const { server, name } = target;
		const purpose = purposeOf(view, routed.method, server, name);
		return this.#input.sealed(answer, purpose);
	}
}

function unreadable(error: unknown): never {
	throw asServersFault(error);
}

/** What an answer comes to, once whatever is sealed in it is. */
function finished(sent: Sending, answer: Reply): Reply | Promise<Reply> {
	const { view, routed, upstream, finish } = sent;
	const mayHaveUris =
		view.only === null && mayHoldUris(routed.method) && hasResources(upstream);
	return finish || mayHaveUris
		? finishedWhole(sent, answer, mayHaveUris)
		: worded(sent, answer);
}

/** The same of one in which ids of tasks or addresses of resources are to be written anew. */
async function finishedWhole(
	sent: Sending,
	answer: Reply,
	mayHaveUris: boolean,
): Promise<Reply> {
	const { routed, target, finish } = sent;
	const reply = finish ? await finish(answer) : answer;
	if (!mayHaveUris || reply.member === "error") return worded(sent, reply);
	const body = exposeResult(
		target.server.slug,
		await wholeBody(reply.body),
		routed.method === "tasks/get",
	);
	return worded(sent, { ...reply, body });
}

/** The reply as the client's era, and the endpoint, want it said. */
function worded(
	{ view, routed, era, target: { server, name }, upstream }: Sending,
	reply: Reply,
): Reply | Promise<Reply> {
	const { method } = routed;
	const paged =
		routed.era === "modern" && era === "legacy"
			? pagesAsked(reply, view.capabilities)
			: reply;
	const mayAsk = era === "modern" || paged.isQuestion;
	const asked =
		mayAsk && !view.only ? questionsFrom(server.slug, paged) : paged;
	const adapted = adaptResult(routed, era, asked);
	if (method === "resources/read" && upstream.identity !== SHARED)
		return withPrivateCache(adapted);
	return method === "tools/call" && routed.era === "legacy" && era === "modern"
		? withObjectResult(
				adapted,
				wrapsOutput(upstream.lastList("tools") ?? [], name ?? ""),
			)
		: adapted;
}

/** A request whose notifications and questions say which server they are from. */
function saidBy(slug: string, routed: Routed): Routed {
	return {
		...routed,
		onNotification: (message) => routed.onNotification(loggedBy(slug, message)),
		ask: routed.ask && askFrom(slug, routed.ask),
	};
}

/** The arguments of tools that travel as headers, found once for as long as the tool is the same. */
const marks = new WeakMap<Entry, ParamHeaders>();

function markedBy(entry: Entry): ParamHeaders {
	const known = marks.get(entry);
	if (known) return known;
	const found = paramHeadersOf(entry.bytes) ?? [];
	marks.set(entry, found);
	return found;
}

function hasResources(upstream: Upstream): boolean {
	return upstream.knownFacts()?.capabilities["resources"] !== undefined;
}

function outcomeOf(method: string, reply: Reply): CallRecord["outcome"] {
	if (reply.member === "error") return "error";
	return isToolError(method, reply) ? "tool_error" : "ok";
}

/** `"isError":true` in a small result; a large one is not read for the record's sake. */
function isToolError(method: string, { body }: Reply): boolean {
	return (
		method === "tools/call" &&
		body instanceof Uint8Array &&
		body.length < 4096 &&
		holds(body, IS_ERROR) &&
		/"isError"\s*:\s*true/.test(bufferOf(body).toString("latin1"))
	);
}

const IS_ERROR = Buffer.from('"isError"');

/** A call that was answered with a question of ours, perhaps, and comes back with what its client kept for it. */
function isComingBack({ era, params }: Routed): boolean {
	return era === "modern" && params !== null && mayHoldState(params);
}

function mayHoldState(params: Bytes): boolean {
	return holds(params, REQUEST_STATE);
}

const REQUEST_STATE = Buffer.from("requestState");

/** Whose call it is: what is sealed for one opens for no other. */
function purposeOf(
	{ caller: { userId, clientId } }: View,
	method: string,
	server: Server,
	name: string | null,
): string {
	return JSON.stringify([userId, clientId, server.id, method, name]);
}

/** Who asks, where no session says it. */
function callerOf({ caller: { userId, clientId } }: View): string {
	return `${userId} ${clientId}`;
}

function purposeLater(
	view: View,
	method: string,
	server: Server,
	name: string | null,
): () => string {
	return () => purposeOf(view, method, server, name);
}

function visitOf(view: View, routed: Routed, target: Target): Visit {
	const { method, params, signal, onNotification, ask } = routed;
	return {
		...{ method, params, signal, onNotification, ask },
		purpose: () => {
			// As the client wrote it: what the server calls it may not be known yet.
			const named =
				params && (memberOf(params, 0, "name") ?? memberOf(params, 0, "uri"));
			const name = named && params ? textOf(params, named) : null;
			return purposeOf(view, method, target.server, name);
		},
		capabilities: view.capabilities,
		isModern: routed.era === "modern",
		serverId: target.server.id,
		userId: view.caller.userId,
	};
}
