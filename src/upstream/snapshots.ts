/**
 * What a process last said of itself and of its lists, kept over a restart of the gateway: a server that sleeps is
 * listed, described and called as it was, and nobody wakes all of them to find out what there is. When one wakes it is
 * asked again, as after any sleep.
 *
 * Only of processes that all users share: what a user's own says may be theirs alone. A server that was changed, or
 * started anew because somebody wanted it, has none until it has spoken again.
 */
import { join } from "../assembly.ts";
import { LF } from "../bytes.ts";
import type { Clock } from "../clock.ts";
import { describeError } from "../errors.ts";
import type { Log } from "../log.ts";
import { type Bytes, parseJson } from "../message.ts";
import type { Database } from "../store/database.ts";
import { SHARED } from "../store/secrets.ts";
import type { Server } from "../store/servers.ts";
import {
	deleteSnapshots,
	findSnapshot,
	saveSnapshot,
} from "../store/snapshots.ts";
import { EMPTY, type Listing } from "./lists.ts";
import type { Item, ListKind, ServerFacts } from "./upstream.ts";

/** What was said. */
export type Snapshot = {
	readonly facts: ServerFacts;
	readonly lists: { readonly [kind in ListKind]?: Listing };
};

/** Whose it is. */
type Place = {
	readonly server: Server;
	readonly identity: string;
	readonly capabilities: string;
};

export type Snapshots = {
	/** What was said there; null when nothing is kept, or it was said by another program. */
	readonly find: (place: Place) => Snapshot | null;
	/** Keeps it in place of what was said before. Never fails: it is found out again when it is lost. */
	readonly keep: (place: Place, snapshot: Snapshot) => void;
	/** Forgets all that was said at this server. Never fails either. */
	readonly forget: (serverId: string) => void;
};

/** Grows when one is written otherwise. */
const FORMAT = 1;
/** Longer ones are not kept. */
const BYTES_MAX = 4 * 1024 * 1024;

export function createSnapshots(deps: {
	readonly db: Database;
	readonly clock: Clock;
	readonly log: Log;
	readonly entryOf: (server: Server) => string | null;
}): Snapshots {
	const { db } = deps;
	/** What runs there, and how that is written here: of another program nothing is known. */
	const programOf = (server: Server): string =>
		JSON.stringify([FORMAT, server.transport, deps.entryOf(server)]);
	const attempt = (work: () => void): void => {
		try {
			work();
		} catch (error) {
			deps.log.warn("snapshot not kept", { reason: describeError(error) });
		}
	};

	return {
		find: ({ server, identity, capabilities }) => {
			if (!mayKeep(server, identity)) return null;
			const body = findSnapshot(db, server.id, capabilities);
			return body && read(body, programOf(server));
		},
		keep: ({ server, identity, capabilities }, snapshot) => {
			if (!mayKeep(server, identity)) return;
			const body = write(snapshot, programOf(server));
			attempt(() => {
				if (body.length > BYTES_MAX) deleteSnapshots(db, server.id);
				else saveSnapshot(db, server.id, capabilities, body, deps.clock.now());
			});
		},
		forget: (serverId) => attempt(() => deleteSnapshots(db, serverId)),
	};
}

function mayKeep({ transport }: Server, identity: string): boolean {
	return transport.kind !== "http" && identity === SHARED;
}

/** The first line; behind it stand the entries, one after the other, as the server wrote them. */
type Head = {
	readonly program: string;
	readonly facts: ServerFacts;
	readonly lists: { readonly [kind in ListKind]?: ListHead };
};

type ListHead = {
	readonly ttlMs?: number;
	/** The key of each entry, and how many bytes it takes. */
	readonly items: readonly (readonly [key: string, length: number])[];
};

function write({ facts, lists }: Snapshot, program: string): Bytes {
	const kept = Object.entries(lists);
	const head: Head = {
		program,
		facts,
		lists: Object.fromEntries(
			kept.map(([kind, { items, ttlMs }]): [string, ListHead] => [
				kind,
				{
					...(ttlMs !== undefined && { ttlMs }),
					items: items.map(({ key, bytes }) => [key, bytes.length]),
				},
			]),
		),
	};
	return join([
		`${JSON.stringify(head)}\n`,
		...kept.flatMap(([, { items }]) => items.map(({ bytes }) => bytes)),
	]);
}

function read(body: Bytes, program: string): Snapshot | null {
	const end = body.indexOf(LF);
	const head = parseJson(body, { start: 0, end }) as Head;
	if (head.program !== program) return null;
	let at = end + 1;
	const itemOf = ([key, length]: ListHead["items"][number]): Item => {
		const start = at;
		at += length;
		return { key, bytes: body.subarray(start, at) };
	};
	const lists = Object.entries(head.lists).map(
		([kind, { items, ttlMs }]): [string, Listing] => [
			kind,
			{ ...EMPTY, items: items.map(itemOf), ttlMs },
		],
	);
	return { facts: head.facts, lists: Object.fromEntries(lists) };
}
