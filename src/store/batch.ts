/**
 * Rows that nobody waits for: collected in memory and written together, so that what is recorded never waits for the
 * disk. What a crash loses is the last moment of a record; what was changed is in the audit trail, which does not wait.
 */
import { delay } from "../clock.ts";

const FLUSH_AFTER_MS = 100;
const BATCH_ROWS_MAX = 500;
/** Kept while the database cannot be written; beyond it the oldest are dropped. */
const PENDING_ROWS_MAX = 5000;

export type Batch<Row> = {
	readonly add: (row: Row) => void;
	/** Writes what is pending. @throws when the database cannot be written */
	readonly flush: () => void;
	/** Writes what is pending and takes no more. */
	readonly close: () => void;
};

/** A batch that is written at most 100 ms or 500 rows after a row came. A full disk never fails whoever adds one. */
export function createBatch<Row>(options: {
	/** Writes rows, all or none. */
	readonly write: (rows: readonly Row[]) => void;
	/** Rows could not be written; so many of them were given up. */
	readonly onFailure: (error: unknown, dropped: number) => void;
}): Batch<Row> {
	let pending: Row[] = [];
	let waiting = false;
	let closed = false;
	const stop = new AbortController();

	function flush(): void {
		if (pending.length === 0) return;
		options.write(pending);
		pending = [];
	}

	function tryFlush(): void {
		try {
			flush();
		} catch (error) {
			const dropped = Math.max(0, pending.length - PENDING_ROWS_MAX);
			pending = pending.slice(dropped);
			options.onFailure(error, dropped);
		}
	}

	async function flushSoon(): Promise<void> {
		waiting = true;
		await delay(FLUSH_AFTER_MS, stop.signal);
		waiting = false;
		if (!closed) tryFlush();
	}

	return {
		add: (row) => {
			if (closed) return;
			pending.push(row);
			// Counted from the last batch, so that a database that cannot be written is not tried at every row.
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
