/**
 * The first connection to a server that was added or changed: what it lists is approved, or compared with what was.
 * A server that does not answer now is kept, because it may answer tomorrow; the warning says what is wrong.
 */
import { type ErrorCode, SallyportError } from "../errors.ts";
import type { Pins } from "../mcp/pins.ts";
import type { Shape } from "../mcp/shape.ts";
import type { Database } from "../store/database.ts";
import { listHeldChanges } from "../store/held-changes.ts";
import type { Server } from "../store/servers.ts";
import { longNames, type Shelves, shapeNow } from "./tools.ts";

const PROBE_TIMEOUT_MS = 60_000;
/** Long names that are each warned of; the rest are a number. */
const LONG_NAMES_MAX = 10;

export type Warning = {
	readonly code: ErrorCode | "long_name" | "held";
	readonly message: string;
	readonly hint?: string | undefined;
};

export type Probe = {
	/** Null when it could not be asked. */
	readonly toolCount: number | null;
	readonly warnings: readonly Warning[];
};

export type ProbeDeps = Shelves & {
	readonly db: Database;
	readonly pins: Pick<Pins, "instructions">;
};

/** Connects and lists everything that is pinned. @param userId whose personal secrets it may use, if there is a user yet */
export async function probeServer(
	deps: ProbeDeps,
	server: Server,
	userId: string | null,
	signal: AbortSignal,
): Promise<Probe> {
	if (!server.enabled) return { toolCount: null, warnings: [] };
	const deadline = AbortSignal.any([
		signal,
		AbortSignal.timeout(PROBE_TIMEOUT_MS),
	]);
	try {
		const list = (kind: "tools" | "prompts"): Promise<Shape> =>
			shapeNow(deps, server.slug, kind, userId, deadline);
		const tools = await list("tools");
		const prompts = await list("prompts");
		const upstream = deps.upstreams.forUser(server, userId ?? "");
		const { instructions } = await upstream.facts(deadline);
		deps.pins.instructions(server, instructions);
		return {
			toolCount: tools.all.length,
			warnings: [
				...longNameWarnings(server, "tool", tools),
				...longNameWarnings(server, "prompt", prompts),
				...heldWarnings(deps.db, server),
			],
		};
	} catch (error) {
		if (!(error instanceof SallyportError) || error.code === "internal")
			throw error;
		const { code, message, hint } = error;
		return { toolCount: null, warnings: [{ code, message, hint }] };
	}
}

function longNameWarnings(
	server: Server,
	noun: "tool" | "prompt",
	shape: Shape,
): readonly Warning[] {
	const long = longNames(server, shape);
	const rest = long.length - LONG_NAMES_MAX;
	return [
		...long.slice(0, LONG_NAMES_MAX).map(
			({ name, clientName }): Warning => ({
				code: "long_name",
				message: `the ${noun} ${name} has too long a name for some clients: they see ${clientName}`,
				...(noun === "tool" && {
					hint: `give it a shorter one: sallyport tools edit ${server.slug} ${name} --name SHORT`,
				}),
			}),
		),
		...(rest > 0
			? [
					{
						code: "long_name" as const,
						message: `${rest} more ${noun}s have too long a name for some clients`,
						hint: `see them with: sallyport servers tools ${server.slug} --all`,
					},
				]
			: []),
	];
}

function heldWarnings(db: Database, { id, slug }: Server): readonly Warning[] {
	const { length } = listHeldChanges(db, id);
	return length === 0
		? []
		: [
				{
					code: "held",
					message: `${length} ${length === 1 ? "definition is" : "definitions are"} not as approved, and hidden until accepted`,
					hint: `look at ${length === 1 ? "it" : "them"}: sallyport servers tools ${slug} --changes`,
				},
			];
}
