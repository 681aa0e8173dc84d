/**
 * Reaching a server: which transport, which program or URL, whose credentials, which era. What was found out once is
 * remembered, so that the next connection asks nothing twice; when it turns out wrong it is forgotten again.
 *
 * @see specification 2026-07-28, basic/versioning ("Compatibility"), basic/transports
 */
import type { Abortable } from "../abort.ts";
import type { KeptEgress } from "../egress.ts";
import { SallyportError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import { SHARED } from "../store/secrets.ts";
import type { Server, Transport } from "../store/servers.ts";
import type { Vault } from "../vault.ts";
import { startChild } from "./child.ts";
import { Connection, type Self, Talk } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { type Credentials, credentialsFor } from "./credentials.ts";
import { dialProcess, programOf, type Started } from "./dial-process.ts";
import { discover, initialize, isEraEvidence } from "./era.ts";
import { LinkHearing } from "./hearing.ts";
import { HttpLink } from "./http.ts";
import type { HttpTarget } from "./http-target.ts";
import { closeOnFailure, type LinkError, START_TIMEOUT_MS } from "./link.ts";
import { NeedsPerson } from "./needs-person.ts";
import type { SharedProcess } from "./shared-process.ts";
import { openSseLink } from "./sse.ts";
import { collectLines } from "./stderr.ts";
import { openStdioLink } from "./stdio.ts";
import type { UpstreamEvent } from "./upstream.ts";

export type DialDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly egress: KeptEgress;
	readonly version: string;
	/** The server's own folder. */
	readonly serverDir: (server: Server) => string;
	/** The script of an installed package, relative to the server's folder; null when nothing is installed. */
	readonly entryOf: (server: Server) => string | null;
	readonly takeStream: () => (() => void) | null;
	readonly connections: Pick<
		Connections,
		"linkTo" | "requireConnected" | "signing" | "slotToken"
	>;
	/** Ends an upstream at that instant, when nobody uses it: it was begun with a token that is to be renewed then. */
	readonly retire: (serverId: string, identity: string, at: number) => void;
};

/** What earlier connections found out. */
export type Memory = { legacy: boolean; sse: boolean };

/** Whom a connection is for. */
export type Dialled = {
	readonly server: Server;
	readonly identity: string;
	/** Canonical JSON of what the callers can be asked. */
	readonly capabilities: string;
	/** What this server and identity share, where it is one. */
	readonly process: SharedProcess;
	readonly memory: Memory;
};

export type Dial = (
	dialled: Dialled,
	onEvent: (event: UpstreamEvent) => void,
	signal: Abortable,
) => Promise<Connection>;

type Http = Extract<Transport, { kind: "http" }>;

const HTTP_PROBE_TIMEOUT_MS = 15_000;

/** How all servers are reached. */
export function createDial(deps: DialDeps): Dial {
	return async (dialled, onEvent, signal) => {
		const { server, identity, memory } = dialled;
		deps.connections.requireConnected(server, identity);
		const token = server.signsIn
			? await deps.connections.slotToken(server, identity)
			: null;
		const credentials = credentialsFor(
			deps.db,
			deps.vault,
			server,
			identity,
			token,
		);
		if (credentials.missing.length > 0)
			throw missingSecrets(deps, server, credentials.missing);
		if (token?.refreshAt) deps.retire(server.id, identity, token.refreshAt);
		try {
			return server.transport.kind === "http"
				? await dialHttp(
						deps,
						dialled,
						targetOf(deps, dialled, server.transport, credentials, token),
						server.transport.mode,
						onEvent,
						signal,
					)
				: await joinProcess(deps, dialled, credentials, onEvent, signal);
		} catch (error) {
			memory.legacy = false;
			memory.sse = false;
			throw error;
		}
	};
}

/** Where an HTTP server is, and what goes along with everything that it is sent. */
function targetOf(
	{ egress, connections, version, takeStream }: DialDeps,
	{ server, identity }: Dialled,
	transport: Http,
	credentials: Credentials,
	token: object | null,
): HttpTarget {
	return {
		egress: isSigned(transport, server, token !== null)
			? connections.signing(egress, server, identity)
			: egress,
		url: transport.url,
		headers: { ...transport.headers, ...credentials.headers },
		version,
		takeStream,
	};
}

function joinProcess(
	deps: DialDeps,
	{ server, identity, capabilities, process, memory }: Dialled,
	credentials: Credentials,
	onEvent: (event: UpstreamEvent) => void,
	signal: Abortable,
): Promise<Connection> {
	const self: Self = { version: deps.version, capabilities };
	const shared = identity === SHARED;
	const program = programOf(deps, server, credentials);
	const start = (onEvent: (event: UpstreamEvent) => void): Started => {
		const child = startChild(deps.db, server.id, program);
		void collectLines(
			child.stderr,
			Object.values(credentials.env),
			process.lines,
		);
		const hearing = new LinkHearing({ onEvent, shared });
		const link = openStdioLink(child, hearing);
		return { link, talk: new Talk(link, hearing, hearing.calls, self) };
	};
	return process.join({ self, onEvent, shared, signal }, (hear) =>
		dialProcess(() => start(hear), memory, signal),
	);
}

/** Whether the token of a sign-in may go along: not where an administrator says what `Authorization` is. */
function isSigned(
	{ headers }: Http,
	{ slots }: Server,
	filled: boolean,
): boolean {
	const isAuthorization = (name: string): boolean =>
		name.toLowerCase() === "authorization";
	return !(
		filled ||
		Object.keys(headers).some(isAuthorization) ||
		slots.some(
			(slot) => slot.injection === "header" && isAuthorization(slot.target),
		)
	);
}

/** What the server is told is not there. Names only. */
export function missingSecrets(
	{ connections }: Pick<DialDeps, "connections">,
	server: Server,
	missing: readonly string[],
): SallyportError {
	const own = server.slots.filter(({ personal }) => personal);
	if (missing.every((name) => own.some((slot) => slot.name === name)))
		return new NeedsPerson(
			"give secrets",
			`${server.slug} needs secrets that have no value yet: ${missing.join(", ")}`,
			connections.linkTo(server.slug),
		);
	return new SallyportError(
		"unavailable",
		`${server.slug} needs secrets that have no value yet: ${missing.join(", ")}`,
		{ hint: `sallyport secrets set ${server.slug} ${missing[0]} < FILE` },
	);
}

async function dialHttp(
	{ version }: DialDeps,
	{ identity, capabilities, memory }: Dialled,
	target: HttpTarget,
	mode: Http["mode"],
	onEvent: (event: UpstreamEvent) => void,
	signal: Abortable,
): Promise<Connection> {
	const self: Self = { version, capabilities };
	const hear = (): LinkHearing =>
		new LinkHearing({ onEvent, shared: identity === SHARED });
	const dialSse = async (): Promise<Connection> => {
		const hearing = hear();
		const link = await openSseLink(target, hearing);
		return closeOnFailure(link, async () => {
			const talk = new Talk(link, hearing, hearing.calls, self);
			const facts = await initialize(talk, signal, START_TIMEOUT_MS);
			memory.sse = true;
			return new Connection(talk, facts);
		});
	};
	if (mode === "sse" || memory.sse) return dialSse();
	const hearing = hear();
	const link = new HttpLink(target, hearing);
	try {
		return await closeOnFailure(link, async () => {
			const talk = new Talk(link, hearing, hearing.calls, self);
			const modern = memory.legacy
				? null
				: await discover(talk, signal, HTTP_PROBE_TIMEOUT_MS);
			if (modern) return new Connection(talk, modern);
			const facts = await initialize(talk, signal, START_TIMEOUT_MS);
			memory.legacy = true;
			return new Connection(talk, facts);
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
