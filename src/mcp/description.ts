/**
 * What the servers of a view can do together, and how to use them: the answer to `initialize` and `server/discover`.
 * Only what is really there and what we carry is declared; a server that cannot be asked now is left out.
 */
import { SallyportError } from "../errors.ts";
import type { Log } from "../log.ts";
import { EXTENSION } from "../protocol.ts";
import type { Server } from "../store/servers.ts";
import { NeedsPerson } from "../upstream/needs-person.ts";
import type { ServerFacts, Upstream } from "../upstream/upstream.ts";
import { carriedExtensions } from "./capabilities.ts";
import { carriesTasks } from "./lists.ts";
import type { Pins } from "./pins.ts";
import { iconsOf } from "./self.ts";
import type { View } from "./view.ts";

export type Description = {
	readonly capabilities: Readonly<Record<string, unknown>>;
	readonly instructions: string | undefined;
	/** How the one server of a view is drawn; empty where there are several, or it does not say. */
	readonly icons: readonly unknown[];
};

/** How long `initialize` and `server/discover` wait for a server that has never been asked. */
const DESCRIBE_DEADLINE_MS = 5000;
const INSTRUCTIONS_LENGTH_MAX = 16_000;

/** Asks every server of the view that has never been asked. */
export async function describe(
	view: View,
	upstreamOf: (view: View, server: Server) => Upstream,
	pins: Pick<Pins, "instructions">,
	log: Log,
): Promise<Description> {
	const known: readonly Known[] = await Promise.all(
		view.servers.map(async (server) => ({
			server,
			...(await factsOf(upstreamOf, view, server, log)),
		})),
	);
	return {
		capabilities: capabilitiesOf(
			view,
			known.map(({ facts }) => facts),
		),
		instructions: instructionsOf(
			view,
			known.map(({ server, facts, needs }) => ({
				server,
				needs,
				instructions:
					facts === null
						? undefined
						: pins.instructions(server, facts.instructions),
			})),
		),
		icons: view.only ? iconsOf(known[0]?.facts?.serverInfo ?? {}) : [],
	};
}

/** What is known of one server: what it says of itself, or what its person must do before it says anything. */
type Known = {
	readonly server: Server;
	readonly facts: ServerFacts | null;
	readonly needs: NeedsPerson | null;
};

async function factsOf(
	upstreamOf: (view: View, server: Server) => Upstream,
	view: View,
	server: Server,
	log: Log,
): Promise<Omit<Known, "server">> {
	try {
		const upstream = upstreamOf(view, server);
		const facts =
			upstream.knownFacts() ??
			(await upstream.facts(AbortSignal.timeout(DESCRIBE_DEADLINE_MS)));
		return { facts, needs: null };
	} catch (error) {
		if (error instanceof NeedsPerson) return { facts: null, needs: error };
		if (!(error instanceof SallyportError)) throw error;
		log.warn("server not described", {
			slug: server.slug,
			reason: error.message,
		});
		return { facts: null, needs: null };
	}
}

/** The union of what the servers can really do and we carry. A declared list always answers, if with nothing. */
function capabilitiesOf(
	view: View,
	all: readonly (ServerFacts | null)[],
): Readonly<Record<string, unknown>> {
	const has = (name: string): boolean =>
		all.some((facts) => facts?.capabilities[name] !== undefined);
	const watches = all.some(
		(facts) =>
			(facts?.capabilities["resources"] as { subscribe?: unknown } | undefined)
				?.subscribe === true,
	);
	return {
		tools: { listChanged: true },
		...(has("prompts") ? { prompts: { listChanged: true } } : {}),
		...(has("resources")
			? {
					resources: {
						listChanged: true,
						...(watches ? { subscribe: true } : {}),
					},
				}
			: {}),
		...(has("completions") ? { completions: {} } : {}),
		...(has("logging") ? { logging: {} } : {}),
		...tasksOf(view, all),
		...extensionsOf(view, all),
	};
}

/** What a legacy client is told of tasks; a modern one hears of them as an extension. */
function tasksOf(
	view: View,
	all: readonly (ServerFacts | null)[],
): Readonly<Record<string, unknown>> {
	return view.tasks === "legacy" &&
		all.some((facts) => carriesTasks(view, facts))
		? { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } }
		: {};
}

function extensionsOf(
	view: View,
	all: readonly (ServerFacts | null)[],
): Readonly<Record<string, unknown>> {
	const merged = Object.assign(
		{},
		...all.map((facts) => {
			const carried = carriedExtensions(facts?.capabilities["extensions"]);
			const { [EXTENSION.tasks]: tasks, ...others } = carried;
			return tasks !== undefined && carriesTasks(view, facts)
				? carried
				: others;
		}),
	) as Readonly<Record<string, unknown>>;
	return Object.keys(merged).length > 0 ? { extensions: merged } : {};
}

function instructionsOf(
	view: View,
	known: readonly {
		readonly server: Server;
		readonly needs: NeedsPerson | null;
		readonly instructions: string | undefined;
	}[],
): string | undefined {
	const parts = known.flatMap(({ server, needs, instructions }) => {
		// Its tools cannot be listed before, so nothing else would tell anyone.
		if (needs) return [`${needs.message}: its user opens ${needs.url}`];
		return instructions
			? [`Tools that begin with ${server.slug}_: ${instructions}`]
			: [];
	});
	if (view.only && !known[0]?.needs) return known[0]?.instructions;
	return parts.length === 0
		? undefined
		: parts.join("\n\n").slice(0, INSTRUCTIONS_LENGTH_MAX);
}
