/**
 * One process for all whose calls go out under the same credentials, whatever each of them can be asked: a modern server
 * is told that with every request, and keeps nothing of one for the next. A legacy server is told once, when it is
 * initialised, so each of its processes has one guest.
 *
 * Every guest has a connection of its own on the process, with its own subscriptions; it ends when the guest leaves, and
 * the process when the last one has.
 *
 * @see specification 2026-07-28, basic ("Statelessness")
 */
import type { Abortable } from "../abort.ts";
import { Connection, type Self, Talk } from "./connection.ts";
import { LinkHearing } from "./hearing.ts";
import { type Link, unless } from "./link.ts";
import { createLines, type Lines } from "./stderr.ts";
import type { ServerFacts, UpstreamEvent } from "./upstream.ts";

/** A process that was started, and what was agreed with it. */
export type Met = {
	readonly link: Link;
	readonly talk: Talk;
	readonly facts: ServerFacts;
};

/** Who wants a connection. */
export type Guest = {
	readonly self: Self;
	readonly onEvent: (event: UpstreamEvent) => void;
	/** Whether people share the identity. */
	readonly shared: boolean;
	/** Ends the wait for a process that somebody else starts. */
	readonly signal: Abortable;
};

export type SharedProcess = {
	/** What it last wrote to its standard error, and those before it: whoever is a guest may ask. */
	readonly lines: Lines;
	/** Whether the next guest needs no process of its own. */
	readonly runs: () => boolean;
	/**
	 * A connection on the process that runs; `meet` starts one when there is none, and hands on what it says of itself.
	 * Guests that come together wait for the first one's.
	 * @throws LinkError
	 */
	readonly join: (
		guest: Guest,
		meet: (onEvent: Guest["onEvent"]) => Promise<Met>,
	) => Promise<Connection>;
};

type House = { readonly seat: (guest: Guest) => Connection };

/** For the upstreams of one server and identity. */
export function createSharedProcess(): SharedProcess {
	let house: House | null = null;
	/** Resolves when the guest who starts a process is done, well or not. */
	let starting: Promise<void> | null = null;
	let isLegacy = false;

	const open = (
		{ link, talk, facts }: Met,
		guests: Map<object, Guest["onEvent"]>,
	): House => {
		const leavers = new Map<object, (reason: string) => void>();
		const opened: House = {
			seat: (guest) => {
				const seat = {};
				const left = Promise.withResolvers<string>();
				guests.set(seat, guest.onEvent);
				leavers.set(seat, left.resolve);
				const leave = async (): Promise<void> => {
					guests.delete(seat);
					leavers.delete(seat);
					left.resolve("the connection was closed");
					if (guests.size > 0) return;
					if (house === opened) house = null;
					await link.close();
				};
				const own = new Talk(
					{ ...link, close: leave, closed: left.promise },
					// Changes that a guest listens for are its own; calls are known to the one who hears the whole process.
					new LinkHearing(guest),
					talk.calls,
					guest.self,
				);
				return new Connection(own, facts);
			},
		};
		void link.closed.then((reason) => {
			if (house === opened) house = null;
			for (const end of leavers.values()) end(reason);
		});
		return opened;
	};

	const start = async (
		guest: Guest,
		meet: (onEvent: Guest["onEvent"]) => Promise<Met>,
	): Promise<Connection> => {
		const guests = new Map<object, Guest["onEvent"]>();
		const met = await meet((event) => {
			for (const hear of [...guests.values()]) hear(event);
		});
		isLegacy = met.facts.era === "legacy";
		if (isLegacy) {
			guests.set(guest, guest.onEvent);
			return new Connection(met.talk, met.facts);
		}
		house = open(met, guests);
		return house.seat(guest);
	};

	return {
		lines: createLines(),
		runs: () => house !== null,
		join: async (guest, meet) => {
			while (!house && starting && !isLegacy)
				await unless(guest.signal, starting);
			if (house) return house.seat(guest);
			const started = start(guest, meet);
			const done = started.then(
				() => {},
				() => {}, // whoever starts it hears of that
			);
			starting = done;
			try {
				return await started;
			} finally {
				if (starting === done) starting = null;
			}
		},
	};
}
