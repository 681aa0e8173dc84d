/**
 * Who watches what: several watchers are one subscription at the server, and every new connection is told of
 * all that is watched. It knows nothing of how a server is told.
 *
 * @see specification 2025-11-25, server/resources ("Subscriptions")
 */
import type { Abortable } from "../abort.ts";
import { SallyportError } from "../errors.ts";
import type { Connection } from "./connection.ts";
import { LinkError, unless } from "./link.ts";
import type { Topic } from "./topic.ts";

export type Watches = {
	/** Adds a watcher until the returned function is called. @throws SallyportError when the server refuses */
	add(topic: Topic, signal?: Abortable): Promise<() => void>;
	any(): boolean;
	/** Tells a new connection of everything that is watched. */
	renew(live: Connection): void;
};

type Watched = {
	readonly topic: Topic;
	watchers: number;
	/** The connection that was told of it, and what it said; null when none was, or it refused. */
	told: { readonly live: Connection; readonly said: Promise<void> } | null;
};

/** Topics of one server that are watched at once. */
const WATCHED_MAX = 2000;

type Hooks = {
	readonly connect: () => Promise<Connection>;
	/** It may have changed while nobody told of it. */
	readonly onDoubt: (topic: Topic) => void;
	readonly onLost: (error: SallyportError) => void;
};

export function createWatches(hooks: Hooks): Watches {
	return new HeldWatches(hooks);
}

/** A class, because every upstream has one, and most are never used. */
class HeldWatches implements Watches {
	readonly #hooks: Hooks;
	readonly #held = new Map<Topic, Watched>();

	constructor(hooks: Hooks) {
		this.#hooks = hooks;
	}

	any(): boolean {
		return this.#held.size > 0;
	}

	async add(topic: Topic, signal?: Abortable): Promise<() => void> {
		const held = this.#held;
		const watched = held.get(topic) ?? { topic, watchers: 0, told: null };
		if (!held.has(topic) && held.size >= WATCHED_MAX)
			throw new SallyportError(
				"too_many",
				`more than ${WATCHED_MAX} resources and tasks are watched`,
				{ hint: "stop watching some" },
			);
		held.set(topic, watched);
		watched.watchers++;
		try {
			await unless(
				signal,
				this.#ask(watched).catch((error: unknown) => {
					if (error instanceof LinkError && error.reach !== "final")
						return this.#ask(watched);
					throw error;
				}),
			);
		} catch (error) {
			this.#leave(watched);
			throw error;
		}
		let left = false;
		return () => {
			if (!left) this.#leave(watched);
			left = true;
		};
	}

	renew(live: Connection): void {
		for (const watched of this.#held.values()) {
			const isNews = watched.told !== null && watched.told.live !== live;
			tell(watched, live).then(
				() => {
					if (isNews) this.#hooks.onDoubt(watched.topic);
				},
				(error: unknown) => {
					if (!(error instanceof SallyportError)) throw error;
					this.#hooks.onLost(error);
				},
			);
		}
	}

	async #ask(watched: Watched): Promise<void> {
		return tell(watched, await this.#hooks.connect());
	}

	#leave(watched: Watched): void {
		watched.watchers--;
		if (watched.watchers > 0) return;
		this.#held.delete(watched.topic);
		watched.told?.live.unwatch(watched.topic);
	}
}

function tell(watched: Watched, live: Connection): Promise<void> {
	if (watched.told?.live === live) return watched.told.said;
	const said = live.watch(watched.topic).catch((error: unknown) => {
		if (watched.told?.live === live) watched.told = null;
		throw error;
	});
	watched.told = { live, said };
	return said;
}
