/**
 * The record of calls: names, outcome and milliseconds, never arguments or results.
 *
 * Rows are collected in memory and written together, so that a call does not wait for the disk. What a crash loses
 * is the last tenth of a second of statistics; what was changed is in the audit trail, which does not wait.
 */
import { type Clock, delay } from "../clock.ts";
import { describeError } from "../errors.ts";
import type { Log } from "../log.ts";
import { type Database, transaction } from "./database.ts";

const FLUSH_AFTER_MS = 100;
const BATCH_ROWS_MAX = 500;
/** Kept while the database cannot be written; beyond it the oldest are dropped. */
const PENDING_ROWS_MAX = 5000;
const NAME_LENGTH_MAX = 256;

export type CallRecord = {
	readonly userId: string;
	readonly clientId: string;
	readonly serverId: string;
	readonly method: string;
	/** The tool, prompt or resource; null when the method names none. */
	readonly name: string | null;
	readonly outcome: "ok" | "tool_error" | "error" | "cancelled";
	readonly durationMs: number;
};

export type CallRecorder = {
	readonly record: (call: CallRecord) => void;
	/** Writes what is pending. @throws when the database cannot be written */
	readonly flush: () => void;
	/** Writes what is pending and takes no more. */
	readonly close: () => void;
};

/** A recorder that writes at most 100 ms or 500 rows after the call. A full disk never fails a call. */
export function createCallRecorder(deps: {
	readonly db: Database;
	readonly clock: Clock;
	readonly log?: Log;
}): CallRecorder {
	let pending: (CallRecord & { readonly at: number })[] = [];
	let waiting = false;
	let closed = false;
	const stop = new AbortController();

	function flush(): void {
		if (pending.length === 0) return;
		transaction(deps.db, () => {
			const insert = deps.db.query(
				`INSERT INTO calls (at, user_id, client_id, server_id, method, name, outcome, duration_ms)
				 VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			);
			for (const call of pending)
				insert.run(
					call.at,
					call.userId,
					call.clientId,
					call.serverId,
					call.method.slice(0, NAME_LENGTH_MAX),
					call.name?.slice(0, NAME_LENGTH_MAX) ?? null,
					call.outcome,
					Math.max(0, Math.round(call.durationMs)),
				);
		});
		pending = [];
	}

	function tryFlush(): void {
		try {
			flush();
		} catch (error) {
			const dropped = Math.max(0, pending.length - PENDING_ROWS_MAX);
			pending = pending.slice(dropped);
			deps.log?.warn("calls not recorded", {
				reason: describeError(error),
				count: dropped,
			});
		}
	}

	async function flushSoon(): Promise<void> {
		waiting = true;
		await delay(FLUSH_AFTER_MS, stop.signal);
		waiting = false;
		if (!closed) tryFlush();
	}

	return {
		record: (call) => {
			if (closed) return;
			pending.push({ ...call, at: deps.clock.now() });
			// Counted from the last batch, so that a database that cannot be written is not tried at every call.
			if (pending.length % BATCH_ROWS_MAX === 0) tryFlush();
			else if (!waiting) void flushSoon();
		},
		flush,
		close: () => {
			if (closed) return;
			closed = true;
			stop.abort();
			tryFlush();
		},
	};
}
