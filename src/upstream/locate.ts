/**
 * Where the users of a server sign in: by the provider that an administrator named, or by what the server says itself.
 * What was found is kept for a while; a sign-in that begins looks anew, because a server may have moved.
 */
import type { AuthorizationServer } from "oauth4webapi";
import type { Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import { findService, type Service } from "../store/server-services.ts";
import type { Server } from "../store/servers.ts";
import { type DiscoveryDeps, discover } from "./discovery.ts";
import { findProvider, type Provider, quirksOf } from "./providers.ts";

/** Where to sign in, and in which manner. */
export type Located = {
	readonly service: Service | null;
	/** Null: it describes itself. */
	readonly provider: Provider | null;
	readonly metadata: AuthorizationServer;
	/** What to name as `resource`; null: nothing. */
	readonly resource: string | null;
	readonly resourceScopes: readonly string[] | null;
};

export type Locator = {
	/**
	 * @param how.fresh asks again, whatever is known
	 * @param how.metadataUrl where the server has just said that its metadata is
	 * @returns null when there is nowhere to sign in
	 * @throws SallyportError when somewhere on the way something is wrong
	 */
	readonly find: (
		server: Server,
		how?: { readonly fresh?: boolean; readonly metadataUrl?: string | null },
	) => Promise<Located | null>;
	/** Forgets what is known of a server. */
	readonly forget: (serverId: string) => void;
};

const KEPT_SECONDS = 600;
const KEPT_MAX = 500;

export function createLocator(
	deps: DiscoveryDeps & { readonly db: Database; readonly clock: Clock },
): Locator {
	const kept = new Map<
		string,
		{ readonly located: Located; readonly until: number }
	>();

	const look = async (
		server: Server,
		service: Service | null,
		metadataUrl: string | null,
	): Promise<Located | null> => {
		if (service?.provider) return locateProvider(service, service.provider);
		const { transport } = server;
		if (transport.kind !== "http") return null;
		const found = await discover(deps, {
			url: transport.url,
			metadataUrl,
			issuer: service?.clientId ? service.issuer : null,
		}).catch((error: unknown) => {
			throw named(server.slug, error);
		});
		return (
			found && {
				service,
				provider: null,
				metadata: found.metadata,
				resource: quirksOf(found.issuer).refusesResource
					? null
					: found.resource,
				resourceScopes: found.resourceScopes,
			}
		);
	};

	return {
		find: async (server, { fresh = false, metadataUrl } = {}) => {
			const service = findService(deps.db, server.id);
			const known = kept.get(server.id);
			if (!fresh && known && known.until > deps.clock.now())
				return { ...known.located, service };
			const located = await look(
				server,
				service,
				metadataUrl ?? service?.metadataUrl ?? null,
			);
			kept.delete(server.id);
			if (located && kept.size < KEPT_MAX)
				kept.set(server.id, {
					located,
					until: deps.clock.now() + KEPT_SECONDS,
				});
			return located;
		},
		forget: (serverId) => void kept.delete(serverId),
	};
}

/** @throws SallyportError `invalid` for a provider that this release does not know */
function locateProvider(service: Service, name: string): Located {
	const provider = findProvider(name, service.issuer);
	if (!provider)
		throw new SallyportError("invalid", `there is no provider named ${name}`, {
			hint: "see them with: sallyport connections add --help",
		});
	return {
		service,
		provider,
		metadata: {
			issuer: new URL(provider.authorize).origin,
			authorization_endpoint: provider.authorize,
			token_endpoint: provider.token,
		},
		resource: null,
		resourceScopes: null,
	};
}

function named(slug: string, error: unknown): unknown {
	return error instanceof SallyportError
		? new SallyportError(error.code, `${slug} ${error.message}`, {
				...(error.hint !== undefined && { hint: error.hint }),
				cause: error,
			})
		: error;
}
