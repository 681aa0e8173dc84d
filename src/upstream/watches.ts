/**
 * Who watches what: several watchers are one subscription at the server, and every new connection is told of
 * all that is watched. It knows nothing of how a server is told.
 *
 * @see specification 2025-11-25, server/resources ("Subscriptions")
 */
import { SallyportError } from "../errors.ts";
import type { Connection } from "./connection.ts";
import { LinkError, unless } from "./link.ts";
import type { Topic } from "./topic.ts";

export type Watches = {
	/** Adds a watcher until the returned function is called. @throws SallyportError when the server refuses */
	readonly add: (topic: Topic, signal?: AbortSignal) => Promise<() => void>;
	readonly any: () => boolean;
	/** Tells a new connection of everything that is watched. */
	readonly renew: (live: Connection) => void;
};

type Watched = {
	readonly topic: Topic;
	watchers: number;
	/** The connection that was told of it, and what it said; null when none was, or it refused. */
	told: { readonly live: Connection; readonly said: Promise<void> } | null;
};

/** Topics of one server that are watched at once. */
const WATCHED_MAX = 2000;

export function createWatches(deps: {
	readonly connect: () => Promise<Connection>;
	/** It may have changed while nobody told of it. */
	readonly onDoubt: (topic: Topic) => void;
	readonly onLost: (error: SallyportError) => void;
}): Watches {
	const held = new Map<Topic, Watched>();

	const tell = (watched: Watched, live: Connection): Promise<void> => {
		if (watched.told?.live === live) return watched.told.said;
		const said = live.watch(watched.topic).catch((error: unknown) => {
			if (watched.told?.live === live) watched.told = null;
			throw error;
		});
		watched.told = { live, said };
		return said;
	};
	const ask = async (watched: Watched): Promise<void> =>
		tell(watched, await deps.connect());

	const leave = (watched: Watched): void => {
		watched.watchers--;
		if (watched.watchers > 0) return;
		held.delete(watched.topic);
		watched.told?.live.unwatch(watched.topic);
	};

	return {
		any: () => held.size > 0,
		add: async (topic, signal) => {
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
					ask(watched).catch((error: unknown) => {
						if (error instanceof LinkError && error.reach !== "final")
							return ask(watched);
						throw error;
					}),
				);
			} catch (error) {
				leave(watched);
				throw error;
			}
			let left = false;
			return () => {
				if (!left) leave(watched);
				left = true;
			};
		},
		renew: (live) => {
			for (const watched of held.values()) {
				const isNews = watched.told !== null && watched.told.live !== live;
				tell(watched, live).then(
					() => {
						if (isNews) deps.onDoubt(watched.topic);
					},
					(error: unknown) => {
						if (!(error instanceof SallyportError)) throw error;
						deps.onLost(error);
					},
				);
			}
		},
	};
}
