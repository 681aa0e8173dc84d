/**
 * What waits for an administrator: definitions of a server that are not as they were approved. One row is what the
 * server said last under that name; accepting it names its digest, so that nobody accepts what they have not seen.
 */
import type { Database } from "./database.ts";
import type { Definition, PinKind } from "./tool-pins.ts";

/** `renamed`: new under this name, and otherwise as something that was approved under another. */
export type Change = "changed" | "new" | "renamed";

export type HeldChange = Definition & {
	readonly kind: PinKind;
	readonly change: Change;
	/** The approved name, when it was renamed. */
	readonly was: string | null;
	readonly heldAt: number;
};

type Row = {
	kind: string;
	name: string;
	change: string;
	was: string | null;
	definition: string;
	digest: string;
	likeness: string;
	held_at: number;
};

const COLUMNS =
	"kind, name, change, was, definition, digest, likeness, held_at";

/** What waits at a server, tools first, by name. */
export function listHeldChanges(
	db: Database,
	serverId: string,
): readonly HeldChange[] {
	return db
		.query<Row, [string]>(
			`SELECT ${COLUMNS} FROM held_changes WHERE server_id = +? ORDER BY kind DESC, name`,
		)
		.all(serverId)
		.map(changeOf);
}

/** How many changes wait at each server, by server; one without any is not there. */
export function countHeldChanges(db: Database): ReadonlyMap<string, number> {
	const rows = db
		.query<{ server_id: string; count: number }, []>(
			"SELECT server_id, count(*) AS count FROM held_changes GROUP BY server_id",
		)
		.all();
	return new Map(rows.map((row) => [row.server_id, row.count]));
}

/** Keeps what the server says under that name now. */
export function holdChange(
	db: Database,
	serverId: string,
	change: HeldChange,
): void {
	db.query(
		`INSERT OR REPLACE INTO held_changes (server_id, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
	).run(
		serverId,
		change.kind,
		change.name,
		change.change,
		change.was,
		change.text,
		change.digest,
		change.likeness,
		change.heldAt,
	);
}

/** Nothing waits under that name any more. */
export function dropHeldChange(
	db: Database,
	serverId: string,
	kind: PinKind,
	name: string,
): void {
	db.query(
		"DELETE FROM held_changes WHERE server_id = ? AND kind = ? AND name = ?",
	).run(serverId, kind, name);
}

function changeOf({ definition, held_at, ...row }: Row): HeldChange {
	return {
		...row,
		kind: row.kind as PinKind,
		change: row.change as Change,
		text: definition,
		heldAt: held_at,
	};
}
