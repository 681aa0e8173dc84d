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
import { Lines } from "./stderr.ts";
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

type Hear = Guest["onEvent"];

/** Gives a guest a connection of its own. */
type House = { readonly seat: (guest: Guest) => Connection };

/** For the upstreams of one server and identity. A class, because every such server has one, and most sleep. */
export class SharedProcess {
	/** What it last wrote to its standard error, and those before it: whoever is a guest may ask. */
	readonly lines = new Lines();
	#house: House | null = null;
	/** Resolves when the guest who starts a process is done, well or not. */
	#starting: Promise<void> | null = null;
	#isLegacy = false;

	/** Whether the next guest needs no process of its own. */
	runs(): boolean {
		return this.#house !== null;
	}

	/**
	 * A connection on the process that runs; `meet` starts one when there is none, and hands on what it says of itself.
	 * Guests that come together wait for the first one's.
	 * @throws LinkError
	 */
	async join(
		guest: Guest,
		meet: (onEvent: Hear) => Promise<Met>,
	): Promise<Connection> {
		while (!this.#house && this.#starting && !this.#isLegacy)
			await unless(guest.signal, this.#starting);
		if (this.#house) return this.#house.seat(guest);
		const started = this.#start(guest, meet);
		const done = started.then(
			() => {},
			() => {}, // whoever starts it hears of that
		);
		this.#starting = done;
		try {
			return await started;
		} finally {
			if (this.#starting === done) this.#starting = null;
		}
	}

	async #start(
		guest: Guest,
		meet: (onEvent: Hear) => Promise<Met>,
	): Promise<Connection> {
		const guests = new Map<object, Hear>();
		const met = await meet((event) => {
			for (const hear of [...guests.values()]) hear(event);
		});
		this.#isLegacy = met.facts.era === "legacy";
		if (this.#isLegacy) {
			guests.set(guest, guest.onEvent);
			return new Connection(met.talk, met.facts);
		}
		this.#house = this.#open(met, guests);
		return this.#house.seat(guest);
	}

	#open({ link, talk, facts }: Met, guests: Map<object, Hear>): House {
		const leavers = new Map<object, (reason: string) => void>();
		const house: House = {
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
					this.#shut(house);
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
			this.#shut(house);
			for (const end of leavers.values()) end(reason);
		});
		return house;
	}

	#shut(house: House): void {
		if (this.#house === house) this.#house = null;
	}
}
