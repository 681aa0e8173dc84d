/** The audit trail: who changed what, when. Append-only; names and ids, never a value. */
import type { Database } from "./database.ts";

type AuditEntry = {
	/** A user's id, or `socket` for whoever holds the admin socket. */
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
