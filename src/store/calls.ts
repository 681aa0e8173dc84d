/**
 * The record of calls: names, outcome and milliseconds, never arguments or results. No call waits for it.
 *
 * Calls are much alike, so what they have in common is a row of its own, a kind, and a call is four numbers. A kind has
 * the id of the first call that is of it, and is good for calls of one chapter only: they begin with every id that
 * `CHAPTER_CALLS` divides. So calls and kinds grow old together, and are forgotten by their ids alone.
 */
import type { Clock } from "../clock.ts";
import { describeError } from "../errors.ts";
import type { Log } from "../log.ts";
import { createBatch } from "./batch.ts";
import { type Database, transaction } from "./database.ts";

const NAME_LENGTH_MAX = 256;
/** Calls that are kept, about 25 MB, and a chapter more; the oldest chapter goes. */
const CALLS_MAX = 1_000_000;
const CHAPTER_CALLS = 10_000;
/** Kinds that are remembered. When there are more, all are forgotten: they are written once more when they come again. */
const KINDS_MAX = 10_000;

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
	/** How many are kept, in whole chapters. */
	readonly callsMax?: number;
}): CallRecorder {
	const { callsMax = CALLS_MAX } = deps;
	const kinds = new Kinds();
	const batch = createBatch<Row>({
		write: (rows) => insertCalls(deps.db, rows, callsMax),
		onFailure: (error, count) =>
			deps.log?.warn("calls not recorded", {
				reason: describeError(error),
				count,
			}),
	});
	return {
		record: (call) =>
			batch.add({
				kind: kinds.of(call),
				at: deps.clock.now(),
				durationMs: Math.max(0, Math.round(call.durationMs)),
			}),
		flush: batch.flush,
		close: batch.close,
	};
}

type Row = {
	readonly kind: Kind;
	readonly at: number;
	readonly durationMs: number;
};

/** What calls have in common: all but when they were and how long they took. */
type Kind = {
	readonly call: CallRecord;
	/** Its row, which is good for one chapter. */
	id: number;
};

const NO_ROW = -1;

/** The kinds, by one part of them after the other: to put together a key for each call takes longer. */
class Kinds {
	#users = new Branch();
	#count = 0;

	of(call: CallRecord): Kind {
		const name = short(call.name);
		const method = short(call.method);
		const branch = this.#users
			.at(call.userId)
			.at(call.clientId)
			.at(call.serverId)
			.at(method)
			.at(name)
			.at(call.outcome);
		branch.kind ??= this.#add({ ...call, method, name });
		return branch.kind;
	}

	#add(call: CallRecord): Kind {
		if (++this.#count > KINDS_MAX) {
			this.#users = new Branch();
			this.#count = 0;
		}
		return { call, id: NO_ROW };
	}
}

class Branch {
	readonly #branches = new Map<string | null, Branch>();
	kind: Kind | null = null;

	at(part: string | null): Branch {
		const known = this.#branches.get(part);
		if (known) return known;
		const fresh = new Branch();
		this.#branches.set(part, fresh);
		return fresh;
	}
}

function short<Text extends string | null>(text: Text): Text | string {
	return text && text.length > NAME_LENGTH_MAX
		? text.slice(0, NAME_LENGTH_MAX)
		: text;
}

function insertCalls(
	db: Database,
	rows: readonly Row[],
	callsMax: number,
): void {
	try {
		transaction(db, () => {
			const insert = db.query(
				"INSERT INTO calls (id, kind_id, at, duration_ms) VALUES (?, ?, ?, ?)",
			);
			let id = lastId(db);
			for (const { kind, at, durationMs } of rows) {
				id++;
				const chapter = id - (id % CHAPTER_CALLS);
				if (id === chapter) forgetBefore(db, id - callsMax);
				if (kind.id < chapter) insertKind(db, kind, id);
				insert.run(id, kind.id, at, durationMs);
			}
		});
	} catch (error) {
		for (const { kind } of rows) kind.id = NO_ROW;
		throw error;
	}
}

function lastId(db: Database): number {
	return (
		db.query<{ id: number | null }, []>("SELECT max(id) AS id FROM calls").get()
			?.id ?? 0
	);
}

function insertKind(db: Database, kind: Kind, id: number): void {
	const { userId, clientId, serverId, method, name, outcome } = kind.call;
	db.query(
		`INSERT INTO call_kinds (id, user_id, client_id, server_id, method, name, outcome)
		 VALUES (?, ?, ?, ?, ?, ?, ?)`,
	).run(id, userId, clientId, serverId, method, name, outcome);
	kind.id = id;
}

function forgetBefore(db: Database, id: number): void {
	db.query("DELETE FROM calls WHERE id < ?").run(id);
	db.query("DELETE FROM call_kinds WHERE id < ?").run(id);
}
