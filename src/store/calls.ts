/** The record of calls: names, outcome and milliseconds, never arguments or results. No call waits for it. */
import type { Clock } from "../clock.ts";
import { describeError } from "../errors.ts";
import type { Log } from "../log.ts";
import { createBatch } from "./batch.ts";
import { type Database, transaction } from "./database.ts";

const NAME_LENGTH_MAX = 256;
/** Calls that are kept, about 100 MB; the oldest go. */
const CALLS_MAX = 1_000_000;

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
	/** How many are kept. */
	readonly callsMax?: number;
}): CallRecorder {
	const { callsMax = CALLS_MAX } = deps;
	const batch = createBatch<Row>({
		write: (rows) => insertCalls(deps.db, rows, callsMax),
		onFailure: (error, count) =>
			deps.log?.warn("calls not recorded", {
				reason: describeError(error),
				count,
			}),
	});
	return {
		record: (call) => batch.add(rowOf(call, deps.clock.now())),
		flush: batch.flush,
		close: batch.close,
	};
}

/** In the order of the columns. */
type Row = readonly (string | number | null)[];

function insertCalls(
	db: Database,
	rows: readonly Row[],
	callsMax: number,
): void {
	transaction(db, () => {
		let at = 0;
		for (; at + ROWS_AT_ONCE <= rows.length; at += ROWS_AT_ONCE)
			db.query(INSERT_MANY).run(...rows.slice(at, at + ROWS_AT_ONCE).flat());
		for (const row of rows.slice(at)) db.query(INSERT).run(...row);
		db.query(TRIM).run(callsMax);
	});
}

/** A statement costs more than the rows it writes. */
const ROWS_AT_ONCE = 50;
const ROW = "(?, ?, ?, ?, ?, ?, ?, ?)";
const INSERT = `INSERT INTO calls (at, user_id, client_id, server_id, method, name, outcome, duration_ms) VALUES ${ROW}`;
/** Ids are given in the order of time. */
const TRIM = "DELETE FROM calls WHERE id <= (SELECT max(id) FROM calls) - ?";
const INSERT_MANY = `${INSERT}${`, ${ROW}`.repeat(ROWS_AT_ONCE - 1)}`;

function rowOf(call: CallRecord, at: number): Row {
	const { method, name } = call;
	return [
		at,
		call.userId,
		call.clientId,
		call.serverId,
		method.length > NAME_LENGTH_MAX ? method.slice(0, NAME_LENGTH_MAX) : method,
		name && name.length > NAME_LENGTH_MAX
			? name.slice(0, NAME_LENGTH_MAX)
			: name,
		call.outcome,
		Math.max(0, Math.round(call.durationMs)),
	];
}
