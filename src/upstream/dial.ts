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
import {
	type Connection,
	createConnection,
	createTalk,
	type Ids,
	type Self,
} from "./connection.ts";
import type { Connections } from "./connections.ts";
import { type Credentials, credentialsFor } from "./credentials.ts";
import { dialProcess, programOf, type Started } from "./dial-process.ts";
import { discover, initialize, isEraEvidence } from "./era.ts";
import { type CallHearing, createHearing } from "./hearing.ts";
import { openHttpLink } from "./http.ts";
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

export type Dial = (
	onEvent: (event: UpstreamEvent) => void,
	signal: Abortable,
) => Promise<Connection>;

type Http = Extract<Transport, { kind: "http" }>;

const HTTP_PROBE_TIMEOUT_MS = 15_000;

/**
 * A dial for one server and identity.
 * @param capabilities canonical JSON of what the callers can be asked
 * @param process what this server and identity share, where it is one
 */
export function createDial(
	deps: DialDeps,
	server: Server,
	identity: string,
	capabilities: string,
	process: SharedProcess,
): Dial {
	const self: Self = { version: deps.version, capabilities };
	let memory: Memory = { legacy: false, sse: false };
	const { transport } = server;
	return async (onEvent, signal) => {
		const hear = (): CallHearing =>
			createHearing({ onEvent, shared: identity === SHARED });
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
			if (transport.kind === "http")
				return await dialHttp(
					{
						...deps,
						egress: isSigned(transport, server, token !== null)
							? deps.connections.signing(deps.egress, server, identity)
							: deps.egress,
					},
					transport,
					credentials,
					self,
					hear,
					memory,
					signal,
				);
			const program = programOf(deps, server, credentials);
			const shared = identity === SHARED;
			const start = (onEvent: (event: UpstreamEvent) => void): Started => {
				const child = startChild(deps.db, server.id, program);
				void collectLines(
					child.stderr,
					Object.values(credentials.env),
					process.lines,
				);
				const hearing = createHearing({ onEvent, shared });
				const link = openStdioLink(child, hearing);
				const ids: Ids = { last: 0 };
				const talk = createTalk(link, hearing, self, ids);
				return { link, hearing, ids, talk };
			};
			return await process.join({ self, onEvent, shared, signal }, (hear) =>
				dialProcess(() => start(hear), memory, signal),
			);
		} catch (error) {
			memory = { legacy: false, sse: false };
			throw error;
		}
	};
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
	deps: DialDeps,
	{ url, mode, headers }: Http,
	credentials: Credentials,
	self: Self,
	hear: () => CallHearing,
	memory: Memory,
	signal: Abortable,
): Promise<Connection> {
	const target: HttpTarget = {
		egress: deps.egress,
		url,
		headers: { ...headers, ...credentials.headers },
		version: deps.version,
		takeStream: deps.takeStream,
	};
	const dialSse = async (): Promise<Connection> => {
		const hearing = hear();
		const link = await openSseLink(target, hearing);
		return closeOnFailure(link, async () => {
			const talk = createTalk(link, hearing, self);
			const facts = await initialize(talk, signal, START_TIMEOUT_MS);
			memory.sse = true;
			return createConnection(talk, facts);
		});
	};
	if (mode === "sse" || memory.sse) return dialSse();
	const hearing = hear();
	const link = openHttpLink(target, hearing);
	try {
		return await closeOnFailure(link, async () => {
			const talk = createTalk(link, hearing, self);
			const modern = memory.legacy
				? null
				: await discover(talk, signal, HTTP_PROBE_TIMEOUT_MS);
			if (modern) return createConnection(talk, modern);
			const facts = await initialize(talk, signal, START_TIMEOUT_MS);
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
