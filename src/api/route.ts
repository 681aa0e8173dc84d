/**
 * A route of the REST API and what its handler is given. Who asks is settled before: an `Actor` comes from the
 * admin socket or from a key, never from a body.
 */
import type { Role } from "../caller.ts";
import type { Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Pins } from "../mcp/pins.ts";
import type { Shapes } from "../mcp/shape.ts";
import type { Directory } from "../mcp/view.ts";
import type { GatewayAddress } from "../ops/address.ts";
import type { Backups } from "../ops/backup-schedule.ts";
import type { Doctor } from "../ops/doctor.ts";
import type { Lease } from "../ops/leases.ts";
import type { Panic } from "../ops/panic.ts";
import type { Approach } from "../ops/setup-link.ts";
import type { Npm } from "../packages/npm.ts";
import type { Passwords } from "../people/passwords.ts";
import type { Provider } from "../people/provider.ts";
import { may } from "../rights.ts";
import type { CallRecorder } from "../store/calls.ts";
import type { Database } from "../store/database.ts";
import type { TimelineRecorder } from "../store/timeline.ts";
import type { Certificates } from "../tls/certificates.ts";
import type { Connections } from "../upstream/connections.ts";
import type { Upstreams } from "../upstream/upstream.ts";
import type { Vault } from "../vault.ts";

/** Who asks. The admin socket has the owner's rights, and no user of its own. */
export type Actor = {
	readonly userId: string | null;
	readonly role: Role;
	readonly via: "socket" | "key" | "login";
	/** Of a login: whether its person proved who they are in the last quarter of an hour. */
	readonly isFresh?: boolean;
};

/** A setting of the machine's configuration; what may be a secret is not in it. */
export type SettingView = {
	readonly name: string;
	readonly value: string | readonly string[] | null;
	readonly origin: string;
};

export type ApiDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
	readonly log: Log;
	readonly upstreams: Upstreams;
	readonly connections: Connections;
	/** A user has given a server a secret of theirs. */
	readonly onSecret: (serverId: string, userId: string) => void;
	readonly directory: Directory;
	readonly shapes: Shapes;
	readonly pins: Pick<Pins, "instructions">;
	readonly npm: Npm;
	readonly calls: CallRecorder;
	readonly timeline: Pick<TimelineRecorder, "flush">;
	readonly certificates: Certificates;
	readonly address: GatewayAddress;
	readonly panic: Panic;
	/** The machine's configuration, as it is in force. */
	readonly settings: readonly SettingView[];
	readonly passwords: Pick<Passwords, "hash">;
	readonly provider: Pick<Provider, "find" | "configure">;
	/** Whoever keeps server rows in memory forgets them. */
	readonly serversChanged: () => void;
	readonly lease: Lease;
	/** Whoever keeps judged credentials in memory forgets them. */
	readonly credentialsChanged: () => void;
	/** Ends what runs with a user's own secrets. */
	readonly dropUpstreams: (userId: string) => void;
	readonly version: string;
	/** The origin of links that people open. */
	readonly publicUrl: string;
	/** How the gateway is entered before it has an owner. */
	readonly approach: Approach;
	readonly backups: Backups;
	readonly doctor: Doctor;
};

/** One request, as a handler sees it. */
export type Ask = {
	readonly deps: ApiDeps;
	readonly actor: Actor;
	readonly request: Request;
	readonly requestId: string;
	/** The path's `:name` parts, decoded. */
	readonly params: Readonly<Record<string, string>>;
	readonly query: URLSearchParams;
};

/** What a handler answers: the envelope's other members, or a response of its own (a streamed result). */
export type Answer =
	| {
			readonly status?: 200 | 201;
			readonly body: Readonly<Record<string, unknown>>;
	  }
	| Response;

export type Route = {
	readonly method: "GET" | "POST" | "PUT" | "DELETE";
	/** `/api/mcp/servers/:slug` */
	readonly path: string;
	/** Who may ask at all; what they may ask for is the handler's. */
	readonly who: "anyone" | "admins";
	/** Whether a login must have proved itself freshly. Whatever an administrator changes is so without being marked. */
	readonly dangerous?: true;
	readonly run: (ask: Ask) => Answer | Promise<Answer>;
};

export function isAdmin(actor: Pick<Actor, "role">): boolean {
	return may(actor.role, "run the gateway");
}

/** @throws SallyportError `forbidden` when the actor is a member */
export function requireAdmin(actor: Actor, what: string): void {
	if (isAdmin(actor)) return;
	throw new SallyportError("forbidden", `only an administrator may ${what}`, {
		hint: "ask whoever runs this gateway",
	});
}

/** The actor's name in the audit trail. */
export function actorName(actor: Actor): string {
	return actor.userId ?? actor.via;
}
