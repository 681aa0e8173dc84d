/**
 * Who gets a request: the name says which server, the caller says which upstream of it.
 *
 * The router knows no HTTP, no tokens and no sessions: a view, a method and the params as bytes go in, a reply comes
 * out. Names are cut into the bytes; arguments and results are never re-serialised.
 */
import type { Abortable } from "../abort.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import {
	type Bytes,
	memberOf,
	parseJson,
	textOf,
	toBytes,
} from "../message.ts";
import { type Era, RPC } from "../protocol.ts";
import type { CallRecorder } from "../store/calls.ts";
import type { Server } from "../store/servers.ts";
import { type ReplyTo, replied, tell } from "../upstream/reply-to.ts";
import type {
	ListKind,
	Reply,
	ServerFacts,
	Upstream,
	Upstreams,
} from "../upstream/upstream.ts";
import { adaptResult } from "./adapt.ts";
import { askFrom } from "./asking.ts";
import { isAskable } from "./capabilities.ts";
import { type Description, describe } from "./description.ts";
import type { Input } from "./input.ts";
import { createLists, type Merged } from "./lists.ts";
import { loggedBy } from "./logging.ts";
import type { Pins } from "./pins.ts";
import type { Results } from "./results.ts";
import { mayHoldState, purposeOf, type Routed } from "./routed.ts";
import { Routing, type Ways } from "./routing.ts";
import { RpcError } from "./rpc.ts";
import { Sent } from "./sent.ts";
import type { Shapes } from "./shape.ts";
import { type Listings, ownerOf, type Target, targetOf } from "./target.ts";
import { asTaskCall, listTasks } from "./task-calls.ts";
import type { Task, Tasks } from "./tasks.ts";
import type { Ties } from "./ties.ts";
import type { View } from "./view.ts";
import type { Visit, Visits } from "./visits.ts";

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

	const forward: Ways["forward"] = (view, routed, target, to) => {
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

	const readOn: Ways["readOn"] = async (view, routed, params) => {
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

	const limited: Ways["limited"] = async (
		view,
		{ server },
		limitBytes,
		reply,
	) => {
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
	const record: Ways["record"] = (
		{ caller: { userId, clientId } },
		{ method },
		{ server, name },
		startedMs,
		outcome,
	) =>
		deps.calls.record({
			userId,
			clientId,
			serverId: server.id,
			method,
			name,
			outcome,
			durationMs: deps.clock.nowMs() - startedMs,
		});

	const visited: Ways["visited"] = (view, routed, target, need) => {
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

/** A request whose notifications and questions say which server they are from. */
function saidBy(slug: string, routed: Routed): Routed {
	return {
		...routed,
		onNotification: (message) => routed.onNotification(loggedBy(slug, message)),
		ask: routed.ask && askFrom(slug, routed.ask),
	};
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
