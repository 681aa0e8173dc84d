/**
 * Streams toward a legacy client that outlive its connections. Every event has an id; a client that comes back with
 * the last one it has seen is sent what followed, and stays connected. What is kept is bounded, in all and for each
 * stream, and dies with the process; a client that comes back for a call that died with it is told so, in an answer
 * to that very call, instead of waiting for nothing.
 *
 * @see specification 2025-11-25, basic/transports ("Resumability and Redelivery"; SEP-1699 for the priming event)
 */
import { delay } from "../clock.ts";
import type { Bytes } from "../message.ts";
import { mintNonce } from "../mint.ts";
import type { EventSink, EventStream } from "./stream.ts";

/** A stream to write to, whether somebody is connected or not. */
export type Track = EventSink & {
	/** Sends what came after an event, and from now on what comes. Whoever was connected before is not any more. */
	readonly connect: (connection: EventStream, after: number) => void;
};

/** What a client that shows the id of an event is to get. */
export type Resumed =
	| { readonly kind: "found"; readonly track: Track; readonly after: number }
	/** The stream that answered a call is not there any more. `callId` is the raw JSON of its id. */
	| { readonly kind: "lost"; readonly callId: string };

/** The tracks of one session. */
export type Tracks = {
	/** @param callId the raw JSON of the id of the request that is answered here; null for what is said unasked */
	readonly open: (callId: string | null, connection: EventStream) => Track;
	/** Null when the id is of a stream on which nothing is owed, or is none of ours. */
	readonly resume: (lastEventId: string) => Resumed | null;
	readonly close: () => void;
};

/** What all tracks of the process hold together. */
export type Budget = { bytes: number };

/** How long a stream waits for its client to come back, and an answer for a client that may have missed it. */
const LINGER_MS = 60_000;
/** Tracks of one session that can be resumed; the oldest is given up first. */
const TRACKS_MAX = 64;
const EVENTS_MAX = 1000;
const TRACK_BYTES_MAX = 4 * 1024 * 1024;
const ALL_BYTES_MAX = 64 * 1024 * 1024;
/** A request's id that is longer is not carried in the ids of events. */
const CALL_ID_BYTES_MAX = 256;
/** When to come back, in the words of the stream. */
const RETRY_MS = 1000;
const EVENT_ID = /^([\w-]+)\.([\w-]*)\.(\d{1,15})$/;

/** @param primes whether the client knows events without data (2025-11-25) */
export function createTracks(budget: Budget, primes: boolean): Tracks {
	const tracks = new Map<string, Owned>();

	/** It goes on to its connection, and can be resumed no more. */
	const giveUpOldest = (): void => {
		const [oldest] = tracks;
		if (!oldest) return;
		tracks.delete(oldest[0]);
		oldest[1].kept.close();
	};

	return {
		open: (callId, first) => {
			const name = mintNonce();
			const owned = createTrack({
				prefix: `${name}.${callIn(callId)}`,
				owesAnswer: callId !== null,
				kept: createKept(budget),
				primes,
				onDrop: () => tracks.delete(name),
			});
			tracks.set(name, owned);
			if (tracks.size > TRACKS_MAX) giveUpOldest();
			owned.track.connect(first, 0);
			return owned.track;
		},
		resume: (lastEventId) => {
			const [, name = "", call = "", at] = EVENT_ID.exec(lastEventId) ?? [];
			const known = tracks.get(name);
			if (known)
				return { kind: "found", track: known.track, after: Number(at) };
			const callId = Buffer.from(call, "base64url").toString("utf8");
			return isRequestId(callId) ? { kind: "lost", callId } : null;
		},
		close: () => {
			for (const { drop } of [...tracks.values()]) drop();
		},
	};
}

type Owned = {
	readonly track: Track;
	readonly kept: Kept;
	/** Ends it for good. */
	readonly drop: () => void;
};

function createTrack(deps: {
	/** What the ids of its events begin with. */
	readonly prefix: string;
	/** Whether it answers a call, so that its end may have to be told again. */
	readonly owesAnswer: boolean;
	readonly kept: Kept;
	readonly primes: boolean;
	readonly onDrop: () => void;
}): Owned {
	const { prefix, owesAnswer, kept, primes, onDrop } = deps;
	const listeners: (() => void)[] = [];
	let last = 0;
	let over = false;
	let connection: EventStream | null = null;
	let lingering = new AbortController();

	const idOf = (at: number): string => `${prefix}.${at}`;
	const end = (): void => {
		if (over) return;
		over = true;
		for (const listener of listeners.splice(0)) listener();
	};
	const drop = (): void => {
		lingering.abort();
		onDrop();
		kept.close();
		end();
		connection?.end();
	};
	const linger = (): void => {
		lingering.abort();
		const wait = new AbortController();
		lingering = wait;
		void delay(LINGER_MS, wait.signal).then(() => {
			if (!wait.signal.aborted) drop();
		});
	};

	const track: Track = {
		send: (message) => {
			if (over) return;
			last++;
			kept.keep(last, message);
			connection?.send(message, idOf(last));
		},
		end: () => {
			// What is said unasked is over with its stream.
			if (!owesAnswer) {
				drop();
				return;
			}
			end();
			connection?.end();
			linger();
		},
		onEnd: (listener) => {
			if (over) listener();
			else listeners.push(listener);
		},
		connect: (fresh, after) => {
			lingering.abort();
			const former = connection;
			connection = fresh;
			former?.end();
			if (primes) fresh.prime(idOf(after), RETRY_MS);
			for (const { at, message } of kept.after(after))
				fresh.send(message, idOf(at));
			fresh.onEnd(() => {
				if (connection !== fresh) return;
				connection = null;
				if (!owesAnswer || over) linger();
			});
			if (over) fresh.end();
		},
	};
	return { track, kept, drop };
}

type Event = { readonly at: number; readonly message: Bytes };

/** The last events of one track, within its own bounds and the process's. */
type Kept = {
	readonly keep: (at: number, message: Bytes) => void;
	readonly after: (at: number) => readonly Event[];
	/** Gives all of it up, and keeps nothing more. */
	readonly close: () => void;
};

function createKept(budget: Budget): Kept {
	const events: Event[] = [];
	let bytes = 0;
	let closed = false;

	const forget = (count: number): void => {
		for (const { message } of events.splice(0, count)) {
			bytes -= message.length;
			budget.bytes -= message.length;
		}
	};
	return {
		keep: (at, message) => {
			while (
				events.length > 0 &&
				(events.length >= EVENTS_MAX ||
					bytes + message.length > TRACK_BYTES_MAX)
			)
				forget(1);
			if (closed || budget.bytes + message.length > ALL_BYTES_MAX) return;
			events.push({ at, message });
			bytes += message.length;
			budget.bytes += message.length;
		},
		after: (at) => events.filter((event) => event.at > at),
		close: () => {
			closed = true;
			forget(events.length);
		},
	};
}

/** A request's id as a part of an event's; empty for what answers none, or one whose id is too long. */
function callIn(callId: string | null): string {
	return callId !== null && callId.length <= CALL_ID_BYTES_MAX
		? Buffer.from(callId, "utf8").toString("base64url")
		: "";
}

/** The client tells us its own request's id, and is answered under it: it must be one. */
function isRequestId(raw: string): boolean {
	try {
		return ["string", "number"].includes(typeof JSON.parse(raw));
	} catch {
		return false; // none at all
	}
}
