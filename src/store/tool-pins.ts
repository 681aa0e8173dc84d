/**
 * What of a server was approved: the definitions of its tools and prompts, and its instructions, as they first were
 * or as an administrator accepted them later. A definition is the part that a model or a person acts on, in its one
 * canonical spelling; what that is, and how it is digested, is not known here.
 */
import type { Database } from "./database.ts";

export type PinKind = "tool" | "prompt" | "instructions";

/** A definition in its canonical spelling, and the two digests it is compared by. */
export type Definition = {
	/** Empty for the instructions. */
	readonly name: string;
	/** Canonical JSON. */
	readonly text: string;
	readonly digest: string;
	/** The same without the name: two definitions that are alike are one that was renamed. */
	readonly likeness: string;
};

/** What two definitions are compared by. The texts are long, and wanted by nobody but people. */
export type Digests = Omit<Definition, "text">;

type Row = {
	name: string;
	definition: string;
	digest: string;
	likeness: string;
};

/** The approved definitions of a list by name; null when nothing of that kind was approved yet. */
export function findPins(
	db: Database,
	serverId: string,
	kind: PinKind,
): ReadonlyMap<string, Definition> | null {
	if (!isPinned(db, serverId, kind)) return null;
	const rows = db
		.query<Row, [string, string]>(
			"SELECT name, definition, digest, likeness FROM tool_pins WHERE server_id = ? AND kind = ?",
		)
		.all(serverId, kind);
	return new Map(
		rows.map(({ definition, ...row }) => [
			row.name,
			{ ...row, text: definition },
		]),
	);
}

/** The same without the texts. */
export function findDigests(
	db: Database,
	serverId: string,
	kind: PinKind,
): ReadonlyMap<string, Digests> | null {
	if (!isPinned(db, serverId, kind)) return null;
	const rows = db
		.query<Digests, [string, string]>(
			"SELECT name, digest, likeness FROM tool_pins WHERE server_id = ? AND kind = ?",
		)
		.all(serverId, kind);
	return new Map(rows.map((row) => [row.name, row]));
}

function isPinned(db: Database, serverId: string, kind: PinKind): boolean {
	return (
		db
			.query<{ pinned_at: number }, [string, string]>(
				"SELECT pinned_at FROM pinned_lists WHERE server_id = ? AND kind = ?",
			)
			.get(serverId, kind) !== null
	);
}

/** Approves these definitions; from now on others of that kind are compared with what is approved. */
export function pinDefinitions(
	db: Database,
	serverId: string,
	kind: PinKind,
	definitions: readonly Definition[],
	now: number,
): void {
	db.query(
		"INSERT INTO pinned_lists (server_id, kind, pinned_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
	).run(serverId, kind, now);
	const insert = db.query(
		`INSERT OR REPLACE INTO tool_pins (server_id, kind, name, definition, digest, likeness, pinned_at)
		 VALUES (?, ?, ?, ?, ?, ?, ?)`,
	);
	for (const { name, text, digest, likeness } of definitions)
		insert.run(serverId, kind, name, text, digest, likeness, now);
}

/** What was approved under that name no longer is. */
export function unpin(
	db: Database,
	serverId: string,
	kind: PinKind,
	name: string,
): void {
	db.query(
		"DELETE FROM tool_pins WHERE server_id = ? AND kind = ? AND name = ?",
	).run(serverId, kind, name);
}

/** Forgets everything approved of a server, and what waits: its next listing is approved as it is. */
export function forgetPins(db: Database, serverId: string): void {
	db.query("DELETE FROM pinned_lists WHERE server_id = ?").run(serverId);
}
