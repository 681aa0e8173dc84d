/**
 * One server's list as clients see it: which entries are shown, under which names, as prepared bytes.
 *
 * A shape is made once for each list that was fetched and each change of what administrators decided; asking for it
 * again costs a look-up, and so does finding the server's own name of what a client calls. Names, titles and
 * descriptions of our own are cut into the entry's bytes; all else stays as the server wrote it.
 */
import { type Edit, splice } from "../assembly.ts";
import { BACKSLASH } from "../bytes.ts";
import {
	type Bytes,
	holds,
	isObject,
	memberOf,
	membersOf,
	parseJson,
	withoutMember,
} from "../message.ts";
import type { Change } from "../store/held-changes.ts";
import type { Server } from "../store/servers.ts";
import { NO_TOOL_SETTING, type ToolSetting } from "../store/tool-settings.ts";
import type { Item, ListKind } from "../upstream/upstream.ts";
import { exposeNames } from "./names.ts";
import type { Pins } from "./pins.ts";

/** Why an entry is not shown. */
export type Reason =
	| Change
	| "off"
	| "not_listed"
	| "destructive"
	| "name_taken";

/** The reasons in words, and that of a view: a toolset that does not have the tool. */
export const REASONS: Readonly<Record<Reason | "toolset", string>> = {
	off: "an administrator switched it off",
	not_listed: "it is not among the tools that are allowed for the server",
	destructive: "it says it is destructive, and nobody has switched it on",
	name_taken: "another tool was given its name",
	changed: "the server changed it, and nobody has accepted that yet",
	new: "the server added it, and nobody has accepted that yet",
	renamed: "the server renamed it, and nobody has accepted that yet",
	toolset: "the toolset does not have it",
};

/** An entry of the server's list, shown or hidden. */
export type Entry = {
	/** The server's own name, URI or URI template. */
	readonly key: string;
	/** Its name at the server's own endpoint: the server's, or ours. */
	readonly name: string;
	/** Its name at an endpoint of several servers; a resource's is written when it is needed. */
	readonly exposed: string;
	readonly bytes: Bytes;
	/** As the server wrote it. */
	readonly source: Bytes;
	/** Null: it is shown. */
	readonly hidden: Reason | null;
};

/** A class, because there is one of each list of each server; most are listed and not called. */
export class Shape {
	readonly all: readonly Entry[];
	readonly shown: readonly Entry[];
	/** Made for the first call. */
	#named: ReadonlyMap<string, Entry> | null = null;
	#exposed: ReadonlyMap<string, Entry> | null = null;

	constructor(all: readonly Entry[]) {
		const shown = all.filter(({ hidden }) => hidden === null);
		this.all = all;
		this.shown = shown.length === all.length ? all : shown;
	}

	/** Tools or prompts by their name at the server's own endpoint, the hidden ones too. */
	get named(): ReadonlyMap<string, Entry> {
		this.#named ??= new Map(this.#owners().map((entry) => [entry.name, entry]));
		return this.#named;
	}

	/** The same by their name at an endpoint of several servers. */
	get exposed(): ReadonlyMap<string, Entry> {
		this.#exposed ??= new Map(
			this.#owners().map((entry) => [entry.exposed, entry]),
		);
		return this.#exposed;
	}

	#owners(): readonly Entry[] {
		return this.all.filter(({ hidden }) => hidden !== "name_taken");
	}
}

const HELD: Readonly<Partial<Record<Reason, string>>> = {
	changed: "has changed since it was approved",
	new: "is new and was not approved yet",
	renamed: "was renamed by its server, which was not approved yet",
};

/** What keeps an entry from being used until an administrator accepts it, after its name; null for any other. */
export function heldReason({ hidden }: Entry): string | null {
	return (hidden && HELD[hidden]) ?? null;
}

/** Nothing is listed. */
export const EMPTY_SHAPE = new Shape([]);

export type Shapes = {
	/** The same object as long as neither the list nor what was decided changes. */
	readonly of: (
		server: Server,
		kind: ListKind,
		items: readonly Item[],
	) => Shape;
};

export function createShapes(pins: Pick<Pins, "judge">): Shapes {
	const known = new WeakMap<
		readonly Item[],
		{ readonly server: Server; readonly shape: Shape }
	>();
	return {
		of: (server, kind, items) => {
			const last = known.get(items);
			if (last?.server === server) return last.shape;
			const shape = shapeOf(server, kind, items, pins);
			known.set(items, { server, shape });
			return shape;
		},
	};
}

function shapeOf(
	server: Server,
	kind: ListKind,
	items: readonly Item[],
	pins: Pick<Pins, "judge">,
): Shape {
	if (kind === "resources" || kind === "resourceTemplates") {
		const all = items.map(
			({ key, bytes }): Entry => ({
				key,
				name: key,
				exposed: "",
				bytes,
				source: bytes,
				hidden: null,
			}),
		);
		return new Shape(all);
	}
	const isTools = kind === "tools";
	const held = pins.judge(server, isTools ? "tool" : "prompt", items);
	const settings = isTools ? server.toolSettings : NONE;
	const reasonFor = (item: Item): Reason | null =>
		held.get(item.key) ?? (isTools ? switchedOff(server, item) : null);
	const names = namesOf(items, settings);
	const exposedNames = exposeNames(server.slug, [...names.keys()]);
	const all = items.map((item): Entry => {
		const name = settings.get(item.key)?.name ?? item.key;
		return {
			key: item.key,
			name,
			exposed: exposedNames.get(name) ?? "",
			bytes: isTools ? cutSettings(server, item, settings) : item.bytes,
			source: item.bytes,
			hidden: names.get(name) === item.key ? reasonFor(item) : "name_taken",
		};
	});
	return new Shape(all);
}

/**
 * Who has which name. A name of ours was chosen by somebody, so a tool of the server's that has it gives way. Hidden
 * entries keep theirs: hiding one changes no other's name.
 */
function namesOf(
	items: readonly Item[],
	settings: ReadonlyMap<string, ToolSetting>,
): ReadonlyMap<string, string> {
	const names = new Map<string, string>();
	for (const { key } of items) {
		const name = settings.get(key)?.name;
		if (name) names.set(name, key);
	}
	for (const { key } of items)
		if (!settings.get(key)?.name && !names.has(key)) names.set(key, key);
	return names;
}

const NONE: ReadonlyMap<string, ToolSetting> = new Map();

/** A switch decides; without one the list of allowed tools does, and without a list whether it is destructive. */
function switchedOff(server: Server, tool: Item): Reason | null {
	const { enabled } = server.toolSettings.get(tool.key) ?? NO_TOOL_SETTING;
	if (enabled !== null) return enabled ? null : "off";
	if (server.tools)
		return server.tools.includes(tool.key) ? null : "not_listed";
	return server.destructiveTools || !isDestructive(tool.bytes)
		? null
		: "destructive";
}

/** Whether a tool says of itself that it is destructive. */
export function isDestructive(tool: Bytes): boolean {
	// Nothing need be read where that name stands nowhere, not with an escape either.
	if (!holds(tool, DESTRUCTIVE_HINT) && !tool.includes(BACKSLASH)) return false;
	const annotations = memberOf(tool, 0, "annotations");
	if (!annotations || !isObject(tool, annotations.start)) return false;
	const hint = memberOf(tool, annotations.start, "destructiveHint");
	return hint !== undefined && parseJson(tool, hint) === true;
}

const DESTRUCTIVE_HINT = Buffer.from("destructiveHint");

/** A tool with what an administrator decided cut into it. */
function cutSettings(
	server: Server,
	{ key, bytes }: Item,
	settings: ReadonlyMap<string, ToolSetting>,
): Bytes {
	const setting = settings.get(key) ?? NO_TOOL_SETTING;
	const shown = withMembers(bytes, {
		name: setting.name,
		title: setting.title,
		description: setting.description,
	});
	// Where results may be cut, none can be promised to have a schema.
	return server.resultBytesMax === null
		? shown
		: withoutMember(shown, "outputSchema");
}

/** The object with these members; null leaves one as it is. */
function withMembers(
	bytes: Bytes,
	wanted: Readonly<Record<string, string | null>>,
): Bytes {
	const changes = Object.entries(wanted).filter(([, value]) => value !== null);
	if (changes.length === 0) return bytes;
	const members = membersOf(bytes, 0);
	const edits: Edit[] = [];
	let added = "";
	for (const [key, value] of changes) {
		const text = JSON.stringify(value);
		const member = members.find((each) => each.key === key);
		if (member) edits.push({ start: member.start, end: member.end, text });
		else added += `${JSON.stringify(key)}:${text},`;
	}
	if (added !== "") edits.push({ start: 1, end: 1, text: added });
	return splice(
		bytes,
		edits.toSorted((a, b) => a.start - b.start),
	);
}
