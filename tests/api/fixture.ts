/**
 * An API over a real store, vault and temporary folder. The servers behind it are scripted at the `Upstreams`
 * contract, so that a test decides what a server says byte for byte; real servers behind the API are in `tests/e2e`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
	type Actor,
	type Api,
	type ApiDeps,
	createApi,
} from "../../src/api/api.ts";
import { createEgress } from "../../src/egress.ts";
import { SallyportError } from "../../src/errors.ts";
import { createLog } from "../../src/log.ts";
import { createPins } from "../../src/mcp/pins.ts";
import { createShapes } from "../../src/mcp/shape.ts";
import { createDirectory } from "../../src/mcp/view.ts";
import { textOf, toBytes } from "../../src/message.ts";
import { createBackups } from "../../src/ops/backup-schedule.ts";
import { createLease } from "../../src/ops/leases.ts";
import { createPanic } from "../../src/ops/panic.ts";
import { createNpm } from "../../src/packages/npm.ts";
import { createPasswords } from "../../src/people/passwords.ts";
import { createProvider } from "../../src/people/provider.ts";
import { createCallRecorder } from "../../src/store/calls.ts";
import { openDatabase } from "../../src/store/database.ts";
import { insertKeyring } from "../../src/store/instance.ts";
import { createTimelineRecorder } from "../../src/store/timeline.ts";
import { createUser, type User } from "../../src/store/users.ts";
import { noCertificates } from "../../src/tls/certificates.ts";
import type {
	Call,
	Reply,
	Upstream,
	Upstreams,
} from "../../src/upstream/upstream.ts";
import { createKeyring, openVault } from "../../src/vault.ts";
import { testConnections } from "../support/connections.ts";

export const SOCKET: Actor = { userId: null, role: "owner", via: "socket" };

/** What the scripted servers say, by slug; a server without a script does not answer. */
export type Script = {
	/** Each tool as its own JSON text. */
	readonly tools: readonly string[];
	readonly prompts?: readonly string[];
	readonly instructions?: string;
	readonly call?: (params: string, userId: string) => Reply;
};

export type Fixture = {
	readonly api: Api;
	readonly deps: ApiDeps;
	readonly owner: User;
	readonly scripts: Map<string, Script>;
	/** `slug` or `slug/identity`, in the order they were dropped. */
	readonly dropped: string[];
	readonly logged: string[];
	readonly folder: string;
	readonly send: (
		method: string,
		path: string,
		body?: unknown,
		actor?: Actor,
	) => Promise<{
		readonly status: number;
		readonly body: Record<string, unknown>;
		readonly text: string;
	}>;
	readonly addUser: (
		email: string,
		role: "admin" | "member",
	) => Actor & { readonly userId: string };
	readonly audit: () => readonly {
		readonly actor: string;
		readonly action: string;
		readonly object: string;
	}[];
	readonly close: () => void;
};

/** A public URL that a flag says. */
const ADDRESS: ApiDeps["address"] = {
	origin: () => "https://gate.example.org",
	isNamed: () => true,
	fixedBy: "flag",
	security: "own",
	orders: null,
	move: () => {
		throw new SallyportError("conflict", "the public URL is set by a flag");
	},
};

export function createFixture(more: Partial<ApiDeps> = {}): Fixture {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-api-"));
	const db = openDatabase(join(folder, "sallyport.db"));
	const kek = new Uint8Array(32).fill(7);
	const keyring = createKeyring(kek, 1);
	insertKeyring(db, keyring);
	let now = 1000;
	const clock = { now: () => now++, nowMs: () => performance.now() };
	const scripts = new Map<string, Script>();
	const dropped: string[] = [];
	const logged: string[] = [];
	const log = createLog({
		level: "debug",
		format: "json",
		write: (line) => void logged.push(line),
	});
	const backups = createBackups({
		...{ db, clock, log },
		place: { dataDir: folder, kek, release: "1.2.3" },
	});
	const directory = createDirectory(db);
	const pins = createPins({ db, clock, log });
	const vault = openVault(kek, keyring);
	const deps: ApiDeps = {
		db,
		backups,
		doctor: {
			examine: async () => [],
			makeBundle: async () => ({}),
		},
		vault,
		connections: testConnections({ db, vault, clock, log }),
		onSecret: () => {},
		clock,
		log,
		upstreams: scriptedUpstreams(db, scripts, dropped),
		directory,
		shapes: createShapes(pins),
		pins,
		npm: createNpm({
			dir: (slug) => join(folder, "servers", slug),
			// One for all tests: what was fetched once is not fetched again.
			cacheDir: join(tmpdir(), "sallyport-tests-npm"),
			execPath: process.execPath,
			environment: process.env,
		}),
		calls: createCallRecorder({ db, clock }),
		timeline: createTimelineRecorder({ db, clock }),
		certificates: noCertificates(),
		address: ADDRESS,
		panic: createPanic({ db, clock }),
		settings: [{ name: "public_url", value: null, origin: "flag" }],
		approach: {
			certificates: noCertificates(),
			address: ADDRESS,
			doors: { address: null, tunnel: null },
			addresses: () => [],
		},
		passwords: createPasswords("testing"),
		serversChanged: () => {
			directory.refresh();
			pins.refresh();
		},
		lease: createLease(),
		credentialsChanged: () => {},
		provider: createProvider({
			db,
			vault: openVault(kek, keyring),
			clock,
			log,
			egress: createEgress({ allowPrivate: ["127.0.0.0/8"] }),
		}),
		dropUpstreams: (userId) => void dropped.push(`of ${userId}`),
		version: "1.2.3",
		publicUrl: "https://gate.example.org",
		...more,
	};
	const api = createApi(deps);
	const owner = createUser(
		db,
		{ email: "owner@example.org", role: "owner", passwordHash: null },
		1,
	);

	return {
		api,
		deps,
		owner,
		scripts,
		dropped,
		logged,
		folder,
		send: async (method, path, body, actor = SOCKET) => {
			const response = await api.handle(
				new Request(`http://sallyport${path}`, {
					method,
					...(body === undefined
						? {}
						: {
								headers: { "Content-Type": "application/json" },
								body: typeof body === "string" ? body : JSON.stringify(body),
							}),
				}),
				actor,
			);
			const text = await response.text();
			return { status: response.status, body: JSON.parse(text), text };
		},
		addUser: (email, role) => ({
			userId: createUser(db, { email, role, passwordHash: null }, 2).id,
			role,
			via: "key",
		}),
		audit: () =>
			db
				.query<{ actor: string; action: string; object: string }, []>(
					"SELECT actor, action, object FROM audit ORDER BY id",
				)
				.all(),
		close: () => {
			deps.calls.close();
			db.close();
			rmSync(folder, { recursive: true, force: true });
		},
	};
}

function scriptedUpstreams(
	db: ApiDeps["db"],
	scripts: ReadonlyMap<string, Script>,
	dropped: string[],
): Upstreams {
	const slugOf = (serverId: string): string =>
		db
			.query<{ slug: string }, [string]>(
				"SELECT slug FROM servers WHERE id = ?",
			)
			.get(serverId)?.slug ?? "removed";
	return {
		forUser: (server, userId): Upstream => {
			const script = scripts.get(server.slug);
			const dead = (): SallyportError =>
				new SallyportError("upstream", `${server.slug} does not answer`, {
					hint: "look at its log",
				});
			return {
				server,
				identity: server.slots.some((slot) => slot.personal)
					? userId
					: "shared",
				capabilities: "{}",
				facts: async () => {
					if (!script) throw dead();
					return {
						era: "legacy",
						protocolVersion: "2025-11-25",
						capabilities: { tools: {} },
						serverInfo: {},
						instructions: script.instructions,
					};
				},
				liveFacts: () => null,
				knownFacts: () => null,
				knownList: () => null,
				lastList: () => null,
				miss: () => {},
				isMissed: () => false,
				holdsForMs: () => 0,
				list: async (kind) => {
					if (!script) throw dead();
					const texts = kind === "tools" ? script.tools : script.prompts;
					return (texts ?? []).map((text) => ({
						key: JSON.parse(text).name,
						bytes: toBytes(text),
					}));
				},
				keepAwake: () => {},
				send: () => {
					throw new Error("nobody is told here");
				},
				request: async ({ params, signal }: Call) => {
					if (signal.aborted) throw new DOMException("", "AbortError");
					if (!script?.call) throw dead();
					return script.call(params ? textOf(params) : "", userId);
				},
				notify: async () => {},
				subscribe: () => () => {},
				watch: async () => () => {},
				state: () => "ready",
				lastError: () => null,
				logs: () => [],
				close: async () => {},
			};
		},
		drop: async (serverId, identity) => {
			dropped.push(
				slugOf(serverId) + (identity === undefined ? "" : `/${identity}`),
			);
		},
		live: () => [],
		changes: () => 0,
		close: async () => {},
	};
}
