/**
 * Reaching a server: which transport, which program or URL, whose credentials, which era. What was found out once is
 * remembered, so that the next connection asks nothing twice; when it turns out wrong it is forgotten again.
 *
 * @see specification 2026-07-28, basic/versioning ("Compatibility"), basic/transports
 */
import { join } from "node:path";
import { delay } from "../clock.ts";
import type { Egress } from "../egress.ts";
import { SallyportError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import { SHARED } from "../store/secrets.ts";
import type { Server, Transport } from "../store/servers.ts";
import type { Vault } from "../vault.ts";
import { type Child, type Program, startChild } from "./child.ts";
import {
	type Connection,
	createConnection,
	createHearing,
	createTalk,
	type Talk,
} from "./connection.ts";
import { type Credentials, credentialsFor } from "./credentials.ts";
import { discover, initialize, isEraEvidence } from "./era.ts";
import { type HttpTarget, openHttpLink } from "./http.ts";
import { type Hearing, type Link, LinkError } from "./link.ts";
import { openSseLink } from "./sse.ts";
import { collectLines, type Lines } from "./stderr.ts";
import { openStdioLink } from "./stdio.ts";
import type { ServerFacts, UpstreamEvent } from "./upstream.ts";

export type DialDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly egress: Egress;
	readonly version: string;
	/** The server's own folder. */
	readonly serverDir: (server: Server) => string;
	/** The script of an installed package, relative to the server's folder; null when nothing is installed. */
	readonly entryOf: (server: Server) => string | null;
	readonly takeStream: () => (() => void) | null;
};

/** What earlier connections found out. */
type Memory = { legacy: boolean; sse: boolean };

export type Dial = (
	onEvent: (event: UpstreamEvent) => void,
	signal: AbortSignal,
) => Promise<Connection>;

type Http = Extract<Transport, { kind: "http" }>;

/** How long a process may take to say it is modern before it is also asked as a legacy one. */
const PROBE_TIMEOUT_MS = 3000;
const HTTP_PROBE_TIMEOUT_MS = 15_000;
/** A process may have to load a lot before it answers. */
const START_TIMEOUT_MS = 60_000;
const PATH = "/usr/local/bin:/usr/bin:/bin";

/**
 * A dial for one server and identity.
 * @param lines where its process's standard error goes
 */
export function createDial(
	deps: DialDeps,
	server: Server,
	identity: string,
	lines: Lines,
): Dial {
	let memory: Memory = { legacy: false, sse: false };
	const { transport } = server;
	return async (onEvent, signal) => {
		const hearing = createHearing(onEvent);
		const credentials = credentialsFor(deps.db, deps.vault, server, identity);
		if (credentials.missing.length > 0)
			throw missingSecrets(server, credentials.missing);
		try {
			if (transport.kind === "http")
				return await dialHttp(
					deps,
					transport,
					credentials,
					hearing,
					memory,
					signal,
				);
			const program = programOf(deps, server, credentials);
			const start = (): Started => {
				const child = startChild(deps.db, server.id, program);
				void collectLines(child.stderr, Object.values(credentials.env), lines);
				const link = openStdioLink(child, hearing);
				return { child, link, talk: createTalk(link, hearing, deps.version) };
			};
			return await dialProcess(start, deps.version, memory, signal);
		} catch (error) {
			memory = { legacy: false, sse: false };
			throw error;
		}
	};
}

/** What the server is told is not there. Names only. */
export function missingSecrets(
	server: Server,
	missing: readonly string[],
): SallyportError {
	return new SallyportError(
		"unavailable",
		`${server.slug} needs secrets that have no value yet: ${missing.join(", ")}`,
		{ hint: `sallyport secrets set ${server.slug} ${missing[0]} < FILE` },
	);
}

async function dialHttp(
	deps: DialDeps,
	{ url, mode, headers }: Http,
	credentials: Credentials,
	hearing: Hearing,
	memory: Memory,
	signal: AbortSignal,
): Promise<Connection> {
	const target: HttpTarget = {
		egress: deps.egress,
		url,
		headers: { ...headers, ...credentials.headers },
		version: deps.version,
		takeStream: deps.takeStream,
	};
	const dialSse = async (): Promise<Connection> => {
		const link = await openSseLink(target, hearing);
		return closeOnFailure(link, async () => {
			const talk = createTalk(link, hearing, deps.version);
			const facts = await initialize(
				talk,
				deps.version,
				signal,
				START_TIMEOUT_MS,
			);
			memory.sse = true;
			return createConnection(talk, facts);
		});
	};
	if (mode === "sse" || memory.sse) return dialSse();
	const link = openHttpLink(target, hearing);
	try {
		return await closeOnFailure(link, async () => {
			const talk = createTalk(link, hearing, deps.version);
			const modern = memory.legacy
				? null
				: await discover(talk, signal, HTTP_PROBE_TIMEOUT_MS);
			if (modern) return createConnection(talk, modern);
			const facts = await initialize(
				talk,
				deps.version,
				signal,
				START_TIMEOUT_MS,
			);
			memory.legacy = true;
			return createConnection(talk, facts);
		});
	} catch (error) {
		const old =
			mode === "auto" &&
			isEraEvidence(error) &&
			[400, 404, 405].includes((error as LinkError).status ?? 0);
		if (!old) throw error;
		return dialSse().catch(() => {
			throw error; // the first refusal says more about a server that speaks neither
		});
	}
}

type Started = {
	readonly child: Child;
	readonly link: Link;
	readonly talk: Talk;
};

async function dialProcess(
	start: () => Started,
	version: string,
	memory: Memory,
	signal: AbortSignal,
): Promise<Connection> {
	const first = start();
	if (memory.legacy) return handshake(first, version, signal);
	return closeOnFailure(first.link, async () => {
		const found = await probe(first, version, signal);
		if (found !== "died") {
			memory.legacy = found.era === "legacy";
			return createConnection(first.talk, found);
		}
		// Some servers end when asked something they do not know; a second one is asked nothing of the kind.
		const connection = await handshake(start(), version, signal);
		memory.legacy = true;
		return connection;
	});
}

function handshake(
	{ link, talk }: Started,
	version: string,
	signal: AbortSignal,
): Promise<Connection> {
	return closeOnFailure(link, async () =>
		createConnection(
			talk,
			await initialize(talk, version, signal, START_TIMEOUT_MS),
		),
	);
}

/** Asks as a modern client and, when that takes long, as a legacy one too; whichever is answered first counts. */
async function probe(
	{ link, talk }: Started,
	version: string,
	signal: AbortSignal,
): Promise<ServerFacts | "died"> {
	const asked = new AbortController();
	const stop = (): void => asked.abort();
	signal.addEventListener("abort", stop, { once: true });
	const asLegacy = (): Promise<ServerFacts> =>
		initialize(talk, version, asked.signal, START_TIMEOUT_MS);
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

async function closeOnFailure<T>(
	link: Link,
	work: () => Promise<T>,
): Promise<T> {
	try {
		return await work();
	} catch (error) {
		await link.close();
		throw error;
	}
}

/** What to run, where, and with which environment: nothing of the gateway's own, everything that was declared. */
function programOf(
	deps: DialDeps,
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
