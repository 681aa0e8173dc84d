/**
 * The legacy era's sessions. What a client must not lose (that its session exists, and whose it is) is a row;
 * what lives with a process (running calls, an open stream) is here. After a restart a session is revived from its
 * row the first time it is used, and its client notices nothing.
 *
 * A session is no credential: it belongs to a user and a client, and for anybody else it does not exist.
 *
 * @see specification 2025-11-25, basic/transports, "Session Management"
 */
import type { Abort } from "../abort.ts";
import type { Caller } from "../caller.ts";
import type { Clock } from "../clock.ts";
import { mintCredential, parseCredential } from "../mint.ts";
import type { Database } from "../store/database.ts";
import {
	createSession,
	deleteIdleSessions,
	deleteSession,
	findSession,
	type SessionRow,
	touchSession,
	trimSessions,
} from "../store/sessions.ts";
import type { Reply } from "../upstream/upstream.ts";
import type { LogLevel } from "./logging.ts";
import type { EventSink } from "./stream.ts";
import { type Budget, createTracks, type Tracks } from "./tracks.ts";

export type Session = {
	readonly id: string;
	readonly row: SessionRow;
	/** Running requests by the raw JSON of their id. */
	readonly running: Map<string, Pick<Abort, "abort">>;
	/** GET streams, connected or waiting for their client. */
	readonly streams: Set<EventSink>;
	/** Its streams, so that they can be taken up again. */
	readonly tracks: Tracks;
	/** Our questions to the client that it has not answered, by the raw JSON of their id. */
	readonly questions: Map<string, (reply: Reply) => void>;
	/** Watched resources by their exposed URI, and how to stop. */
	readonly watched: Map<string, () => void>;
	/** What `logging/setLevel` asked for; null: nothing. Dies with the process, like the servers' own. */
	logLevel: LogLevel | null;
	/** When it was last written down that it is used. */
	seenAt: number;
};

export type Sessions = {
	readonly open: (
		caller: Caller,
		endpoint: string,
		protocolVersion: string,
		capabilities: string,
	) => Session;
	/** The session of this id if it belongs to this caller at this endpoint. */
	readonly find: (
		id: string,
		caller: Caller,
		endpoint: string,
	) => Session | null;
	readonly end: (session: Session) => void;
	/** Ends what has been idle too long; called from time to time. */
	readonly sweep: () => void;
};

const IDLE_SECONDS = 7 * 24 * 3600;
/** Written at most this often, so that a busy session costs no write per call. */
const TOUCH_SECONDS = 300;
/** Many clients never say that they are done; the sessions used longest ago make room. */
const SESSIONS_PER_USER_MAX = 200;
const SESSIONS_PER_CLIENT_MAX = 100;
/** From this revision on clients know events without data; earlier ones take them for broken messages. */
const PRIMING_REVISION = "2025-11-25";
/** Sessions held in memory; one that is idle is dropped first and revived from its row. */
const LIVE_MAX = 10_000;

export function createSessions(deps: {
	readonly db: Database;
	/** The keyed hash of a credential. */
	readonly mac: (credential: string) => Uint8Array;
	readonly clock: Clock;
}): Sessions {
	const { db, mac, clock } = deps;
	const live = new Map<string, Session>();
	/** The live sessions by the hash of their ids, in hexadecimal. */
	const ids = new Map<string, string>();
	const budget: Budget = { bytes: 0 };

	const hold = (id: string, row: SessionRow): Session => {
		const session: Session = {
			id,
			row,
			running: new Map(),
			streams: new Set(),
			tracks: createTracks(budget, row.protocolVersion >= PRIMING_REVISION),
			questions: new Map(),
			watched: new Map(),
			logLevel: null,
			seenAt: row.lastSeenAt,
		};
		live.set(id, session);
		ids.set(hex(mac(id)), id);
		if (live.size > LIVE_MAX) dropIdlest();
		return session;
	};

	/** The first idle one in insertion order is about the idlest: one in use is moved to the end now and then. */
	const dropIdlest = (): void => {
		for (const session of live.values()) {
			const { running, streams, watched } = session;
			if (running.size + streams.size + watched.size > 0) continue;
			forget(session.id);
			return;
		}
	};

	const forget = (id: string): void => {
		live.delete(id);
		ids.delete(hex(mac(id)));
	};
	const close = (session: Session): void => {
		forget(session.id);
		session.tracks.close();
		for (const running of session.running.values()) running.abort();
		for (const stop of session.watched.values()) stop();
	};
	const trim = (caller: Caller): void => {
		const { userId, clientId } = caller;
		const hashes = [
			...trimSessions(db, userId, clientId, SESSIONS_PER_CLIENT_MAX),
			...trimSessions(db, userId, null, SESSIONS_PER_USER_MAX),
		];
		for (const hash of hashes) {
			const session = live.get(ids.get(hex(hash)) ?? "");
			if (session) close(session);
		}
	};

	const revive = (id: string): Session | null => {
		const credential = parseCredential("mcpSession", id);
		const row = credential && findSession(db, mac(credential));
		return row && row.lastSeenAt >= clock.now() - IDLE_SECONDS
			? hold(id, row)
			: null;
	};

	const touch = (session: Session): void => {
		const now = clock.now();
		if (now - session.seenAt < TOUCH_SECONDS) return;
		session.seenAt = now;
		live.delete(session.id);
		live.set(session.id, session);
		touchSession(db, mac(session.id), now);
	};

	return {
		open: (caller, endpoint, protocolVersion, capabilities) => {
			const id = mintCredential("mcpSession");
			const row: SessionRow = {
				userId: caller.userId,
				clientId: caller.clientId,
				endpoint,
				protocolVersion,
				capabilities,
				lastSeenAt: clock.now(),
			};
			createSession(db, mac(id), row);
			const session = hold(id, row);
			trim(caller);
			return session;
		},
		find: (id, caller, endpoint) => {
			const session = live.get(id) ?? revive(id);
			if (
				!session ||
				session.row.userId !== caller.userId ||
				session.row.clientId !== caller.clientId ||
				session.row.endpoint !== endpoint
			)
				return null;
			touch(session);
			return session;
		},
		end: (session) => {
			deleteSession(db, mac(session.id));
			close(session);
		},
		sweep: () => {
			const before = clock.now() - IDLE_SECONDS;
			for (const session of [...live.values()]) {
				// Who listens or waits is not idle.
				if (session.running.size + session.streams.size > 0) touch(session);
				else if (session.seenAt < before) close(session);
			}
			deleteIdleSessions(db, before);
		},
	};
}

function hex(hash: Uint8Array): string {
	return Buffer.from(hash).toString("hex");
}
