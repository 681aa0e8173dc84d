/** What servers said of themselves, as somebody wrote it down: one for each kind of client that a server was told of. */
import type { Database } from "./database.ts";

/** Of one server; the oldest go first. */
const KINDS_MAX = 8;

export function findSnapshot(
	db: Database,
	serverId: string,
	capabilities: string,
): Uint8Array | null {
	return (
		db
			.query<{ body: Uint8Array }, [string, string]>(
				"SELECT body FROM snapshots WHERE server_id = ? AND capabilities = ?",
			)
			.get(serverId, capabilities)?.body ?? null
	);
}

/** Writes one down in place of the last. A server that is gone has none. */
export function saveSnapshot(
	db: Database,
	serverId: string,
	capabilities: string,
	body: Uint8Array,
	now: number,
): void {
	db.query(
		`INSERT OR REPLACE INTO snapshots (server_id, capabilities, body, taken_at)
		 SELECT id, ?, ?, ? FROM servers WHERE id = ?`,
	).run(capabilities, body, now, serverId);
	db.query(
		`DELETE FROM snapshots WHERE server_id = +?1 AND capabilities NOT IN
		 (SELECT capabilities FROM snapshots WHERE server_id = +?1 ORDER BY taken_at DESC, capabilities LIMIT ${KINDS_MAX})`,
	).run(serverId);
}

export function deleteSnapshots(db: Database, serverId: string): void {
	db.query("DELETE FROM snapshots WHERE server_id = ?").run(serverId);
}
