/**
 * What administrators do about toolsets: a name, who may use it, which servers and which of their tools. Tools are
 * given by any name they are known by, and kept by the server's own, so that a rename takes nothing out.
 */
import type { Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import type { Shape } from "../mcp/shape.ts";
import { recordAudit } from "../store/audit.ts";
import { type Database, transaction } from "../store/database.ts";
import { requireServer } from "../store/servers.ts";
import {
	createToolset,
	deleteToolset,
	type Selection,
	type Toolset,
	type ToolsetSettings,
	updateToolset,
} from "../store/toolsets.ts";
import { type Shelves, shapeNow } from "./tools.ts";

type ToolsetDeps = Shelves & {
	readonly db: Database;
	readonly clock: Clock;
	readonly serversChanged: () => void;
};

/** A server of a toolset as people name it. */
export type NamedSelection = {
	readonly server: string;
	/** Null: all its tools. */
	readonly tools: readonly string[] | null;
};

/**
 * The selections with ids and the servers' own tool names. A server that cannot be asked now is taken at its word.
 * @throws SallyportError `not_found` for a server nobody has, `invalid` for one that stands twice or lacks a tool
 */
export async function selectionsOf(
	deps: ToolsetDeps,
	named: readonly NamedSelection[],
	userId: string | null,
	signal: AbortSignal,
): Promise<readonly Selection[]> {
	const seen = new Set<string>();
	return Promise.all(
		named.map(async ({ server: slug, tools }) => {
			const server = requireServer(deps.db, slug);
			if (seen.has(slug))
				throw new SallyportError("invalid", `the server ${slug} stands twice`, {
					hint: "give each server once, with all its tools",
				});
			seen.add(slug);
			if (tools === null || !server.enabled)
				return { serverId: server.id, tools };
			const shape = await shapeNow(deps, slug, "tools", userId, signal).catch(
				(error: unknown) => {
					if (error instanceof SallyportError) return null;
					throw error;
				},
			);
			return {
				serverId: server.id,
				tools: [
					...new Set(
						tools.map((tool) => (shape ? ownName(slug, shape, tool) : tool)),
					),
				],
			};
		}),
	);
}

function ownName(slug: string, shape: Shape, tool: string): string {
	const entry =
		shape.all.find(({ key }) => key === tool) ??
		shape.named.get(tool) ??
		shape.exposed.get(tool);
	if (!entry)
		throw new SallyportError("invalid", `${slug} has no tool ${tool}`, {
			hint: `see them with: sallyport servers tools ${slug} --all; nothing was changed`,
		});
	return entry.key;
}

/** Makes a toolset. @throws SallyportError `conflict` when its slug is taken */
export function addToolset(
	deps: ToolsetDeps,
	slug: string,
	settings: ToolsetSettings,
	actor: string,
): Toolset {
	return changed(deps, "toolset.add", slug, actor, () =>
		createToolset(deps.db, slug, settings, deps.clock.now()),
	);
}

/** Changes a toolset. @throws SallyportError `not_found` */
export function changeToolset(
	deps: ToolsetDeps,
	slug: string,
	changes: Partial<ToolsetSettings>,
	actor: string,
): Toolset {
	return changed(deps, "toolset.change", slug, actor, () =>
		updateToolset(deps.db, slug, changes, deps.clock.now()),
	);
}

/** Removes a toolset; its clients find nothing there any more. @throws SallyportError `not_found` */
export function removeToolset(
	deps: ToolsetDeps,
	slug: string,
	actor: string,
): void {
	changed(deps, "toolset.remove", slug, actor, () =>
		deleteToolset(deps.db, slug),
	);
}

function changed<T>(
	{ db, clock, serversChanged }: ToolsetDeps,
	action: string,
	slug: string,
	actor: string,
	work: () => T,
): T {
	const done = transaction(db, () => {
		const result = work();
		recordAudit(db, { actor, action, object: slug }, clock.now());
		return result;
	});
	serversChanged();
	return done;
}
