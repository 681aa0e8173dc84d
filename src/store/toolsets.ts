/**
 * Toolsets: a named selection of servers and tools with an endpoint of its own. What a person may use of it is still
 * what they may use of its servers: a toolset only ever narrows.
 */
import { SallyportError } from "../errors.ts";
import { mintId } from "../mint.ts";
import { type Database, transaction } from "./database.ts";
import { type Access, refuseTaken } from "./servers.ts";

/** A server of a toolset, and which of its tools, by the server's own names; null: all. */
export type Selection = {
	readonly serverId: string;
	readonly tools: readonly string[] | null;
};

export type Toolset = {
	readonly id: string;
	readonly slug: string;
	/** What people read; may be empty. */
	readonly title: string;
	readonly access: Access;
	readonly servers: readonly Selection[];
	/** Results above this many bytes are cut for its clients; null: as each server says. */
	readonly resultBytesMax: number | null;
	readonly createdAt: number;
	readonly updatedAt: number;
};

/** What an administrator decides about a toolset. */
export type ToolsetSettings = Pick<
	Toolset,
	"title" | "access" | "servers" | "resultBytesMax"
>;

type Row = {
	id: string;
	slug: string;
	title: string;
	access: string;
	result_bytes_max: number | null;
	created_at: number;
	updated_at: number;
};

type SelectionRow = {
	toolset_id: string;
	server_id: string;
	tools: string | null;
};

/** Adds a toolset. @throws SallyportError `conflict` when a server or a toolset has the slug */
export function createToolset(
	db: Database,
	slug: string,
	settings: ToolsetSettings,
	now: number,
): Toolset {
	return transaction(db, () => {
		refuseTaken(db, slug);
		const id = mintId("tls");
		db.query(
			`INSERT INTO toolsets (id, slug, title, access, result_bytes_max, created_at, updated_at)
			 VALUES (?, ?, ?, ?, ?, ?, ?)`,
		).run(
			id,
			slug,
			settings.title,
			JSON.stringify(settings.access),
			settings.resultBytesMax,
			now,
			now,
		);
		writeSelections(db, id, settings.servers);
		return requireToolset(db, slug);
	});
}

/** All toolsets, by slug. */
export function listToolsets(db: Database): readonly Toolset[] {
	const selections = Map.groupBy(
		db
			.query<SelectionRow, []>(
				`SELECT toolset_id, server_id, toolset_servers.tools AS tools FROM toolset_servers
				 JOIN servers ON servers.id = server_id ORDER BY servers.slug`,
			)
			.all(),
		(row) => row.toolset_id,
	);
	return db
		.query<Row, []>("SELECT * FROM toolsets ORDER BY slug")
		.all()
		.map((row) => toolsetOf(row, selections.get(row.id) ?? []));
}

/** The toolset of that slug, or null. */
export function findToolset(db: Database, slug: string): Toolset | null {
	return listToolsets(db).find((each) => each.slug === slug) ?? null;
}

/** The toolset of that slug. @throws SallyportError `not_found` */
export function requireToolset(db: Database, slug: string): Toolset {
	const toolset = findToolset(db, slug);
	if (!toolset) throw unknownToolset(slug);
	return toolset;
}

/** The one answer for a toolset that does not exist and for one that the asker may not know of. */
export function unknownToolset(slug: string): SallyportError {
	return new SallyportError("not_found", `there is no toolset named ${slug}`, {
		hint: "sallyport toolsets list shows their names",
	});
}

/** Changes a toolset; what is not given stays. @throws SallyportError `not_found` */
export function updateToolset(
	db: Database,
	slug: string,
	changes: Partial<ToolsetSettings>,
	now: number,
): Toolset {
	return transaction(db, () => {
		const after = { ...requireToolset(db, slug), ...changes };
		db.query(
			"UPDATE toolsets SET title = ?, access = ?, result_bytes_max = ?, updated_at = ? WHERE id = ?",
		).run(
			after.title,
			JSON.stringify(after.access),
			after.resultBytesMax,
			now,
			after.id,
		);
		db.query("DELETE FROM toolset_servers WHERE toolset_id = ?").run(after.id);
		writeSelections(db, after.id, after.servers);
		return requireToolset(db, slug);
	});
}

/** Removes a toolset; its servers stay. @throws SallyportError `not_found` */
export function deleteToolset(db: Database, slug: string): void {
	if (db.query("DELETE FROM toolsets WHERE slug = ?").run(slug).changes === 0)
		throw unknownToolset(slug);
}

function writeSelections(
	db: Database,
	toolsetId: string,
	servers: readonly Selection[],
): void {
	const insert = db.query(
		"INSERT INTO toolset_servers (toolset_id, server_id, tools) VALUES (?, ?, ?)",
	);
	for (const { serverId, tools } of servers)
		insert.run(
			toolsetId,
			serverId,
			tools === null ? null : JSON.stringify(tools),
		);
}

function toolsetOf(row: Row, selections: readonly SelectionRow[]): Toolset {
	return {
		id: row.id,
		slug: row.slug,
		title: row.title,
		access: JSON.parse(row.access) as Access,
		servers: selections.map(({ server_id, tools }) => ({
			serverId: server_id,
			tools: tools === null ? null : (JSON.parse(tools) as readonly string[]),
		})),
		resultBytesMax: row.result_bytes_max,
		createdAt: row.created_at,
		updatedAt: row.updated_at,
	};
}
