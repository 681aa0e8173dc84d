/**
 * The pool: one upstream for each server, credential identity and set of capabilities, made when first asked for. Those
 * of a modern server that differ only in the last share one process.
 *
 * So two users of a server with personal secrets never share a process or a connection, and all clients of one user
 * do. It bounds how many processes run, and puts those to sleep that nobody has asked for a while.
 */
import { type Clock, delay, every } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import type { Log } from "../log.ts";
import { SHARED } from "../store/secrets.ts";
import type { Server } from "../store/servers.ts";
import { identityFor, missingSlots } from "./credentials.ts";
import { createDial, type DialDeps, missingSecrets } from "./dial.ts";
import { createUpstream, type LifeDeps, type LivingUpstream } from "./life.ts";
import { Pool } from "./pool.ts";
import { SharedProcess } from "./shared-process.ts";
import { createSnapshots } from "./snapshots.ts";
import type { Upstreams } from "./upstream.ts";

const IDLE_STOP_MS = 10 * 60_000;
const SWEEP_MS_MAX = 30_000;
/** Processes at once; one more puts the longest idle one to sleep. */
const PROCESSES_MAX = 100;
/** Upstreams of one server and identity: each tells the server something else of what can be asked. */
const VARIANTS_MAX = 8;
/** Nobody can be asked anything. */
const PLAIN = "{}";
/** Streams that wait for news from HTTP servers. Bun opens 256 connections at once, and calls need them more. */
const STREAMS_MAX = 100;

export type UpstreamsDeps = Omit<DialDeps, "takeStream" | "retire"> & {
	readonly clock: Clock;
	readonly log: Log;
	/** Without calls for this long, a process is stopped until the next one. */
	readonly idleStopMs?: number;
};

/** What servers reached over HTTP have: nothing, which they can share. */
const NO_PROCESS = new SharedProcess();

/** All upstreams of the gateway. */
export function createUpstreams(deps: UpstreamsDeps): Upstreams {
	const { db, clock, log } = deps;
	const idleStopMs = deps.idleStopMs ?? IDLE_STOP_MS;
	const pool = new Pool();
	const snapshots = createSnapshots(deps);
	/** What the upstreams of a server and identity share, until they are closed together. */
	const processes = new Map<string, SharedProcess>();
	/** Put out of the pool, and not closed yet. */
	const leaving = new Set<Promise<void>>();
	const closing = new AbortController();
	const retiring = new Set<string>();
	/** Takes it out of the pool, so that the next call begins anew, and closes it when its last call is over. */
	const retire = async (
		serverId: string,
		identity: string,
		at: number,
	): Promise<void> => {
		const key = `${serverId} ${identity}`;
		if (retiring.has(key)) return;
		retiring.add(key);
		for (let wait = 1; wait > 0 && !closing.signal.aborted; ) {
			wait = at - clock.now();
			// A timer holds 24 days at most, and a clock may be set.
			await delay(Math.min(Math.max(wait, 0), 3600) * 1000, closing.signal);
		}
		retiring.delete(key);
		if (closing.signal.aborted) return;
		processes.delete(key);
		for (const upstream of pool.of(serverId, identity)) {
			pool.delete(upstream);
			const gone = closeAtRest(upstream, closing.signal).finally(() =>
				leaving.delete(gone),
			);
			leaving.add(gone);
		}
	};

	/** The upstreams that have a process, by the process. */
	const running = (): readonly (readonly LivingUpstream[])[] => {
		const active = pool
			.all()
			.filter(
				(upstream) =>
					upstream.isProcess &&
					["ready", "starting"].includes(upstream.state()),
			);
		return Object.values(
			Object.groupBy(active, (upstream) =>
				upstream.knownFacts()?.era === "modern"
					? placeOf(upstream)
					: `${placeOf(upstream)} ${upstream.capabilities}`,
			),
		) as LivingUpstream[][];
	};
	const admit = async (): Promise<void> => {
		const processes = running();
		if (processes.length < PROCESSES_MAX) return;
		const [idlest] = processes
			.filter((users) => users.every((user) => user.idleSinceMs() !== null))
			.toSorted((a, b) => lastIdle(a) - lastIdle(b));
		if (!idlest)
			throw new SallyportError(
				"unavailable",
				`${PROCESSES_MAX} server processes run, and all are busy`,
				{ hint: "try again in a moment" },
			);
		await Promise.all(idlest.map((user) => user.sleep()));
	};

	const stopSweeping = every(Math.min(idleStopMs / 2, SWEEP_MS_MAX), () => {
		const nowMs = clock.nowMs();
		for (const upstream of pool.all()) {
			const sinceMs = upstream.idleSinceMs();
			if (sinceMs === null || nowMs - sinceMs < idleStopMs) continue;
			log.info("upstream asleep", { slug: upstream.server.slug });
			void upstream.sleep();
		}
	});

	const processAt = ({ id }: Server, identity: string): SharedProcess => {
		const place = `${id} ${identity}`;
		const process = processes.get(place) ?? new SharedProcess();
		processes.set(place, process);
		return process;
	};

	const life: LifeDeps = {
		dial: createDial({
			...deps,
			takeStream: createSlots(STREAMS_MAX),
			retire: (serverId, identity, at) => void retire(serverId, identity, at),
		}),
		clock,
		log,
		snapshots,
		admit,
		onChange: () => void pool.changes++,
	};
	const create = (
		server: Server,
		identity: string,
		capabilities: string,
	): LivingUpstream => {
		deps.connections.requireConnected(server, identity);
		const missing = missingSlots(db, server, identity);
		if (missing.length > 0) throw missingSecrets(deps, server, missing);
		const isProcess = server.transport.kind !== "http";
		const process = isProcess ? processAt(server, identity) : NO_PROCESS;
		return createUpstream(life, { server, identity, capabilities, process });
	};

	/** Makes room for one more variant; false when all that there are have work. */
	const makeRoom = (server: Server, identity: string): boolean => {
		const variants = pool
			.of(server.id, identity)
			.filter((upstream) => upstream.capabilities !== PLAIN);
		if (variants.length < VARIANTS_MAX) return true;
		const [idlest] = variants
			.filter((upstream) => upstream.restingSinceMs() !== null)
			.toSorted(
				(a, b) => Number(a.restingSinceMs()) - Number(b.restingSinceMs()),
			);
		if (!idlest) return false;
		pool.delete(idlest);
		const gone = idlest.close().finally(() => leaving.delete(gone));
		leaving.add(gone);
		return true;
	};

	const forUser: Upstreams["forUser"] = (
		server,
		userId,
		capabilities = PLAIN,
	) => {
		const identity = identityFor(server, userId);
		const known = pool.find(server.id, identity, capabilities);
		if (known) return known;
		// Better a call in which nobody can be asked than none.
		if (capabilities !== PLAIN && !makeRoom(server, identity))
			return forUser(server, userId);
		const fresh = create(server, identity, capabilities);
		pool.add(fresh);
		return fresh;
	};

	return {
		forUser,
		drop: async (serverId, identity) => {
			// One that could not be made may be made now.
			pool.changes++;
			if (identity === undefined || identity === SHARED)
				snapshots.forget(serverId);
			const dropped = pool.of(serverId, identity);
			for (const upstream of dropped) {
				pool.delete(upstream);
				processes.delete(placeOf(upstream));
			}
			await Promise.all(dropped.map((upstream) => upstream.close()));
		},
		live: (serverId) => pool.of(serverId),
		changes: () => pool.changes,
		close: async () => {
			stopSweeping();
			closing.abort();
			const all = pool.all();
			for (const upstream of all) pool.delete(upstream);
			await Promise.all([
				...leaving,
				...all.map((upstream) => upstream.close()),
			]);
		},
	};
}

/** What has a process of its own, if it has one. */
function placeOf({ server, identity }: LivingUpstream): string {
	return `${server.id} ${identity}`;
}

/** Since when a process has had nothing to do. */
function lastIdle(users: readonly LivingUpstream[]): number {
	return Math.max(...users.map((user) => Number(user.idleSinceMs())));
}

const REST_POLL_MS = 1000;

async function closeAtRest(
	upstream: LivingUpstream,
	signal: AbortSignal,
): Promise<void> {
	while (upstream.restingSinceMs() === null && !signal.aborted)
		await delay(REST_POLL_MS, signal);
	await upstream.close();
}

/** A number of places; each is given back by calling what was given out. */
function createSlots(max: number): () => (() => void) | null {
	let taken = 0;
	return () => {
		if (taken >= max) return null;
		taken++;
		let held = true;
		return () => {
			if (held) taken--;
			held = false;
		};
	};
}
