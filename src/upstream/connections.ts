/**
 * Signing in to the services behind servers, as everyone else sees it: whether a user is connected, the requests that
 * carry their token, and the few things that a person does about it.
 */
import { delay } from "../clock.ts";
import { createEgress, type KeptEgress } from "../egress.ts";
import { SallyportError } from "../errors.ts";
import { createOAuthFetch } from "../oauth-fetch.ts";
import { recordAudit } from "../store/audit.ts";
import {
	deleteConnection,
	findConnection,
	isConnected,
	listConnections,
} from "../store/connections.ts";
import { transaction } from "../store/database.ts";
import { SHARED } from "../store/secrets.ts";
import {
	findService,
	type ServiceSettings,
	setService,
} from "../store/server-services.ts";
import { requireServer, type Server } from "../store/servers.ts";
import { type BearerDeps, SigningEgress } from "./bearer.ts";
import {
	beginSignIn,
	type ConnectDeps,
	finishSignIn,
	foresee,
	type Outlook,
	sourceOf,
	type Visitor,
} from "./connect.ts";
import { createLocator } from "./locate.ts";
import { signInNeeded } from "./needs-person.ts";
import { listProviders } from "./providers.ts";
import { createRefresher } from "./refresh.ts";
import {
	openServiceSecret,
	openTokens,
	sealServiceSecret,
	type Tokens,
} from "./sealed-tokens.ts";
import { revokeToken } from "./token-requests.ts";

export type Connections = {
	/** This gateway's origin, to which services send browsers back. */
	readonly origin: string;
	/** The slot of a server that a sign-in fills, or null. */
	readonly filledSlot: (server: Server) => string | null;
	/** The page on which a person connects to a server, or gives it their secrets. */
	readonly linkTo: (slug: string) => string;
	/** @throws NeedsPerson when this server's users sign in, and this one has not */
	readonly requireConnected: (server: Server, userId: string) => void;
	/** An egress that signs what goes to this server for this user. */
	readonly signing: (
		egress: KeptEgress,
		server: Server,
		userId: string,
	) => KeptEgress;
	/** The token that fills the server's slot, and until when it is good. Null: no slot is filled by a token. */
	readonly slotToken: (
		server: Server,
		userId: string,
	) => Promise<{
		readonly slot: string;
		readonly token: string;
		readonly refreshAt: number | null;
	} | null>;
	readonly foresee: (server: Server, userId: string) => Promise<Outlook>;
	readonly begin: (server: Server, visitor: Visitor) => Promise<string>;
	readonly finish: (
		server: Server,
		visitor: Visitor,
		params: URLSearchParams,
	) => Promise<void>;
	/** Renews the tokens of a connection now. @throws SallyportError `not_found`, `conflict` (it cannot be renewed) */
	readonly refresh: (server: Server, userId: string) => Promise<void>;
	/** Renews what its service would let die for want of use. Never rejects. */
	readonly tend: () => Promise<void>;
	/**
	 * Removes connections, of a user, of a server, or of both: at once, so that it can be part of a transaction.
	 * @returns what tells their services, where they can be told; it resolves to how many there were
	 */
	readonly leave: (
		of: { readonly userId?: string; readonly serverId?: string },
		actor: string,
	) => () => Promise<number>;
	/** Both of it. */
	readonly disconnect: (
		of: { readonly userId?: string; readonly serverId?: string },
		actor: string,
	) => Promise<number>;
	/**
	 * Sets who we are with the service of a server, and how to sign in there. What is left out stays as it is.
	 * @param secret the client's; without one the client that is named has none
	 * @throws SallyportError when nothing says where its users sign in
	 */
	readonly configure: (
		server: Server,
		changes: Partial<ServiceSettings>,
		secret: string | undefined,
		actor: string,
	) => Promise<void>;
};

/** Services end refresh tokens that nobody has used, the strictest we know after thirty days. */
const UNUSED_SECONDS = 20 * 24 * 3600;

export type ConnectionsDeps = Pick<
	BearerDeps,
	"db" | "vault" | "clock" | "log" | "origin"
> & {
	readonly version: string;
	readonly allowPrivate: readonly string[];
	/** This gateway's own, which it never calls. */
	readonly ownOrigins: readonly string[];
	/** The URL of our own document, when it can be read from the internet. */
	readonly documentUrl: () => Promise<string | null>;
	/** Whoever holds credentials of this server (for this user) gives them up, at once. */
	readonly onChange: (serverId: string, userId?: string) => void;
	/** It turned out that a server's users sign in. */
	readonly onService: () => void;
	/** A user can use a server now who could not before. */
	readonly onConnected: (serverId: string, userId: string) => void;
};

export function createConnections(deps: ConnectionsDeps): Connections {
	const { db, vault, clock, log, origin } = deps;
	const egress = createEgress({
		allowPrivate: deps.allowPrivate,
		ownOrigins: deps.ownOrigins,
		onlySecure: true,
	});
	const fetch = createOAuthFetch(egress, `sallyport/${deps.version}`);
	const { permit } = egress;
	const locator = createLocator({ db, clock, fetch, permit });
	const linkTo = (slug: string): string => `${origin}/connect/${slug}`;
	const connect: ConnectDeps = {
		...{ db, vault, clock, origin, fetch, permit, locator },
		documentUrl: deps.documentUrl,
	};
	/** Not in the midst of the call that found out: it is told first. */
	const changeSoon = (serverId: string, userId: string): void =>
		void delay(0).then(() => deps.onChange(serverId, userId));
	const onLost = (server: Server, userId: string): void =>
		changeSoon(server.id, userId);
	const refresher = createRefresher({ ...connect, log, onLost });
	const bearer: BearerDeps = {
		...{ ...connect, log, onLost, refresher, linkTo },
		onService: (server) => {
			deps.onService();
			// Only what was everyone's: a user may have signed in before the last of several callers found out.
			changeSoon(server.id, SHARED);
		},
	};

	/** Best effort: the tokens are gone from here already. */
	const revoke = async (server: Server, tokens: Tokens): Promise<void> => {
		try {
			const there = await sourceOf(connect, server);
			if (there?.client.clientId !== tokens.clientId) return;
			if (tokens.refreshToken !== null)
				await revokeToken(there, tokens.refreshToken, "refresh_token");
			await revokeToken(there, tokens.accessToken, "access_token");
		} catch (error) {
			if (!(error instanceof SallyportError)) throw error;
			log.warn("token not revoked", {
				slug: server.slug,
				reason: error.message,
			});
		}
	};

	const leave: Connections["leave"] = (of, actor) => {
		const gone = listConnections(db, of).flatMap(({ slug, userId }) => {
			const server = requireServer(db, slug);
			const connection = findConnection(db, server.id, userId);
			if (!connection) return [];
			return [{ server, connection, tokens: openTokens(vault, connection) }];
		});
		transaction(db, () => {
			for (const { server, connection } of gone) {
				deleteConnection(db, connection.id);
				recordAudit(
					db,
					{
						actor,
						action: "connection.remove",
						object: server.slug,
						detail: connection.userId,
					},
					clock.now(),
				);
			}
		});
		return async () => {
			for (const { server, connection } of gone)
				deps.onChange(server.id, connection.userId);
			await Promise.all(
				gone.map(({ server, tokens }) => revoke(server, tokens)),
			);
			return gone.length;
		};
	};

	return {
		origin,
		linkTo,
		filledSlot: ({ id, signsIn }) =>
			signsIn ? (findService(db, id)?.slot ?? null) : null,
		requireConnected: (server, userId) => {
			if (!server.signsIn || isConnected(db, server.id, userId)) return;
			const known = findConnection(db, server.id, userId);
			throw signInNeeded(
				server.slug,
				known ? "sign in again" : "sign in",
				linkTo(server.slug),
			);
		},
		signing: (outgoing, server, userId) =>
			new SigningEgress(bearer, outgoing, server, userId),
		slotToken: async (server, userId) => {
			const slot = findService(db, server.id)?.slot ?? null;
			if (slot === null) return null;
			const known = findConnection(db, server.id, userId);
			const isDue = (known?.refreshAt ?? Infinity) <= clock.now();
			const connection =
				known && known.lostAt === null && known.refreshable === 1 && isDue
					? await refresher.renew(server, known)
					: known;
			if (!connection || connection.lostAt !== null)
				throw signInNeeded(server.slug, "sign in", linkTo(server.slug));
			return {
				slot,
				token: openTokens(vault, connection).accessToken,
				refreshAt: connection.refreshable === 1 ? connection.refreshAt : null,
			};
		},
		foresee: (server, userId) => foresee(connect, server, userId),
		begin: (server, visitor) => beginSignIn(connect, server, visitor),
		finish: async (server, visitor, params) => {
			await finishSignIn(connect, server, visitor, params);
			deps.onChange(server.id, visitor.userId);
			deps.onConnected(server.id, visitor.userId);
		},
		refresh: async (server, userId) => {
			const connection = findConnection(db, server.id, userId);
			if (!connection || connection.lostAt !== null)
				throw new SallyportError(
					"not_found",
					`there is no connection to ${server.slug} that could be renewed`,
					{ hint: `open ${linkTo(server.slug)} to sign in` },
				);
			if (connection.refreshable === 0)
				throw new SallyportError(
					"conflict",
					`${server.slug} gave no refresh token, so there is nothing to renew`,
					{ hint: `open ${linkTo(server.slug)} to sign in again` },
				);
			if (!(await refresher.renew(server, connection)))
				throw signInNeeded(server.slug, "sign in again", linkTo(server.slug));
			deps.onChange(server.id, userId);
		},
		tend: async () => {
			const stale = listConnections(db).filter(
				({ refreshable, lostAt, refreshedAt }) =>
					refreshable === 1 &&
					lostAt === null &&
					refreshedAt < clock.now() - UNUSED_SECONDS,
			);
			for (const { slug, userId } of stale) {
				const server = requireServer(db, slug);
				const connection = findConnection(db, server.id, userId);
				if (connection)
					await refresher.renew(server, connection).catch(expected);
			}
		},
		leave,
		disconnect: async (of, actor) => leave(of, actor)(),
		configure: async (server, changes, secret, actor) => {
			locator.forget(server.id);
			const known = findService(db, server.id);
			const settings: ServiceSettings = {
				provider: known?.provider ?? null,
				slot: known?.slot ?? null,
				scope: known?.scope ?? null,
				clientId: known?.clientId ?? null,
				issuer: known?.issuer ?? null,
				...changes,
			};
			refuseUnfit(server, settings);
			// A client is good at one issuer only: at the one that the server names today, if nobody says otherwise.
			const issuer =
				changes.clientId && !changes.issuer && settings.provider === null
					? await issuerOf(locator, server)
					: settings.issuer;
			const kept =
				secret ??
				(known && changes.clientId === undefined
					? openServiceSecret(vault, known)
					: null);
			transaction(db, () => {
				setService(
					db,
					server.id,
					{ ...settings, issuer },
					kept === null
						? null
						: (version) => sealServiceSecret(vault, server.id, version, kept),
					clock.now(),
				);
				recordAudit(
					db,
					{ actor, action: "connection.configure", object: server.slug },
					clock.now(),
				);
			});
			locator.forget(server.id);
			deps.onService();
			deps.onChange(server.id);
		},
	};
}

/** What is tried again the next time; a bug is still thrown. */
function expected(error: unknown): null {
	if (!(error instanceof SallyportError)) throw error;
	return null;
}

/** The issuer that a client given without one is for: the one that the server names today. */
async function issuerOf(
	locator: ReturnType<typeof createLocator>,
	server: Server,
): Promise<string> {
	const located = await locator.find(server, { fresh: true });
	if (!located)
		throw new SallyportError(
			"invalid",
			`${server.slug} does not say where its users sign in`,
			{ hint: "name the issuer, or a provider" },
		);
	return located.metadata.issuer;
}

/** @throws SallyportError `invalid` for a provider or a slot that is not there, or a server that cannot use a token */
function refuseUnfit(
	{ slug, slots, transport }: Server,
	{ provider, slot, issuer }: ServiceSettings,
): void {
	const names = listProviders().map(({ name }) => name);
	if (provider !== null && !names.includes(provider))
		throw new SallyportError("invalid", "that provider is not known", {
			hint: `the providers are ${names.join(", ")}`,
		});
	const named = slots.find(({ name }) => name === slot);
	if (slot !== null && !named?.personal)
		throw new SallyportError(
			"invalid",
			`${slug} has no personal slot of that name`,
			{ hint: "a sign-in is one person's, so the slot it fills is too" },
		);
	if (transport.kind !== "http" && slot === null)
		throw new SallyportError(
			"invalid",
			`${slug} is a program, so the token of a sign-in needs a slot`,
			{ hint: "name the personal slot that it fills" },
		);
	if (transport.kind !== "http" && provider === null)
		throw new SallyportError(
			"invalid",
			`${slug} is a program, and cannot say where its users sign in`,
			{ hint: `name a provider: ${names.join(", ")}` },
		);
	if (issuer !== null && !URL.canParse(issuer))
		throw new SallyportError("invalid", "the issuer is not a URL");
}
