/**
 * Reaching a server that is a process: what is run, and which era it turns out to be of.
 *
 * @see specification 2026-07-28, basic/versioning ("Compatibility", stdio)
 */

import { join } from "node:path";
import type { Abortable } from "../abort.ts";
import { delay } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { SHARED } from "../store/secrets.ts";
import type { Server } from "../store/servers.ts";
import type { Program } from "./child.ts";
import type { Credentials } from "./credentials.ts";
import type { DialDeps, Memory } from "./dial.ts";
import { discover, initialize } from "./era.ts";
import { closeOnFailure, LinkError, START_TIMEOUT_MS } from "./link.ts";
import type { Met } from "./shared-process.ts";
import type { ServerFacts } from "./upstream.ts";

/** How long a process may take to say it is modern before it is also asked as a legacy one. */
const PROBE_TIMEOUT_MS = 3000;
const PATH = "/usr/local/bin:/usr/bin:/bin";

/** A process that was started, and nothing said to it yet. */
export type Started = Omit<Met, "facts">;

/**
 * Finds out what a process speaks.
 * @param start starts one; called again for a server that ends when it is probed
 */
export async function dialProcess(
	start: () => Started,
	memory: Memory,
	signal: Abortable,
): Promise<Met> {
	const first = start();
	if (memory.legacy) return handshake(first, signal);
	return closeOnFailure(first.link, async () => {
		const found = await probe(first, signal);
		if (found !== "died") {
			memory.legacy = found.era === "legacy";
			return { ...first, facts: found };
		}
		// Some servers end when asked something they do not know; a second one is asked nothing of the kind.
		const met = await handshake(start(), signal);
		memory.legacy = true;
		return met;
	});
}

function handshake(started: Started, signal: Abortable): Promise<Met> {
	const { link, talk } = started;
	return closeOnFailure(link, async () => ({
		...started,
		facts: await initialize(talk, signal, START_TIMEOUT_MS),
	}));
}

/** Asks as a modern client and, when that takes long, as a legacy one too; whichever is answered first counts. */
async function probe(
	{ link, talk }: Started,
	signal: Abortable,
): Promise<ServerFacts | "died"> {
	const asked = new AbortController();
	const stop = (): void => asked.abort();
	signal.addEventListener("abort", stop, { once: true });
	const asLegacy = (): Promise<ServerFacts> =>
		initialize(talk, asked.signal, START_TIMEOUT_MS);
	const modern = discover(talk, asked.signal, START_TIMEOUT_MS);
	const patience = delay(PROBE_TIMEOUT_MS, asked.signal).then(
		() => "slow" as const,
	);
	const died = link.closed.then(() => "died" as const);
	modern.catch(() => {}); // judged below, or overtaken
	try {
		const first = await Promise.race([modern, patience, died]);
		if (first === "died") return "died";
		if (first === null) return await asLegacy();
		if (first !== "slow") return first;
		const answered = modern.then((facts) => facts ?? Promise.reject(refusal()));
		return await Promise.any([answered, asLegacy()]);
	} catch (error) {
		const cause = error instanceof AggregateError ? error.errors[1] : error;
		if (cause instanceof LinkError && cause.reach === "broken") {
			const ended = await Promise.race([died, delay(0).then(() => null)]);
			if (ended) return "died";
		}
		throw cause;
	} finally {
		signal.removeEventListener("abort", stop);
		stop();
	}
}

function refusal(): LinkError {
	return new LinkError("final", "the server is not of the modern era");
}

/** What to run, where, and with which environment: nothing of the gateway's own, everything that was declared. */
export function programOf(
	deps: Pick<DialDeps, "serverDir" | "entryOf">,
	server: Server,
	{ identity, env }: Credentials,
): Program {
	const { transport } = server;
	if (transport.kind === "http") throw new Error("not a process");
	const folder = deps.serverDir(server);
	// What a server keeps for one user is not to be found by the process of another.
	const directory =
		identity === SHARED ? folder : join(folder, "users", identity);
	const environment = {
		PATH,
		HOME: directory,
		TMPDIR: directory,
		LANG: "C.UTF-8",
		...transport.env,
		...env,
	};
	if (transport.kind === "command")
		return {
			command: transport.command,
			args: transport.args,
			env: environment,
			directory,
		};
	const entry = deps.entryOf(server);
	if (entry === null)
		throw new SallyportError(
			"unavailable",
			`the package of ${server.slug} is not installed`,
			{ hint: `remove the server and add it again` },
		);
	return {
		// This executable is Bun when it is told so.
		command: process.execPath,
		args: [join(folder, entry), ...transport.args],
		env: { ...environment, BUN_BE_BUN: "1" },
		directory,
	};
}
