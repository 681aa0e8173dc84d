/**
 * Who we are at an authorization server: the client that an administrator registered there, else the URL of our own
 * document where it takes such URLs, else what it gives us when we register, else nobody, and then a person must
 * register this gateway there by hand.
 *
 * @see specification 2026-07-28, basic/authorization/client-registration; RFC 7591;
 *   draft-ietf-oauth-client-id-metadata-document
 */
import * as oauth from "oauth4webapi";
import type { Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { objectOf } from "../message.ts";
import type { OAuthFetch } from "../oauth-fetch.ts";
import type { Database } from "../store/database.ts";
import {
	findRegistration,
	putRegistration,
	type Registration,
} from "../store/registrations.ts";
import type { Service } from "../store/server-services.ts";
import type { Vault } from "../vault.ts";
import { hostOf } from "./discovery.ts";
import type { Provider } from "./providers.ts";
import {
	openRegistrationSecret,
	openServiceSecret,
	sealRegistrationSecret,
} from "./sealed-tokens.ts";
import { type ClientIdentity, quoted } from "./token-requests.ts";

export type RegistrationDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
	readonly fetch: OAuthFetch;
	/** This gateway's origin. */
	readonly origin: string;
	/** The URL of our own document, when an authorization server on the internet can read it. */
	readonly documentUrl: () => Promise<string | null>;
};

/** Where we want to be known, and as what. */
export type Place = {
	readonly serverId: string;
	readonly service: Service | null;
	readonly provider: Provider | null;
	readonly metadata: oauth.AuthorizationServer;
	readonly redirectUri: string;
};

const CLIENT_ID_LENGTH_MAX = 2048;
const SECRET_METHODS = ["client_secret_basic", "client_secret_post"] as const;

/** Who we are there already, without asking anybody. Null: nobody yet. */
export async function knownClient(
	deps: RegistrationDeps,
	place: Place,
): Promise<ClientIdentity | null> {
	const { service, metadata } = place;
	if (service?.clientId) return givenClient(deps, place, service.clientId);
	if (place.provider) return null;
	if (metadata["client_id_metadata_document_supported"] === true) {
		const url = await deps.documentUrl();
		if (url !== null) return { clientId: url, secret: null, method: "none" };
	}
	const registration = findRegistration(
		deps.db,
		{
			serverId: place.serverId,
			issuer: metadata.issuer,
			redirectUri: place.redirectUri,
		},
		deps.clock.now(),
	);
	return (
		registration && {
			clientId: registration.clientId,
			secret: openRegistrationSecret(deps.vault, registration),
			method: registration.authMethod,
		}
	);
}

/** Who we are there, registering if need be. Null: it lets nobody register. @throws SallyportError when it refuses */
export async function requireClient(
	deps: RegistrationDeps,
	place: Place,
): Promise<ClientIdentity | null> {
	const known = await knownClient(deps, place);
	if (known) return known;
	return place.metadata.registration_endpoint === undefined
		? null
		: register(deps, place);
}

/** The names under which every client of ours goes. */
export function clientMetadata(
	origin: string,
	redirectUris: readonly string[],
): Readonly<Record<string, unknown>> {
	const { protocol, host } = new URL(origin);
	return {
		client_name: `Sallyport (${host})`,
		client_uri: origin,
		redirect_uris: redirectUris,
		grant_types: ["authorization_code", "refresh_token"],
		response_types: ["code"],
		// On a machine of one's own, in clear, it is a native application to those who tell them apart (OIDC Registration 2).
		application_type: protocol === "https:" ? "web" : "native",
	};
}

function givenClient(
	{ vault }: RegistrationDeps,
	{ service, provider, metadata }: Place,
	clientId: string,
): ClientIdentity {
	const secret = service && openServiceSecret(vault, service);
	return {
		clientId,
		secret: secret ?? null,
		method: secret
			? (provider?.auth ?? secretMethod(metadata) ?? "client_secret_basic")
			: "none",
	};
}

async function register(
	deps: RegistrationDeps,
	{ serverId, metadata, redirectUri }: Place,
): Promise<ClientIdentity> {
	const now = deps.clock.now();
	const method = secretMethod(metadata) ?? "none";
	const response = await oauth.dynamicClientRegistrationRequest(
		metadata,
		{
			...clientMetadata(deps.origin, [redirectUri]),
			token_endpoint_auth_method: method,
		},
		{
			[oauth.customFetch]: deps.fetch,
			[oauth.allowInsecureRequests]: true,
		},
	);
	const answer = await bodyOf(response);
	const { client_id: clientId, client_secret: secret } = answer;
	const isClient =
		response.ok &&
		typeof clientId === "string" &&
		clientId.length > 0 &&
		clientId.length <= CLIENT_ID_LENGTH_MAX;
	if (!isClient) throw refused(metadata.issuer, response.status, answer);
	const registration: Omit<Registration, "secret"> = {
		serverId,
		issuer: metadata.issuer,
		clientId,
		authMethod: grantedMethod(answer, method),
		redirectUri,
		version: 1,
		expiresAt: endOf(answer["client_secret_expires_at"]),
	};
	putRegistration(
		deps.db,
		{
			...registration,
			secret:
				typeof secret === "string" && secret !== ""
					? sealRegistrationSecret(deps.vault, registration, secret)
					: null,
		},
		now,
	);
	return {
		clientId,
		secret: typeof secret === "string" && secret !== "" ? secret : null,
		method: registration.authMethod,
	};
}

/** How a secret is best shown there; null where only clients without one are wanted. */
function secretMethod(
	metadata: oauth.AuthorizationServer,
): (typeof SECRET_METHODS)[number] | null {
	// RFC 8414 2: what does not say takes Basic.
	const offered = metadata.token_endpoint_auth_methods_supported ?? [
		"client_secret_basic",
	];
	return SECRET_METHODS.find((method) => offered.includes(method)) ?? null;
}

/** RFC 7591 3.2.1: the server has the last word; one that gives a secret and says nothing meant what was asked for. */
function grantedMethod(
	answer: Readonly<Record<string, unknown>>,
	asked: Registration["authMethod"],
): Registration["authMethod"] {
	const said = answer["token_endpoint_auth_method"];
	const known = [...SECRET_METHODS, "none" as const].find(
		(method) => method === said,
	);
	if (typeof answer["client_secret"] !== "string") return "none";
	return known ?? (asked === "none" ? "client_secret_basic" : asked);
}

/** RFC 7591 3.2.1: 0 is never. */
function endOf(at: unknown): number | null {
	return typeof at === "number" && at > 0 ? Math.floor(at) : null;
}

async function bodyOf(
	response: Response,
): Promise<Readonly<Record<string, unknown>>> {
	try {
		return objectOf(JSON.parse(await response.text()));
	} catch {
		return {}; // its status says enough
	}
}

function refused(
	issuer: string,
	status: number,
	answer: Readonly<Record<string, unknown>>,
): SallyportError {
	const error = quoted(answer["error"]);
	const words = quoted(answer["error_description"]);
	return new SallyportError(
		"upstream",
		`${hostOf(issuer)} did not let this gateway register (${[status, error, words].filter((part) => part !== "").join(", ")})`,
		{
			hint: "register this gateway there by hand, and give its client id",
		},
	);
}
