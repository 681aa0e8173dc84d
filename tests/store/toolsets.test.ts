import { beforeEach, expect, test } from "bun:test";
import { type Database, openDatabase } from "../../src/store/database.ts";
import {
	createServer,
	deleteServer,
	type Server,
	updateServer,
} from "../../src/store/servers.ts";
import {
	changeToolSetting,
	findToolSettings,
	moveToolSetting,
} from "../../src/store/tool-settings.ts";
import {
	createToolset,
	deleteToolset,
	listToolsets,
	requireToolset,
	type ToolsetSettings,
	updateToolset,
} from "../../src/store/toolsets.ts";

let db: Database;
let notes: Server;
let files: Server;

function add(slug: string): Server {
	return createServer(
		db,
		slug,
		{
			transport: { kind: "command", command: "true", args: [], env: {} },
			slots: [],
			access: "everyone",
			tools: null,
			enabled: true,
		},
		1,
	);
}

beforeEach(() => {
	db = openDatabase(":memory:");
	notes = add("notes");
	files = add("files");
});

function settings(more: Partial<ToolsetSettings> = {}): ToolsetSettings {
	return {
		title: "For reading",
		access: "everyone",
		servers: [
			{ serverId: files.id, tools: ["read"] },
			{ serverId: notes.id, tools: null },
		],
		resultBytesMax: null,
		...more,
	};
}

test("a toolset comes back as it was made, its servers by slug", () => {
	const made = createToolset(db, "reading", settings(), 5);
	expect(made).toEqual({
		...settings(),
		id: made.id,
		slug: "reading",
		createdAt: 5,
		updatedAt: 5,
	});
	expect(listToolsets(db)).toEqual([made]);
	const changed = updateToolset(
		db,
		"reading",
		{ servers: [], resultBytesMax: 9000 },
		6,
	);
	expect(changed).toEqual({
		...made,
		servers: [],
		resultBytesMax: 9000,
		updatedAt: 6,
	});
});

test("a slug belongs to one server or one toolset", () => {
	createToolset(db, "reading", settings(), 1);
	expect(() => createToolset(db, "reading", settings(), 1)).toThrow(
		"a toolset named reading exists",
	);
	expect(() => createToolset(db, "notes", settings(), 1)).toThrow(
		"a server named notes exists",
	);
	expect(() => add("reading")).toThrow("a toolset named reading exists");
});

test("a server that is removed leaves its toolsets, and a toolset that is removed leaves its servers", () => {
	createToolset(db, "reading", settings(), 1);
	deleteServer(db, "files");
	expect(requireToolset(db, "reading").servers).toEqual([
		{ serverId: notes.id, tools: null },
	]);
	deleteToolset(db, "reading");
	expect(listToolsets(db)).toEqual([]);
	expect(() => requireToolset(db, "reading")).toThrow("no toolset named");
	expect(() => deleteToolset(db, "reading")).toThrow("no toolset named");
});

test("a tool's settings are changed one by one, and gone when nothing is left of them", () => {
	changeToolSetting(db, notes.id, "read", { enabled: false, name: "fetch" });
	changeToolSetting(db, notes.id, "read", { title: "Fetch" });
	expect(findToolSettings(db, notes.id).get("read")).toEqual({
		enabled: false,
		name: "fetch",
		title: "Fetch",
		description: null,
	});
	expect(() =>
		changeToolSetting(db, notes.id, "write", { name: "fetch" }),
	).toThrow("read is already named fetch");
	changeToolSetting(db, files.id, "write", { name: "fetch" });
	changeToolSetting(db, notes.id, "read", {
		enabled: null,
		name: null,
		title: null,
	});
	expect(findToolSettings(db, notes.id).size).toBe(0);
});

test("a renamed tool takes its settings along, over those that its new name had", () => {
	changeToolSetting(db, notes.id, "read", { enabled: false });
	changeToolSetting(db, notes.id, "fetch", { enabled: true });
	moveToolSetting(db, notes.id, "read", "fetch");
	expect([...findToolSettings(db, notes.id)]).toEqual([
		["fetch", { enabled: false, name: null, title: null, description: null }],
	]);
});

test("a new list of allowed tools takes the switches back, and leaves names", () => {
	changeToolSetting(db, notes.id, "read", { enabled: false, name: "fetch" });
	const kept = updateServer(db, "notes", { enabled: false }, 2);
	expect(kept.toolSettings.get("read")?.enabled).toBe(false);
	const listed = updateServer(db, "notes", { tools: ["read"] }, 3);
	expect(listed.toolSettings.get("read")).toEqual({
		enabled: null,
		name: "fetch",
		title: null,
		description: null,
	});
});
