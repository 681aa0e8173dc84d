/**
 * Keeps the tokens of connections good: renews them at 80 % of their life, one renewal at a time in this process (a
 * promise) and in any other (a lease). A new refresh token is in the store before the new access token is used.
 *
 * A refresh token that is refused twice in a row ends the connection: its person signs in again. Anything else that
 * goes wrong ends nothing, and is left alone for a while.
 *
 * @see RFC 6749 6; RFC 9700 4.14
 */
import { delay } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import type { Log } from "../log.ts";
import { mintNonce } from "../mint.ts";
import { recordAudit } from "../store/audit.ts";
import {
	type Connection,
	countRefusal,
	findConnection,
	loseConnection,
	releaseRefreshLease,
	renewConnection,
	takeRefreshLease,
} from "../store/connections.ts";
import { addNotice } from "../store/notices.ts";
import type { Server } from "../store/servers.ts";
import { type ConnectDeps, livesUntil, sourceOf } from "./connect.ts";
import { openTokens, sealTokens, type Tokens } from "./sealed-tokens.ts";
import {
	refreshTokens,
	TokenRefusal,
	type TokenSource,
} from "./token-requests.ts";

export type RefreshDeps = ConnectDeps & {
	readonly log: Log;
	/** The connection is of no use any more, and its person has to sign in again. */
	readonly onLost: (server: Server, userId: string) => void;
};

export type Refresher = {
	/**
	 * Renews the tokens of a connection, or waits for whoever does.
	 * @returns the connection as it is then; null when it is lost
	 * @throws SallyportError when the service cannot be asked at the moment
	 */
	readonly renew: (
		server: Server,
		connection: Connection,
	) => Promise<Connection | null>;
	/** Ends a connection that the service does not honour any more. */
	readonly lose: (
		server: Server,
		connection: Connection,
		reason: string,
	) => void;
};

const LEASE_SECONDS = 60;
const LEASE_POLL_MS = 200;
const LEASE_POLLS_MAX = 150;
/** A service that failed is not asked again for this long. */
const PAUSE_SECONDS = 30;
const REFUSALS_MAX = 2;

export function createRefresher(deps: RefreshDeps): Refresher {
	const { db, vault, clock } = deps;
	const holder = mintNonce();
	const underWay = new Map<string, Promise<Connection | null>>();
	const pausedUntil = new Map<string, number>();

	const current = (server: Server, { userId }: Connection): Connection | null =>
		findConnection(db, server.id, userId);

	const lose: Refresher["lose"] = (server, connection, reason) => {
		if (!loseConnection(db, connection, clock.now())) return;
		recordAudit(
			db,
			{
				actor: connection.userId,
				action: "connection.lost",
				object: server.slug,
				detail: reason,
			},
			clock.now(),
		);
		addNotice(
			db,
			connection.userId,
			{ kind: "connection lost", detail: server.slug },
			clock.now(),
		);
		deps.log.warn("connection lost", { slug: server.slug, reason });
		deps.onLost(server, connection.userId);
	};

	/** Asks the service once. Null when the connection was lost, or is another by now. */
	const ask = async (
		server: Server,
		connection: Connection,
		source: TokenSource,
		tokens: Tokens & { readonly refreshToken: string },
	): Promise<void> => {
		const fresh = await refreshTokens(source, tokens.refreshToken);
		const now = clock.now();
		renewConnection(
			db,
			connection,
			{
				...livesUntil(fresh, now),
				refreshable: 1,
				granted: fresh.scopes?.join(" ") ?? connection.granted,
			},
			now,
			(place) =>
				sealTokens(vault, place, {
					...tokens,
					accessToken: fresh.accessToken,
					// RFC 6749 6: without a new one the old one stays.
					refreshToken: fresh.refreshToken ?? tokens.refreshToken,
				}),
		);
		deps.log.info("connection renewed", { slug: server.slug });
	};

	const attempt = async (
		server: Server,
		connection: Connection,
	): Promise<Connection | null> => {
		const { refreshToken, ...rest } = openTokens(vault, connection);
		const source = await sourceOf(deps, server);
		if (
			refreshToken === null ||
			source?.metadata.issuer !== connection.issuer ||
			source.client.clientId !== rest.clientId
		) {
			lose(server, connection, "the server has another sign-in now");
			return null;
		}
		for (;;) {
			try {
				await ask(server, connection, source, { ...rest, refreshToken });
				return current(server, connection);
			} catch (error) {
				if (!(error instanceof TokenRefusal)) throw error;
				// Somebody else may have used the same refresh token meanwhile, and theirs is what counts.
				const now = current(server, connection);
				if (now?.version !== connection.version) return now;
				if (countRefusal(db, connection.id) < REFUSALS_MAX) continue;
				lose(server, connection, error.message);
				return null;
			}
		}
	};

	/** @throws SallyportError when somebody else holds the lease for too long */
	const leased = async (
		server: Server,
		connection: Connection,
	): Promise<Connection | null> => {
		const { id } = connection;
		for (let polls = 0; polls < LEASE_POLLS_MAX; polls++) {
			const now = clock.now();
			if (takeRefreshLease(db, id, holder, now, now + LEASE_SECONDS))
				try {
					const latest = current(server, connection);
					return latest?.version === connection.version
						? await attempt(server, latest)
						: latest;
				} finally {
					releaseRefreshLease(db, id, holder);
				}
			await delay(LEASE_POLL_MS);
			const latest = current(server, connection);
			if (latest?.version !== connection.version) return latest;
		}
		throw new SallyportError(
			"unavailable",
			`${server.slug}: its sign-in is being renewed elsewhere`,
			{ hint: "try again in a moment" },
		);
	};

	return {
		lose,
		renew: (server, connection) => {
			const known = underWay.get(connection.id);
			if (known) return known;
			if ((pausedUntil.get(connection.id) ?? 0) > clock.now())
				return Promise.reject(
					new SallyportError(
						"upstream",
						`${server.slug}: its sign-in could not be renewed just now`,
						{ hint: "try again in a moment" },
					),
				);
			const renewing = leased(server, connection)
				.then((renewed) => {
					pausedUntil.delete(connection.id);
					return renewed;
				})
				.catch((error: unknown) => {
					pausedUntil.set(connection.id, clock.now() + PAUSE_SECONDS);
					throw error;
				})
				.finally(() => underWay.delete(connection.id));
			underWay.set(connection.id, renewing);
			return renewing;
		},
	};
}
