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

type Kept = { readonly at: number; readonly message: Bytes };

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
	const tracks = new Map<
		string,
		{
			readonly track: Track;
			readonly drop: () => void;
			readonly forgetAll: () => void;
		}
	>();

	/** It goes on to its connection, and can be resumed no more. */
	const giveUpOldest = (): void => {
		const [oldest] = tracks;
		if (!oldest) return;
		tracks.delete(oldest[0]);
		oldest[1].forgetAll();
	};

	const open: Tracks["open"] = (callId, first) => {
		const name = mintNonce();
		const call =
			callId !== null && callId.length <= CALL_ID_BYTES_MAX
				? Buffer.from(callId, "utf8").toString("base64url")
				: "";
		const listeners: (() => void)[] = [];
		const kept: Kept[] = [];
		let keptBytes = 0;
		let last = 0;
		let over = false;
		let connection: EventStream | null = null;
		let lingering = new AbortController();

		const idOf = (at: number): string => `${name}.${call}.${at}`;
		const forget = (count: number): void => {
			for (const { message } of kept.splice(0, count)) {
				keptBytes -= message.length;
				budget.bytes -= message.length;
			}
		};
		const keep = (message: Bytes): void => {
			if (!tracks.has(name)) return;
			while (
				kept.length > 0 &&
				(kept.length >= EVENTS_MAX ||
					keptBytes + message.length > TRACK_BYTES_MAX)
			)
				forget(1);
			if (budget.bytes + message.length > ALL_BYTES_MAX) return;
			kept.push({ at: last, message });
			keptBytes += message.length;
			budget.bytes += message.length;
		};
		const drop = (): void => {
			lingering.abort();
			tracks.delete(name);
			forget(kept.length);
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
		const end = (): void => {
			if (over) return;
			over = true;
			for (const listener of listeners.splice(0)) listener();
		};
		const track: Track = {
			send: (message) => {
				if (over) return;
				last++;
				keep(message);
				connection?.send(message, idOf(last));
			},
			end: () => {
				// What is said unasked is over with its stream; an answer may have to be told again.
				if (callId === null) return drop();
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
				for (const { at, message } of kept)
					if (at > after) fresh.send(message, idOf(at));
				fresh.onEnd(() => {
					if (connection !== fresh) return;
					connection = null;
					if (callId === null || over) linger();
				});
				if (over) fresh.end();
			},
		};
		tracks.set(name, { track, drop, forgetAll: () => forget(kept.length) });
		if (tracks.size > TRACKS_MAX) giveUpOldest();
		track.connect(first, 0);
		return track;
	};

	return {
		open,
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

/** The client tells us its own request's id, and is answered under it: it must be one. */
function isRequestId(raw: string): boolean {
	try {
		return ["string", "number"].includes(typeof JSON.parse(raw));
	} catch {
		return false; // none at all
	}
}
