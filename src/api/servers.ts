/**
 * `/api/mcp/servers`: the servers behind the gateway. Administrators add, change and remove them; members see
 * those that they may use, and any other is unknown to them.
 */

import { type Probe, probeServer } from "../ops/probe.ts";
import { restartServer, startAnew } from "../ops/servers.ts";
import type { InstalledNpm } from "../packages/npm.ts";
import { recordAudit } from "../store/audit.ts";
import { transaction } from "../store/database.ts";
import { deletePackage, findPackage, setPackage } from "../store/packages.ts";
import {
	createServer,
	deleteServer,
	findServer,
	listServers,
	maySee,
	refuseTaken,
	requireServer,
	type Server,
	type ServerRules,
	type ServerSettings,
	type Transport,
	unknownServer,
	updateServer,
} from "../store/servers.ts";
import { readBody } from "./body.ts";
import { type Answer, type Ask, actorName, type Route } from "./route.ts";
import { NewServer, ServerChanges } from "./server-body.ts";
import { planChanges, planServer, type ServerPlan } from "./server-plan.ts";
import { identityOf, viewServer } from "./server-view.ts";
import { type Subject, subjectOf } from "./subject.ts";

/** Routes of servers. */
export const serverRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/mcp/servers", who: "anyone", run: list },
	{ method: "POST", path: "/api/mcp/servers", who: "admins", run: add },
	{ method: "GET", path: "/api/mcp/servers/:slug", who: "anyone", run: show },
	{ method: "PUT", path: "/api/mcp/servers/:slug", who: "admins", run: change },
	{
		method: "DELETE",
		path: "/api/mcp/servers/:slug",
		who: "admins",
		run: remove,
	},
	{
		method: "GET",
		path: "/api/mcp/servers/:slug/logs",
		who: "admins",
		run: logs,
	},
	{
		method: "PUT",
		path: "/api/mcp/servers/:slug/enable",
		who: "admins",
		run: (ask) => setEnabled(ask, true),
	},
	{
		method: "PUT",
		path: "/api/mcp/servers/:slug/disable",
		who: "admins",
		run: (ask) => setEnabled(ask, false),
	},
	{
		method: "POST",
		path: "/api/mcp/servers/:slug/restart",
		who: "admins",
		run: restart,
	},
];

/** The server of that slug if this person may know of it. @throws SallyportError `not_found` for any other */
export function requireVisible(
	ask: Ask,
	slug: string,
	subject: Subject,
): Server {
	const server = findServer(ask.deps.db, slug);
	if (!server || !maySee(server, subject)) throw unknownServer(slug);
	return server;
}

function list(ask: Ask): Answer {
	const visible = listServers(ask.deps.db).filter((server) =>
		maySee(server, ask.actor),
	);
	return {
		body: {
			servers: visible.map((server) => viewServer(ask.deps, server, ask.actor)),
		},
	};
}

function show(ask: Ask): Answer {
	const server = requireVisible(ask, slugOf(ask), ask.actor);
	return { body: { server: viewServer(ask.deps, server, ask.actor) } };
}

/** What the server's processes last wrote to their standard error, oldest first; nothing for one on the network. */
function logs({ deps, ...ask }: Ask): Answer {
	const server = requireServer(deps.db, slugOf(ask));
	// Those of one identity have the same lines, whatever each of their clients can be asked.
	const byIdentity = new Map(
		deps.upstreams
			.live(server.id)
			.map((upstream) => [upstream.identity, upstream]),
	);
	const logs = [...byIdentity.values()].map((upstream) => ({
		identity: identityOf(deps.db, upstream),
		lines: upstream.logs(),
	}));
	return { body: { logs } };
}

async function add(ask: Ask): Promise<Answer> {
	const { deps, request } = ask;
	const { name: slug, ...fields } = (await readBody(request, NewServer)).value;
	using _lease = deps.lease(slug);
	refuseTaken(deps.db, slug);
	const plan = planServer(deps.db, slug, fields);
	const installed = await install(ask, slug, plan);
	let server: Server;
	try {
		server = transaction(deps.db, () => {
			const created = createServer(
				deps.db,
				slug,
				settle(plan, installed),
				deps.clock.now(),
			);
			keepPackage(ask, created, installed);
			audit(ask, "server.add", slug);
			return created;
		});
	} catch (error) {
		if (installed) deps.npm.remove(slug);
		throw error;
	}
	deps.serversChanged();
	return { status: 201, body: await probed(ask, server) };
}

async function change(ask: Ask): Promise<Answer> {
	const { deps, request } = ask;
	const slug = slugOf(ask);
	const changes = (await readBody(request, ServerChanges)).value;
	using _lease = deps.lease(slug);
	const before = requireServer(deps.db, slug);
	const plan = planChanges(deps.db, before, changes);
	const installed = isInstalled(ask, before, plan)
		? null
		: await install(ask, slug, plan);
	const after = transaction(deps.db, () => {
		const updated = updateServer(
			deps.db,
			slug,
			settle(plan, installed),
			deps.clock.now(),
		);
		if (plan.transport.kind !== "npm") deletePackage(deps.db, updated.id);
		keepPackage(ask, updated, installed);
		audit(ask, "server.change", slug, Object.keys(changes).join(","));
		return updated;
	});
	await startAnew(deps, after);
	deps.npm.prune(slug, findPackage(deps.db, after.id)?.entry ?? null);
	return { body: await probed(ask, after) };
}

async function setEnabled(ask: Ask, enabled: boolean): Promise<Answer> {
	const { deps } = ask;
	const slug = slugOf(ask);
	using _lease = deps.lease(slug);
	if (requireServer(deps.db, slug).enabled !== enabled) {
		const server = transaction(deps.db, () => {
			audit(ask, enabled ? "server.enable" : "server.disable", slug);
			return updateServer(deps.db, slug, { enabled }, deps.clock.now());
		});
		await startAnew(deps, server);
	}
	return {
		body: { server: viewServer(deps, requireServer(deps.db, slug), ask.actor) },
	};
}

/** Ends its processes and connections, whoever uses them; the next call starts it anew. */
async function restart(ask: Ask): Promise<Answer> {
	const { deps } = ask;
	const server = requireServer(deps.db, slugOf(ask));
	const stopped = await restartServer(deps, server, actorName(ask.actor));
	return { body: { server: viewServer(deps, server, ask.actor), stopped } };
}

async function remove(ask: Ask): Promise<Answer> {
	const { deps } = ask;
	const slug = slugOf(ask);
	using _lease = deps.lease(slug);
	const server = requireServer(deps.db, slug);
	await deps.connections.disconnect(
		{ serverId: server.id },
		actorName(ask.actor),
	);
	transaction(deps.db, () => {
		deleteServer(deps.db, slug);
		audit(ask, "server.remove", slug);
	});
	await startAnew(deps, server);
	deps.npm.remove(slug);
	return { body: { removed: slug } };
}

/** Installs what the plan needs. @throws SallyportError when it cannot: then nothing is kept */
async function install(
	{ deps, request }: Ask,
	slug: string,
	{ transport }: ServerPlan,
): Promise<InstalledNpm | null> {
	if (transport.kind !== "npm") return null;
	return deps.npm.install({
		slug,
		package: transport.package,
		version: transport.version,
		signal: request.signal,
	});
}

/** Whether the package that the plan names is what the server already has. */
function isInstalled(
	{ deps }: Ask,
	server: Server,
	{ transport }: ServerPlan,
): boolean {
	const installed = findPackage(deps.db, server.id);
	return (
		transport.kind === "npm" &&
		installed?.name === transport.package &&
		installed.version === transport.version
	);
}

function settle(
	plan: ServerPlan,
	installed: InstalledNpm | null,
): ServerSettings & Partial<ServerRules> {
	const { transport } = plan;
	const settled: Transport =
		transport.kind === "npm"
			? {
					...transport,
					version: installed?.version ?? (transport.version as string),
				}
			: transport;
	return { ...plan, transport: settled };
}

function keepPackage(
	{ deps }: Ask,
	server: Server,
	installed: InstalledNpm | null,
): void {
	if (installed)
		setPackage(deps.db, {
			...installed,
			serverId: server.id,
			ecosystem: "npm",
			installedAt: deps.clock.now(),
		});
}

async function probed(
	ask: Ask,
	server: Server,
): Promise<Probe & { readonly server: unknown }> {
	const { userId } = subjectOf(ask.deps.db, ask.actor, undefined);
	const probe = await probeServer(ask.deps, server, userId, ask.request.signal);
	return { server: viewServer(ask.deps, server, ask.actor), ...probe };
}

function audit(
	{ deps, actor }: Ask,
	action: string,
	slug: string,
	detail?: string,
): void {
	recordAudit(
		deps.db,
		{
			actor: actorName(actor),
			action,
			object: slug,
			...(detail === undefined ? {} : { detail }),
		},
		deps.clock.now(),
	);
}

/** The server that a route names. */
export function slugOf({ params }: Pick<Ask, "params">): string {
	return params["slug"] as string;
}
