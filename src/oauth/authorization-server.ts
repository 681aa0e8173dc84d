/**
 * What the authorization server is made of: what its endpoints are handed, and the numbers of its profile.
 * It serves one issuer, the bare origin of the public URL, which comes from the configuration and never from a
 * request. It knows nothing of servers and tools: whether an endpoint exists, and whether it is a part of `/mcp`, is
 * asked.
 */
import type { Clock } from "../clock.ts";
import type { Egress } from "../egress.ts";
import type { Log } from "../log.ts";
import type { Database } from "../store/database.ts";
import type { Step } from "../store/timeline.ts";
import type { Vault } from "../vault.ts";
import type { ClientDocuments } from "./client-documents.ts";

export type OAuthDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
	readonly log: Log;
	readonly egress: Egress;
	/** The clients that are described by a document of their own. */
	readonly documents: ClientDocuments;
	/** The origin of the public URL, without a trailing slash. */
	readonly issuer: string;
	/** Whether there is an endpoint at this path, `/mcp/<slug>`. */
	readonly isEndpoint: (path: string) => boolean;
	/** Whether the endpoint at this path is a part of `/mcp`, so that its scope means something there. */
	readonly isPart: (path: string) => boolean;
	/** Where a request comes from: the socket, or what a trusted proxy says. */
	readonly clientAddress: (request: Request) => string;
	/** Forgets cached callers (the bearer's `invalidate`): called after anything was revoked. */
	readonly invalidate: () => void;
	/** Whether a grant's first tokens were issued by this process and never used since. */
	readonly isUnused: (grantId: string) => boolean;
	/** Puts a step of the client that sends this request on the timeline. */
	readonly note: (request: Request, step: Step) => void;
};

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Long, because every request looks its token up: revocation is immediate whatever the lifetime (D15). */
export const ACCESS_TOKEN_SECONDS = 8 * HOUR;

export const CODE_SECONDS = 2 * MINUTE;
/** Wrong verifiers after which a code is burnt. */
export const CODE_TRIES_MAX = 5;
/** How long the same request for a code's tokens gets the same answer, while they are unused (decision 16). */
export const CODE_REPEAT_SECONDS = 10;
/** How long an ended code is remembered, to tell a replay from a made-up code. */
export const CODE_KEPT_SECONDS = DAY;

export const REFRESH_LIMITS = {
	idleSeconds: 30 * DAY,
	absoluteSeconds: 365 * DAY,
	replaySeconds: MINUTE,
	graceSeconds: 10 * MINUTE,
} as const;

/** A client that registered and was never allowed anything is forgotten after this. */
export const UNUSED_CLIENT_SECONDS = DAY;
/** A client that nobody approved is forgotten after this. */
export const WAITING_CLIENT_SECONDS = 7 * DAY;
/** A client without a living grant is forgotten this long after its last one began. */
export const IDLE_CLIENT_SECONDS = 90 * DAY;
export const UNUSED_CLIENTS_MAX = 1000;
