/**
 * A server as the API shows it. Members see its name, what it asks of them and whether it works; how it is reached
 * and who else may use it is for administrators.
 */
import { isConnected } from "../store/connections.ts";
import type { Database } from "../store/database.ts";
import { countHeldChanges } from "../store/held-changes.ts";
import { findPackage, type InstalledPackage } from "../store/packages.ts";
import { SHARED } from "../store/secrets.ts";
import type { Access, Server, Slot, Transport } from "../store/servers.ts";
import type { Upstream } from "../upstream/upstream.ts";
import { type Actor, type ApiDeps, isAdmin } from "./route.ts";
import { emailOf, subjectOf } from "./subject.ts";

/** A server as the API shows it. What is optional is shown to administrators only. */
export type ServerView = {
	readonly id: string;
	readonly name: string;
	readonly transportType: "stdio" | "streamable_http";
	readonly enabled: boolean;
	/**
	 * `disabled`, or `needs_sign_in` where whoever asks has to sign in first, or the best that any of its upstreams is.
	 */
	readonly status: "disabled" | "needs_sign_in" | ReturnType<Upstream["state"]>;
	/** Its users sign in to the service behind it. */
	readonly signsIn: boolean;
	readonly lastError: string | null;
	readonly slots: readonly Slot[];
	/** The tools that may be used; null: all. */
	readonly tools: readonly string[] | null;
	/** Results above this many bytes are cut; null: none. */
	readonly resultBytesMax: number | null;
	readonly createdAt: number;
	readonly updatedAt: number;
	readonly transport?: Transport;
	readonly package?: Omit<InstalledPackage, "serverId" | "entry"> | null;
	/** `everyone`, `admins`, or e-mail addresses. */
	readonly access?: string | readonly string[];
	/** Whether tools that say they are destructive may be used without having been switched on. */
	readonly destructiveTools?: boolean;
	readonly pinning?: Server["pinning"];
	/** Definitions that are not as approved, and wait. */
	readonly held?: number;
	readonly connections?: readonly {
		/** `shared`, or the e-mail address of the user whose personal secrets it holds. */
		readonly identity: string;
		readonly status: ReturnType<Upstream["state"]>;
		readonly lastError: string | null;
	}[];
};

/** The server as this actor may see it. */
export function viewServer(
	deps: ApiDeps,
	server: Server,
	actor: Actor,
): ServerView {
	const live = deps.upstreams
		.live(server.id)
		.filter(
			(upstream) =>
				isAdmin(actor) ||
				upstream.identity === SHARED ||
				upstream.identity === actor.userId,
		);
	const common: ServerView = {
		id: server.id,
		name: server.slug,
		transportType:
			server.transport.kind === "http" ? "streamable_http" : "stdio",
		enabled: server.enabled,
		status: statusOf(deps, server, actor, live),
		signsIn: server.signsIn,
		lastError:
			live
				.map((upstream) => upstream.lastError())
				.find((error) => error !== null) ?? null,
		slots: server.slots,
		tools: server.tools,
		resultBytesMax: server.resultBytesMax,
		createdAt: server.createdAt,
		updatedAt: server.updatedAt,
	};
	if (!isAdmin(actor)) return common;
	return {
		...common,
		transport: server.transport,
		package: viewPackage(deps.db, server.id),
		access: viewAccess(deps.db, server.access),
		destructiveTools: server.destructiveTools,
		pinning: server.pinning,
		held: countHeldChanges(deps.db).get(server.id) ?? 0,
		connections: live.map((upstream) => ({
			identity: identityOf(deps.db, upstream),
			status: upstream.state(),
			lastError: upstream.lastError(),
		})),
	};
}

function statusOf(
	{ db }: ApiDeps,
	server: Server,
	actor: Actor,
	live: readonly Upstream[],
): ServerView["status"] {
	if (!server.enabled) return "disabled";
	const { userId } = subjectOf(db, actor, undefined);
	if (server.signsIn && !(userId && isConnected(db, server.id, userId)))
		return "needs_sign_in";
	const states = live.map((upstream) => upstream.state());
	return (
		(["ready", "starting", "failed"] as const).find((state) =>
			states.includes(state),
		) ?? "asleep"
	);
}

/** Whose secrets an upstream holds, for people to read: `shared`, or an e-mail address. */
export function identityOf(db: Database, { identity }: Upstream): string {
	return identity === SHARED ? SHARED : emailOf(db, identity);
}

function viewPackage(
	db: Database,
	serverId: string,
): NonNullable<ServerView["package"]> | null {
	const installed = findPackage(db, serverId);
	return (
		installed && {
			ecosystem: installed.ecosystem,
			name: installed.name,
			version: installed.version,
			installedAt: installed.installedAt,
		}
	);
}

/** Who may use something, for people to read. */
export function viewAccess(
	db: Database,
	access: Access,
): string | readonly string[] {
	return typeof access === "string"
		? access
		: access.map((userId) => emailOf(db, userId));
}
