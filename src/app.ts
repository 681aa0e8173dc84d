/**
 * The composition root: opens everything in order and closes it in reverse. It reads like a table of contents.
 * The tests start the same `App` that `main.ts` does.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Api, createApi } from "./api/api.ts";
import type { Role } from "./caller.ts";
import { type Clock, every, systemClock } from "./clock.ts";
import type { Config, Origin } from "./config.ts";
import { createDns } from "./dns.ts";
import { createEgress, type Egress } from "./egress.ts";
import { describeError, parseErrorCode, SallyportError } from "./errors.ts";
import { createAdmission } from "./http/admission.ts";
import { withDoors } from "./http/doors.ts";
import { createHttpServer } from "./http/server.ts";
import { createLog, type Log } from "./log.ts";
import { createEndpoint } from "./mcp/endpoint.ts";
import { createInput } from "./mcp/input.ts";
import { createPins } from "./mcp/pins.ts";
import { createResults } from "./mcp/results.ts";
import { createRouter } from "./mcp/router.ts";
import { createSessions } from "./mcp/session.ts";
import { createShapes } from "./mcp/shape.ts";
import { createSubscriptions } from "./mcp/subscriptions.ts";
import { createTasks } from "./mcp/tasks.ts";
import { createTies } from "./mcp/ties.ts";
import { createDirectory, type Directory } from "./mcp/view.ts";
import { createVisits } from "./mcp/visits.ts";
import type { OAuthDeps } from "./oauth/authorization-server.ts";
import { createBearer } from "./oauth/bearer.ts";
import { createClientDocuments } from "./oauth/client-documents.ts";
import { oauthRoutes } from "./oauth/routes.ts";
import {
	createAddress,
	type FixedBy,
	type GatewayAddress,
	storedSettings,
} from "./ops/address.ts";
import { createAlerts } from "./ops/alerts.ts";
import { type Backups, createBackups } from "./ops/backup-schedule.ts";
import { createDoctor } from "./ops/doctor.ts";
import { listNotices, watchExpiry } from "./ops/expiry.ts";
import { createLease } from "./ops/leases.ts";
import { createPanic, type Panic } from "./ops/panic.ts";
import { reinstallPackages } from "./ops/reinstall.ts";
import { applyRestore, receiveRestore } from "./ops/restore.ts";
import { isClaimed } from "./ops/setup.ts";
import { type Approach, bringCertificate } from "./ops/setup-link.ts";
import { sweep } from "./ops/sweep.ts";
import { toolsInBrief } from "./ops/tools.ts";
import {
	type Addresses,
	findPublicAddress,
	listAddresses,
} from "./ops/whereabouts.ts";
import { createWorks } from "./ops/work.ts";
import { createNpm, type Npm } from "./packages/npm.ts";
import { createArrivals } from "./people/arrivals.ts";
import { createPasswords } from "./people/passwords.ts";
import { createProvider } from "./people/provider.ts";
import { createCallRecorder } from "./store/calls.ts";
import {
	closeDatabase,
	copyDatabase,
	type Database,
	handBack,
	lockFolder,
	openDatabase,
	requireIntegrity,
} from "./store/database.ts";
import { insertKeyring, listKeyring } from "./store/instance.ts";
import { findPackage } from "./store/packages.ts";
import { mayUse, type Server } from "./store/servers.ts";
import { createTimelineRecorder } from "./store/timeline.ts";
import { type Front, openFront } from "./tls/front.ts";
import { type Handler, listenSocket } from "./tls/listeners.ts";
import { reapOrphans } from "./upstream/child.ts";
import {
	CLIENT_DOCUMENT_PATH,
	clientDocument,
	createDocumentUrl,
} from "./upstream/client-document.ts";
import { createConnections } from "./upstream/connections.ts";
import type { Upstreams } from "./upstream/upstream.ts";
import { createUpstreams } from "./upstream/upstreams.ts";
import {
	createKek,
	createKeyring,
	openVault,
	readKek,
	settleKek,
	type Vault,
} from "./vault.ts";
import { VERSION } from "./version.ts";
import { createApiVisitor } from "./web/api-visitor.ts";
import { markIcons } from "./web/mark.tsx";
import {
	type CallApi,
	type Desk,
	type OfferedToolset,
	pageRoutes,
} from "./web/pages.ts";

export type App = {
	/** The public origin. */
	readonly url: string;
	readonly adminSocket: string;
	/** Resolves when the gateway wants to be stopped and started anew, to open other data. */
	readonly wantsRestart: Promise<void>;
	/** Drains, stops every child, closes the store. */
	readonly stop: () => Promise<void>;
};

/** The data directory, held by this process alone. */
export type Data = {
	readonly db: Database;
	readonly vault: Vault;
	readonly close: () => void;
};

/** How long open requests may take to end when the gateway stops. */
const DRAIN_MS = 30_000;
const SWEEP_MS = 3600_000;
const BACKUP_CHECK_MS = 600_000;
const RESTART_MS = 500;

/**
 * Opens the store and the vault of a data directory, making both if it is new.
 * @throws SallyportError `conflict` when another process holds it, `invalid` when the master key is missing or wrong
 */
export function openData(config: Config, clock: Clock = systemClock): Data {
	mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
	const unlock = lockFolder(config.dataDir);
	try {
		applyRestore(config.dataDir, clock.now());
		const db = openDatabase(join(config.dataDir, "sallyport.db"));
		const vault = openKeyring(db, config.kekFile, clock);
		return {
			db,
			vault,
			close: () => {
				closeDatabase(db);
				handBack(config.dataDir);
				unlock();
			},
		};
	} catch (error) {
		unlock();
		throw error;
	}
}

/**
 * Whether this release can open the data: migrates a copy of the store, opens the vault with it and reads it whole.
 * The data stays as it is, and may be in use by another release.
 * @returns false when there is no data yet
 * @throws SallyportError what would keep this release from starting
 */
export function checkData(config: Config): boolean {
	const path = join(config.dataDir, "sallyport.db");
	if (!existsSync(path)) return false;
	const dataDir = mkdtempSync(join(tmpdir(), "sallyport-check-"));
	try {
		copyDatabase(path, join(dataDir, "sallyport.db"));
		const data = openData({ ...config, dataDir });
		try {
			requireIntegrity(data.db);
		} finally {
			data.close();
		}
		return true;
	} finally {
		rmSync(dataDir, { recursive: true, force: true });
	}
}

/** A store without a keyring is new and gets one; for any other the master key must be there, and be the right one. */
function openKeyring(db: Database, kekFile: string, clock: Clock): Vault {
	const keyring = listKeyring(db);
	if (keyring.length > 0) {
		settleKek(kekFile, keyring);
		return openVault(readKek(kekFile), keyring);
	}
	const kek = existsSync(kekFile) ? readKek(kekFile) : createKek(kekFile);
	const fresh = createKeyring(kek, clock.now());
	insertKeyring(db, fresh);
	return openVault(kek, fresh);
}

/** What a test may replace; the product uses the defaults. */
export type AppOptions = {
	readonly clock?: Clock;
	readonly log?: Log;
	/** The internet that clients' documents are read from. */
	readonly documents?: Egress;
	/** The machine's own addresses. */
	readonly addresses?: Addresses;
	/** The machine's variables, for the package installer. */
	readonly environment?: Readonly<Record<string, string | undefined>>;
	/** The URL of our own client document, for authorization servers that cannot read the one we serve. */
	readonly clientDocumentUrl?: string;
};

/** Starts the gateway and resolves when it serves. @throws SallyportError when something it needs is not there */
export async function startApp(
	given: Config,
	options: AppOptions = {},
): Promise<App> {
	const clock = options.clock ?? systemClock;
	const log =
		options.log ??
		createLog({ level: given.logLevel, format: given.logFormat });
	const { db, vault, close: closeData } = openData(given, clock);
	const config = given.withDatabase(storedSettings(db));
	reapOrphans(db);

	// Listeners open first, because a port of 0 is only known then; nothing is served until all else stands.
	let service: Service | null = null;
	let retiring: Promise<unknown> = Promise.resolve();
	const addresses = options.addresses ?? listAddresses;
	const front = await openFront(
		{ db, vault, clock, log },
		config,
		(request, connection) =>
			service?.handler(request, connection) ??
			new Response("starting\n", { status: 503 }),
		{ isUnclaimed: !isClaimed(db), address: findPublicAddress(addresses) },
	);
	const address = createAddress({
		db,
		now: clock.now,
		front,
		fixedBy: fixedOutside(config.origins["public_url"]),
		isBehindProxy: config.trustedProxies.length > 0,
		// Whatever is running goes on with the old one until it has ended.
		moved: () => {
			const old = service;
			service = openService(base);
			log.info("moved", { url: front.origin() });
			retiring = Promise.allSettled([retiring, old?.stop()]);
		},
	});
	const approach: Approach = { ...front, address, addresses };
	const backups = createBackups({
		...{ db, clock, log },
		place: {
			dataDir: config.dataDir,
			kek: readKek(config.kekFile),
			release: VERSION,
		},
	});
	const npm = createNpm({
		dir: (slug) => serverFolder(config, slug),
		cacheDir: join(config.cacheDir, "npm"),
		execPath: process.execPath,
		environment: options.environment ?? {},
	});
	const restart = Promise.withResolvers<void>();
	const desk: Base["desk"] = {
		...{ address, addresses, backups },
		certificates: front.certificates,
		dns: createDns(config.dnsServers),
		works: createWorks({ clock, log }),
		arrivals: createArrivals(clock),
		restore: async (file, key) => {
			const place = { dataDir: config.dataDir, kek: readKek(config.kekFile) };
			const contents = await receiveRestore(
				place,
				db,
				{ file, key },
				clock.now(),
			);
			// Once whoever asked has the answer.
			setTimeout(restart.resolve, RESTART_MS);
			return contents;
		},
		version: VERSION,
	};
	const base: Base = {
		...{ config, options, db, vault, clock, log },
		...{ front, address, approach, backups, npm, desk },
		panic: createPanic({ db, clock }),
	};
	service = openService(base);
	const admin = listenSocket(config.adminSocket, (request) => {
		return (service as Service).api.handle(request.toRequest(), {
			userId: null,
			role: "owner",
			via: "socket",
		});
	});
	const stopBackups = every(BACKUP_CHECK_MS, () => void backups.check());
	const stopSweeping = every(SWEEP_MS, () => {
		sweep(db, clock.now());
		service?.sweep();
	});
	front.start();
	const alerts = createAlerts({
		...{ clock, log, url: config.alertWebhook, origin: front.origin },
	});
	const stopWatching = watchExpiry({
		...{ clock, log, alerts, certificates: front.certificates },
	});
	log.info("serving", { url: front.origin(), version: VERSION });
	void reinstallPackages({ db, log, npm });
	// So that there may be a certificate already when the setup link is asked for.
	if (!isClaimed(db) && config.tls.mode === "acme")
		bringCertificate(approach).catch((error: unknown) =>
			log.error("no certificate was brought", { reason: describeError(error) }),
		);

	return {
		url: front.origin(),
		adminSocket: config.adminSocket,
		wantsRestart: restart.promise,
		stop: async () => {
			stopSweeping();
			stopWatching();
			alerts.stop();
			stopBackups();
			service?.drain();
			await Promise.all([admin.close(DRAIN_MS), front.close(DRAIN_MS)]);
			await Promise.all([service?.stop(), retiring]);
			closeData();
		},
	};
}

/** Where the public URL is set, if that is not for people to change in the browser. */
function fixedOutside(origin: Origin | undefined): FixedBy | null {
	return origin === "flag" || origin === "environment" || origin === "file"
		? origin
		: null;
}

/** Where a server's packages and its own files are. */
function serverFolder({ dataDir }: Config, slug: string): string {
	return join(dataDir, "servers", slug);
}

/** What lives as long as the process. */
type Base = {
	readonly config: Config;
	readonly options: AppOptions;
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
	readonly log: Log;
	readonly front: Front;
	readonly address: GatewayAddress;
	readonly approach: Approach;
	readonly backups: Backups;
	readonly npm: Npm;
	readonly panic: Panic;
	/** What the wizard acts on, but for the API, which is the service's. */
	readonly desk: Omit<Desk, "callApi" | "listHealth">;
};

/** What lives as long as the public URL: everything that names it, and everything behind that. */
type Service = {
	readonly handler: Handler;
	readonly api: Api;
	readonly sweep: () => void;
	/** Takes nothing new, and ends what would never end by itself. */
	readonly drain: () => void;
	/** Ends all the rest. */
	readonly stop: () => Promise<void>;
};

function openService(base: Base): Service {
	const { config, db, vault, clock, log } = base;
	const { front, address, approach, backups, npm, desk, panic } = base;
	const origin = front.origin();

	const passwords = createPasswords();
	const calls = createCallRecorder({ db, clock, log });
	const timeline = createTimelineRecorder({ db, clock, log });
	const serversChanged = (): void => {
		directory.refresh();
		pins.refresh();
		subscriptions.everythingChanged();
	};
	const lease = createLease();
	const connections = createConnections({
		...{ db, vault, clock, log, origin, version: VERSION },
		allowPrivate: config.allowPrivateUpstreams,
		ownOrigins: front.origins(),
		documentUrl: createDocumentUrl(
			origin,
			clock,
			base.options.clientDocumentUrl ?? null,
		),
		onChange: (serverId, userId) => void upstreams.drop(serverId, userId),
		onService: serversChanged,
		onConnected: (serverId, userId) => {
			visits.arrived(serverId, userId);
			subscriptions.everythingChanged();
		},
	});
	const pool = createUpstreams({
		...{ db, vault, clock, log, connections },
		egress: createEgress({
			allowPrivate: config.allowPrivateUpstreams,
			ownOrigins: front.origins(),
		}),
		serverDir: ({ slug }) => serverFolder(config, slug),
		entryOf: (server) => findPackage(db, server.id)?.entry ?? null,
		version: VERSION,
	});

	// Clients are refused at the door; this is for whoever comes another way, a page or the command line.
	const upstreams: Upstreams = {
		...pool,
		forUser: (server, userId, capabilities) => {
			panic.refuse();
			return pool.forUser(server, userId, capabilities);
		},
	};
	const directory = createDirectory(db);
	const bearer = createBearer({ db, vault, clock });
	const tasks = createTasks({ mac: vault.mac, clock });
	const ties = createTies({ clock });
	const subscriptions = createSubscriptions({
		isAlive: (caller) => !panic.isOn() && bearer.isAlive(caller),
		tasks,
		ties,
	});
	const sessions = createSessions({ db, mac: vault.mac, clock });
	const input = createInput({ vault, clock });
	const visits = createVisits({ vault, clock });
	const pins = createPins({ db, clock, log });
	const shapes = createShapes(pins);
	const results = createResults({ clock });
	const router = createRouter({
		upstreams: pool,
		tasks,
		onUpstream: subscriptions.hear,
		pins,
		shapes,
		results,
		input,
		visits,
		ties,
		calls,
		clock,
		log,
	});
	const endpoint = createEndpoint({
		router,
		directory,
		sessions,
		subscriptions,
		ties,
		log,
		version: VERSION,
		icons: markIcons(),
	});
	const provider = createProvider({
		db,
		vault,
		clock,
		log,
		// One's own provider may live on one's own network, as one's servers may.
		egress: createEgress({ allowPrivate: config.allowPrivateUpstreams }),
	});
	const shelves = { directory, upstreams, shapes, pins };
	const dropUpstreams = (userId: string): void => {
		for (const { id } of directory.servers()) void upstreams.drop(id, userId);
	};
	// Documents of clients live on the public internet, whatever servers may live on.
	const egress = base.options.documents ?? createEgress({ allowPrivate: [] });
	const doctor = createDoctor({
		...{ db, clock, upstreams, backups, egress },
		certificates: front.certificates,
		place: config,
		origins: config.origins,
		publicUrl: origin,
		version: VERSION,
	});
	const api = createApi({
		db,
		vault,
		clock,
		log,
		...shelves,
		npm,
		calls,
		timeline,
		connections,
		onSecret: visits.arrived,
		passwords,
		serversChanged,
		lease,
		credentialsChanged: bearer.invalidate,
		dropUpstreams,
		provider,
		certificates: front.certificates,
		address,
		panic,
		settings: config.settings,
		approach,
		backups,
		doctor,
		version: VERSION,
		publicUrl: origin,
	});

	let ready = true;
	const documents = createClientDocuments({ db, clock, log, egress });
	const oauthDeps = (
		issuer: string,
		clientAddress: OAuthDeps["clientAddress"],
		note: OAuthDeps["note"],
	): OAuthDeps => ({
		db,
		vault,
		clock,
		log,
		egress,
		documents,
		issuer,
		isEndpoint: (path) => {
			const slug = path.slice("/mcp/".length);
			return (
				directory.server(slug) !== null || directory.toolset(slug) !== null
			);
		},
		isPart: (path) => directory.server(path.slice("/mcp/".length)) !== null,
		clientAddress,
		invalidate: bearer.invalidate,
		isUnused: timeline.isUnused,
		note,
	});
	const speakAs = (issuer: string): Handler =>
		createHttpServer({
			admission: createAdmission(
				issuer === origin ? front.origins() : [issuer],
				config.trustedProxies,
				issuer !== origin || !front.beganUnnamed,
			),
			endpoint,
			judge: bearer.judge,
			origin: issuer,
			routes: (clientAddress, note) => {
				const deps = oauthDeps(issuer, clientAddress, note);
				const findApiVisitor = createApiVisitor(deps);
				return [
					...oauthRoutes(deps),
					{
						method: "GET",
						path: CLIENT_DOCUMENT_PATH,
						handler: () => clientDocument(db, origin),
					},
					...pageRoutes({
						...deps,
						...shelves,
						serversChanged,
						lease,
						passwords,
						desk: {
							...desk,
							callApi: callerOf(api),
							listHealth: () => healthOf(directory.servers(), upstreams),
						},
						connections,
						onSecret: visits.arrived,
						flushTimeline: timeline.flush,
						examine: doctor.examine,
						listNotices: () =>
							listNotices(front.certificates.list(), clock.now()),
						listSlugs: (person) => usableBy(directory.servers(), person),
						toolsOf: (slug) => {
							const server = directory.server(slug);
							return server && toolsInBrief(db, server);
						},
						dropUpstreams,
						provider,
						findToolset: (slug, person) =>
							offeredToolset(directory, slug, person),
					}),
					{
						method: "ALL",
						path: "/api/*",
						handler: (request, _params, { requestId }) => {
							const visitor = request.headers.has("Authorization")
								? null
								: findApiVisitor(request);
							return visitor
								? api.handleVisitor(request, visitor, requestId)
								: api.handleKeyed(request, requestId);
						},
					},
				];
			},
			isReady: () => ready,
			isPanic: panic.isOn,
			timeline,
			clock,
			log,
		});
	const handler = withDoors(speakAs, origin, Object.values(front.doors));
	const drain = (): void => {
		ready = false;
		subscriptions.close();
		input.close();
	};

	return {
		handler,
		api,
		sweep: () => {
			sessions.sweep();
			void connections.tend();
		},
		drain,
		stop: async () => {
			drain();
			await upstreams.close();
			calls.close();
			timeline.close();
			bearer.stop();
		},
	};
}

/** A toolset with those of its servers that a person may use. */
function offeredToolset(
	{ servers, toolset: find }: Directory,
	slug: string,
	person: { readonly userId: string; readonly role: Role },
): OfferedToolset | null {
	const toolset = find(slug);
	if (!toolset || !mayUse(toolset, person)) return null;
	const usable = new Set(usableBy(servers(), person));
	return {
		slug,
		title: toolset.title,
		servers: servers().flatMap(({ id, slug }) => {
			const tools = toolset.tools.get(id);
			return tools === undefined || !usable.has(slug)
				? []
				: [{ slug, toolCount: tools?.size ?? null }];
		}),
	};
}

/** A server of which some connection works does work. */
function healthOf(
	servers: readonly Server[],
	upstreams: Upstreams,
): ReturnType<Desk["listHealth"]> {
	return servers
		.filter(({ enabled }) => enabled)
		.map(({ id, slug }) => {
			const live = upstreams.live(id);
			const failed = live.filter((one) => one.state() === "failed");
			const isDown = live.length > 0 && failed.length === live.length;
			return { slug, error: isDown ? (failed[0]?.lastError() ?? null) : null };
		});
}

/** The API for pages, which ask it as whoever is signed in. */
function callerOf(api: Api): CallApi {
	return async ({ userId, role, isFresh }, method, path, body) => {
		const response = await api.handle(
			new Request(`http://sallyport${path}`, {
				method,
				...(body && {
					headers: { "Content-Type": "application/json" },
					body: JSON.stringify(body),
				}),
			}),
			{ userId, role, via: "login", isFresh },
		);
		const answer = (await response.json()) as Record<string, unknown>;
		if (response.ok) return answer;
		const hint = answer["hint"];
		throw new SallyportError(
			parseErrorCode(answer["code"]),
			String(answer["error"]),
			typeof hint === "string" ? { hint } : {},
		);
	};
}

function usableBy(
	servers: readonly Server[],
	person: { readonly userId: string; readonly role: Role },
): readonly string[] {
	return servers
		.filter((server) => server.enabled && mayUse(server, person))
		.map((server) => server.slug);
}
