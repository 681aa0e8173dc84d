import { expect, test } from "bun:test";
import { createShapes, type Shape } from "../../src/mcp/shape.ts";
import { textOf, toBytes } from "../../src/message.ts";
import { openDatabase } from "../../src/store/database.ts";
import {
	createServer,
	requireServer,
	type Server,
	type ServerRules,
	type ServerSettings,
} from "../../src/store/servers.ts";
import {
	changeToolSetting,
	type ToolSetting,
} from "../../src/store/tool-settings.ts";
import type { Item } from "../../src/upstream/upstream.ts";

const READ =
	'{"name":"read","n":12345678901234567890,"inputSchema":{"properties":{"name":{}}}}';
const WIPE = '{"name":"wipe","annotations":{"destructiveHint":true}}';
const SAY = '{"name":"say","annotations":{"destructiveHint":false}}';

function serverWith(
	settings: Readonly<Record<string, Partial<ToolSetting>>>,
	more: Partial<ServerSettings & ServerRules> = {},
): Server {
	const db = openDatabase(":memory:");
	const { id } = createServer(
		db,
		"notes",
		{
			transport: { kind: "command", command: "true", args: [], env: {} },
			slots: [],
			access: "everyone",
			tools: null,
			enabled: true,
			...more,
		},
		1,
	);
	for (const [tool, changes] of Object.entries(settings))
		changeToolSetting(db, id, tool, changes);
	return requireServer(db, "notes");
}

function items(texts: readonly string[]): readonly Item[] {
	return texts.map((text) => ({
		key: JSON.parse(text).name,
		bytes: toBytes(text),
	}));
}

function shape(server: Server, ...texts: readonly string[]): Shape {
	return createShapes({ judge: () => new Map() }).of(
		server,
		"tools",
		items(texts),
	);
}

function hidden({ all }: Shape): Record<string, string | null> {
	return Object.fromEntries(all.map(({ key, hidden }) => [key, hidden]));
}

test("without decisions a list is the server's own bytes", () => {
	const listed = items([READ, WIPE]);
	const { shown } = createShapes({ judge: () => new Map() }).of(
		serverWith({}),
		"tools",
		listed,
	);
	expect(shown.map(({ bytes }) => bytes)).toEqual(
		listed.map(({ bytes }) => bytes),
	);
});

test("a name, a title and a description are cut in, and nothing else changes", () => {
	const server = serverWith({
		read: { name: "fetch", title: "Fetch", description: 'Says "hi"' },
	});
	const [entry] = shape(server, READ).shown;
	expect(entry && textOf(entry.bytes)).toBe(
		`{"title":"Fetch","description":"Says \\"hi\\"",${READ.slice(1).replace('"name":"read"', '"name":"fetch"')}`,
	);
	expect([entry?.key, entry?.name, entry?.exposed]).toEqual([
		"read",
		"fetch",
		"notes_fetch",
	]);
});

test("destructive tools start off where the server was added so, and a switch decides either way", () => {
	const cautious = { destructiveTools: false };
	expect(hidden(shape(serverWith({}, cautious), READ, WIPE, SAY))).toEqual({
		read: null,
		wipe: "destructive",
		say: null,
	});
	expect(
		hidden(
			shape(
				serverWith(
					{ wipe: { enabled: true }, say: { enabled: false } },
					cautious,
				),
				READ,
				WIPE,
				SAY,
			),
		),
	).toEqual({ read: null, wipe: null, say: "off" });
	expect(hidden(shape(serverWith({}), WIPE))).toEqual({ wipe: null });
	const escaped = WIPE.replace("Hint", "Hin\\u0074");
	expect(hidden(shape(serverWith({}, cautious), escaped))).toEqual({
		wipe: "destructive",
	});
});

test("a list of allowed tools is the answer for all that have no switch, destructive or not", () => {
	const server = serverWith(
		{ say: { enabled: true } },
		{ tools: ["wipe"], destructiveTools: false },
	);
	expect(hidden(shape(server, READ, WIPE, SAY))).toEqual({
		read: "not_listed",
		wipe: null,
		say: null,
	});
});

test("a tool that comes with a name that was given to another gives way", () => {
	const server = serverWith({ read: { name: "say" } });
	const found = shape(server, READ, SAY);
	expect(hidden(found)).toEqual({ read: null, say: "name_taken" });
	expect(found.named.get("say")?.key).toBe("read");
});

test("where results may be cut, no schema of them is promised", () => {
	const tool = '{"name":"read","outputSchema":{"type":"object"},"x":1}';
	const limited = serverWith({}, { resultBytesMax: 5000 });
	expect(shape(limited, tool).shown.map(({ bytes }) => textOf(bytes))).toEqual([
		'{"name":"read","x":1}',
	]);
});

test("a shape is made once for each list and each state of the server", () => {
	const server = serverWith({});
	const listed = items([READ]);
	let judged = 0;
	const shapes = createShapes({
		judge: () => {
			judged++;
			return new Map();
		},
	});
	const first = shapes.of(server, "tools", listed);
	expect(shapes.of(server, "tools", listed)).toBe(first);
	expect(judged).toBe(1);
	expect(shapes.of({ ...server }, "tools", listed)).not.toBe(first);
});
