/**
 * What is installed for a server. The files are in `servers/<slug>/`; `entry` is relative to that folder, so that
 * the data directory can be moved.
 */
import type { Database } from "./database.ts";

export type InstalledPackage = {
	readonly serverId: string;
	readonly ecosystem: "npm";
	readonly name: string;
	/** The exact version. */
	readonly version: string;
	/** The script to run, relative to `servers/<slug>/`. */
	readonly entry: string;
	readonly installedAt: number;
};

type Row = {
	server_id: string;
	ecosystem: "npm";
	name: string;
	version: string;
	entry: string;
	installed_at: number;
};

/** Records what is installed for a server, in place of what was. */
export function setPackage(db: Database, installed: InstalledPackage): void {
	db.query(
		`INSERT INTO packages (server_id, ecosystem, name, version, entry, installed_at) VALUES (?, ?, ?, ?, ?, ?)
		 ON CONFLICT (server_id) DO UPDATE SET ecosystem = excluded.ecosystem, name = excluded.name,
			version = excluded.version, entry = excluded.entry, installed_at = excluded.installed_at`,
	).run(
		installed.serverId,
		installed.ecosystem,
		installed.name,
		installed.version,
		installed.entry,
		installed.installedAt,
	);
}

/** What is installed for that server, or null. */
export function findPackage(
	db: Database,
	serverId: string,
): InstalledPackage | null {
	const row = db
		.query<Row, [string]>(
			"SELECT server_id, ecosystem, name, version, entry, installed_at FROM packages WHERE server_id = ?",
		)
		.get(serverId);
	return (
		row && {
			serverId: row.server_id,
			ecosystem: row.ecosystem,
			name: row.name,
			version: row.version,
			entry: row.entry,
			installedAt: row.installed_at,
		}
	);
}

/** Forgets what was installed for a server (it is now reached in another way). */
export function deletePackage(db: Database, serverId: string): void {
	db.query("DELETE FROM packages WHERE server_id = ?").run(serverId);
}
