/**
 * What administrators decide about the tools of a server: switches, names and texts of our own. Each change is
 * written to the audit trail, and every client hears that its list may have changed.
 */
import type { Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { tokensOf } from "../mcp/cost.ts";
import {
	CLIENT_NAME_LENGTH_MAX,
	clientName,
	isShortened,
} from "../mcp/names.ts";
import {
	createShapes,
	type Entry,
	isDestructive,
	type Reason,
	type Shape,
	type Shapes,
} from "../mcp/shape.ts";
import type { Directory } from "../mcp/view.ts";
import { objectOf, parseJson, toBytes } from "../message.ts";
import { recordAudit } from "../store/audit.ts";
import { type Database, transaction } from "../store/database.ts";
import { type Server, unknownServer } from "../store/servers.ts";
import { findPins } from "../store/tool-pins.ts";
import {
	changeToolSetting,
	forgetToolSetting,
	NO_TOOL_SETTING,
	type ToolSetting,
} from "../store/tool-settings.ts";
import type { ListKind, Upstreams } from "../upstream/upstream.ts";

/** What lists are made of. */
export type Shelves = {
	readonly directory: Directory;
	readonly upstreams: Upstreams;
	readonly shapes: Shapes;
};

type ToolDeps = {
	readonly db: Database;
	readonly clock: Clock;
	/** Whoever keeps server rows in memory forgets them, and clients hear that lists changed. */
	readonly serversChanged: () => void;
};

const LIST_TIMEOUT_MS = 30_000;
/** SEP-986, without the dot: some model APIs refuse it. */
const TOOL_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** A tool as administrators see it. */
export type ToolView = {
	/** The server's own name. */
	readonly name: string;
	/** At the server's own endpoint. */
	readonly shownAs: string;
	/** At `/mcp` and in toolsets. */
	readonly sharedName: string;
	/** There, as a client shows it to its model. */
	readonly clientName: string;
	/** Whether its own name is too long for some clients, and they see another or none. */
	readonly hasLongName: boolean;
	readonly shown: boolean;
	/** Why it is not shown. */
	readonly hidden: Reason | null;
	readonly destructive: boolean;
	readonly readOnly: boolean;
	/** Estimated tokens. */
	readonly tokens: number;
	readonly title: string | null;
	readonly description: string | null;
	/** The server's own. */
	readonly ownDescription: string | null;
	/** What was decided of it. */
	readonly settings: ToolSetting;
};

/**
 * A server's list as it is now, shown and hidden.
 * @throws SallyportError `not_found`, and whatever keeps the server from being asked
 */
export async function shapeNow(
	{ directory, upstreams, shapes }: Shelves,
	slug: string,
	kind: ListKind,
	userId: string | null,
	signal: AbortSignal,
): Promise<Shape> {
	const server = directory.server(slug);
	if (!server) throw unknownServer(slug);
	const deadline = AbortSignal.any([
		signal,
		AbortSignal.timeout(LIST_TIMEOUT_MS),
	]);
	const upstream = upstreams.forUser(server, userId ?? "");
	try {
		return shapes.of(server, kind, await upstream.list(kind, deadline));
	} catch (error) {
		if (!deadline.aborted) throw error;
		throw new SallyportError("upstream", `${slug} did not answer in time`, {
			hint: "it may still be starting: try again in a moment",
			cause: error,
		});
	}
}

/** Every tool of a list, for administrators. */
export function viewTools(server: Server, { all }: Shape): readonly ToolView[] {
	return all.map((entry) => viewTool(server, entry));
}

function viewTool(server: Server, entry: Entry): ToolView {
	const { slug, toolSettings } = server;
	const tool = objectOf(parseJson(entry.bytes));
	const annotations = objectOf(tool["annotations"]);
	const own = objectOf(parseJson(entry.source));
	return {
		name: entry.key,
		shownAs: entry.name,
		sharedName: entry.exposed,
		clientName: clientName(null, entry.exposed),
		hasLongName: longNameOf(slug, entry) !== null,
		shown: entry.hidden === null,
		hidden: entry.hidden,
		destructive: isDestructive(entry.bytes),
		readOnly: annotations["readOnlyHint"] === true,
		tokens: tokensOf(entry.bytes),
		title: textOr(tool["title"] ?? annotations["title"]),
		description: textOr(tool["description"]),
		ownDescription: textOr(own["description"]),
		settings: toolSettings.get(entry.key) ?? NO_TOOL_SETTING,
	};
}

function textOr(value: unknown): string | null {
	return typeof value === "string" ? value : null;
}

/** What a person who is asked about a server wants to know of its tools. */
export type ToolsInBrief = {
	/** How many clients see. */
	readonly count: number;
	/** Those that do not say of themselves that they only read. */
	readonly changing: readonly string[];
};

/** Every pin is what it is: nothing here is held against anything. */
const AS_PINNED = createShapes({ judge: () => new Map() });

/** A server's tools by what was approved of them; null when it was never asked. Asks nobody now. */
export function toolsInBrief(
	db: Database,
	server: Server,
): ToolsInBrief | null {
	const pins = findPins(db, server.id, "tool");
	if (!pins) return null;
	const items = [...pins.values()]
		.filter(({ text }) => text.startsWith("{"))
		.map(({ name, text }) => ({ key: name, bytes: toBytes(text) }));
	const shown = viewTools(server, AS_PINNED.of(server, "tools", items)).filter(
		(tool) => tool.shown,
	);
	return {
		count: shown.length,
		changing: shown
			.filter((tool) => !tool.readOnly)
			.map((tool) => tool.title ?? tool.shownAs),
	};
}

/** What is too long for clients, and how they will see it: what is shortened, and what cannot be at its own endpoint. */
export function longNames(
	{ slug }: Pick<Server, "slug">,
	{ shown }: Shape,
): readonly { readonly name: string; readonly clientName: string }[] {
	return shown.flatMap((entry) => {
		const seen = longNameOf(slug, entry);
		return seen === null ? [] : [{ name: entry.name, clientName: seen }];
	});
}

function longNameOf(slug: string, { name, exposed }: Entry): string | null {
	if (isShortened(slug, name, exposed)) return clientName(null, exposed);
	const alone = clientName(slug, name);
	return alone.length > CLIENT_NAME_LENGTH_MAX ? alone : null;
}

/**
 * Decides something about a tool; what is not given stays, and null takes back what was decided.
 * @throws SallyportError `not_found` for a tool the server does not list, `invalid` or `conflict` for its new name
 */
export function changeTool(
	deps: ToolDeps,
	server: Server,
	shape: Shape,
	tool: string,
	changes: Partial<ToolSetting>,
	actor: string,
): void {
	requireListed(server, shape, tool);
	if (typeof changes.name === "string")
		requireFreeName(shape, tool, changes.name);
	const own = changes.name === tool ? { ...changes, name: null } : changes;
	transaction(deps.db, () => {
		changeToolSetting(deps.db, server.id, tool, own);
		audit(deps, actor, "tool.change", server, tool, Object.keys(changes));
	});
	deps.serversChanged();
}

/** Takes back everything decided about a tool. @throws SallyportError `not_found` when nothing was */
export function resetTool(
	deps: ToolDeps,
	server: Server,
	tool: string,
	actor: string,
): void {
	if (!server.toolSettings.has(tool))
		throw new SallyportError("not_found", `nothing was changed about ${tool}`, {
			hint: `sallyport servers tools ${server.slug} --all shows every tool`,
		});
	transaction(deps.db, () => {
		forgetToolSetting(deps.db, server.id, tool);
		audit(deps, actor, "tool.reset", server, tool, []);
	});
	deps.serversChanged();
}

function requireListed({ slug }: Server, { all }: Shape, tool: string): void {
	if (!all.some(({ key }) => key === tool))
		throw new SallyportError("not_found", `${slug} has no tool ${tool}`, {
			hint: `see them with: sallyport servers tools ${slug} --all`,
		});
}

function requireFreeName({ all }: Shape, tool: string, name: string): void {
	if (name !== tool && !TOOL_NAME.test(name))
		throw new SallyportError(
			"invalid",
			"a tool's name is 1 to 64 letters, digits, _ and -",
			{ hint: "choose another name; nothing was changed" },
		);
	const other = all.find(
		(entry) =>
			entry.key !== tool && (entry.name === name || entry.key === name),
	);
	if (other)
		throw new SallyportError("conflict", `${other.key} has the name ${name}`, {
			hint: "choose another name; nothing was changed",
		});
}

function audit(
	{ db, clock }: ToolDeps,
	actor: string,
	action: string,
	{ slug }: Server,
	tool: string,
	fields: readonly string[],
): void {
	recordAudit(
		db,
		{
			actor,
			action,
			object: slug,
			detail: [tool.slice(0, 200), ...fields].join(" "),
		},
		clock.now(),
	);
}
