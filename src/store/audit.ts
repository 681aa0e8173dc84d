/**
 * The audit trail: who changed what, when. Append-only; names and ids, never a value.
 *
 * What a person did is kept for good: it is what the trail is for, and nobody may push it out by doing much. What the
 * gateway did by itself is another's doing, a server's that says something else each time, so it has a bound.
 */
import type { Database } from "./database.ts";

/** Entries of the gateway's own that are kept; the newest. */
const GATEWAY_ENTRIES_MAX = 10_000;

type AuditEntry = {
	/** A user's id, `socket` for whoever holds the admin socket, `gateway` for what nobody asked for. */
	readonly actor: string;
	/** `server.add`, `secret.set`, `key.revoke` … */
	readonly action: string;
	/** The slug, id or name it was done to. */
	readonly object: string;
	readonly detail?: string;
};

/** Adds one entry. Call it inside the transaction of the change, so that neither stands without the other. */
export function recordAudit(
	db: Database,
	entry: AuditEntry,
	now: number,
): void {
	db.query(
		"INSERT INTO audit (at, actor, action, object, detail) VALUES (?, ?, ?, ?, ?)",
	).run(now, entry.actor, entry.action, entry.object, entry.detail ?? null);
}

/** An entry as it was recorded; ids grow in the order of what was done. */
export type RecordedEntry = Required<Omit<AuditEntry, "detail">> & {
	readonly id: number;
	readonly at: number;
	readonly detail: string | null;
};

const COLUMNS = "SELECT id, at, actor, action, object, detail FROM audit";

/** The first entries after an id, the oldest first. */
export function listAuditAfter(
	db: Database,
	id: number,
	limit: number,
): readonly RecordedEntry[] {
	return db
		.query<RecordedEntry, [number, number]>(
			`${COLUMNS} WHERE id > ? ORDER BY id LIMIT ? + 0`,
		)
		.all(id, limit);
}

/** The newest entries, the oldest of them first. */
export function listNewestAudit(
	db: Database,
	limit: number,
): readonly RecordedEntry[] {
	return db
		.query<RecordedEntry, [number]>(`${COLUMNS} ORDER BY id DESC LIMIT ? + 0`)
		.all(limit)
		.reverse();
}

/** Forgets the oldest of what the gateway did by itself. */
export function trimGatewayEntries(db: Database): void {
	db.query(
		`DELETE FROM audit WHERE actor = 'gateway' AND id <= (
			SELECT id FROM audit WHERE actor = 'gateway' ORDER BY id DESC LIMIT 1 OFFSET ?)`,
	).run(GATEWAY_ENTRIES_MAX);
}
