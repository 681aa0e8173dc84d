/**
 * What an administrator decided about single tools of a server: whether a tool may be used, and a name, title or
 * description of our own for it. Each is kept under the server's own name of the tool, so that taking it back is
 * forgetting the row.
 */
import { SallyportError } from "../errors.ts";
import type { Database } from "./database.ts";

/** Null: as the server has it. */
export type ToolSetting = {
	readonly enabled: boolean | null;
	readonly name: string | null;
	readonly title: string | null;
	readonly description: string | null;
};

/** Settings by the server's own name of the tool. */
export type ToolSettings = ReadonlyMap<string, ToolSetting>;

/** Nothing was decided. */
export const NO_TOOL_SETTING: ToolSetting = {
	enabled: null,
	name: null,
	title: null,
	description: null,
};

type Row = {
	server_id: string;
	tool: string;
	enabled: number | null;
	name: string | null;
	title: string | null;
	description: string | null;
};

/** The settings of every server's tools, by server. */
export function listToolSettings(
	db: Database,
): ReadonlyMap<string, ToolSettings> {
	const found = new Map<string, Map<string, ToolSetting>>();
	for (const row of db
		.query<Row, []>("SELECT * FROM tool_settings ORDER BY server_id, tool")
		.all()) {
		const settings = found.get(row.server_id) ?? new Map();
		found.set(row.server_id, settings.set(row.tool, settingOf(row)));
	}
	return found;
}

/** The settings of one server's tools. */
export function findToolSettings(db: Database, serverId: string): ToolSettings {
	const rows = db
		.query<Row, [string]>(
			"SELECT * FROM tool_settings WHERE server_id = +? ORDER BY tool",
		)
		.all(serverId);
	return new Map(rows.map((row) => [row.tool, settingOf(row)]));
}

/**
 * Changes the settings of one tool; what is not given stays.
 * @throws SallyportError `conflict` when another tool of the server has that name of ours
 */
export function changeToolSetting(
	db: Database,
	serverId: string,
	tool: string,
	changes: Partial<ToolSetting>,
): void {
	const settings = findToolSettings(db, serverId);
	const after = {
		...(settings.get(tool) ?? NO_TOOL_SETTING),
		...changes,
	};
	for (const [other, { name }] of settings)
		if (other !== tool && name !== null && name === after.name)
			throw new SallyportError(
				"conflict",
				`${other} is already named ${name}`,
				{
					hint: "choose another name",
				},
			);
	forgetToolSetting(db, serverId, tool);
	if (Object.values(after).every((value) => value === null)) return;
	db.query(
		"INSERT INTO tool_settings (server_id, tool, enabled, name, title, description) VALUES (?, ?, ?, ?, ?, ?)",
	).run(
		serverId,
		tool,
		after.enabled === null ? null : Number(after.enabled),
		after.name,
		after.title,
		after.description,
	);
}

/** The tool is as the server has it again. */
export function forgetToolSetting(
	db: Database,
	serverId: string,
	tool: string,
): void {
	db.query("DELETE FROM tool_settings WHERE server_id = ? AND tool = ?").run(
		serverId,
		tool,
	);
}

/** Takes back every switch, but not names and texts: a list of allowed tools is the whole answer again. */
export function forgetSwitches(db: Database, serverId: string): void {
	for (const tool of findToolSettings(db, serverId).keys())
		changeToolSetting(db, serverId, tool, { enabled: null });
}

/** The server renamed a tool: what was decided goes along. */
export function moveToolSetting(
	db: Database,
	serverId: string,
	from: string,
	to: string,
): void {
	db.query(
		"UPDATE OR REPLACE tool_settings SET tool = ? WHERE server_id = ? AND tool = ?",
	).run(to, serverId, from);
}

function settingOf(row: Row): ToolSetting {
	return {
		enabled: row.enabled === null ? null : row.enabled === 1,
		name: row.name,
		title: row.title,
		description: row.description,
	};
}
