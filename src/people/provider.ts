/**
 * Signing in with an OpenID provider: we are its client. The browser goes there with a state, a nonce and a PKCE
 * challenge, and comes back with a code that is redeemed for an ID token, whose signature, issuer, audience, nonce and
 * times are checked. What that identity may do here is not decided here.
 *
 * State, nonce and verifier are one secret: the state is random and goes with the browser, the others are keyed hashes
 * of it, so the store holds nothing that could redeem a code.
 *
 * @see OpenID Connect Core 1.0 3.1, RFC 7636, RFC 9207
 */
import * as oauth from "oauth4webapi";
import { type Clock, systemClock } from "../clock.ts";
import type { Egress } from "../egress.ts";
import { describeError, SallyportError } from "../errors.ts";
import type { Log } from "../log.ts";
import { mintNonce } from "../mint.ts";
import { createOAuthFetch } from "../oauth-fetch.ts";
import type { Database } from "../store/database.ts";
import {
	consumeProviderVisit,
	createProviderVisit,
	findIdentityProvider,
	type IdentityProvider,
	putIdentityProvider,
	type VisitPurpose,
} from "../store/identities.ts";
import type { Place, Vault } from "../vault.ts";
import { VERSION } from "../version.ts";

/** What an administrator sets. */
export type ProviderSettings = Omit<IdentityProvider, "secretSealed"> & {
	/** Null for a client without one; undefined keeps what the same client has. */
	readonly clientSecret: string | null | undefined;
};

/** Someone who came back from the provider. */
export type Arrival = {
	readonly purpose: VisitPurpose;
	/** Where they wanted to go. */
	readonly next: string;
	readonly issuer: string;
	readonly subject: string;
	/** Null when the provider does not vouch for one. */
	readonly email: string | null;
};

export type Provider = {
	/** The provider that is set, or null. */
	readonly find: () => IdentityProvider | null;
	/**
	 * Sets the provider, once it has described itself.
	 * @throws SallyportError `invalid` for settings that do not go together, `upstream` when it cannot be read
	 */
	readonly configure: (settings: ProviderSettings) => Promise<void>;
	/** Where to send a browser. @throws SallyportError `not_found` without a provider, `upstream` */
	readonly begin: (visit: {
		readonly purpose: VisitPurpose;
		readonly next: string;
		/** What this browser, and who is signed in, are known by when they come back. */
		readonly binding: string;
		readonly redirectUri: string;
	}) => Promise<string>;
	/** Who came back, by the address that they came to. @throws SallyportError `unauthorized` when anything is amiss */
	readonly finish: (
		url: URL,
		binding: string,
		redirectUri: string,
	) => Promise<Arrival>;
};

const VISIT_SECONDS = 10 * 60;
/** How long a provider's description of itself is believed. */
const METADATA_SECONDS = 10 * 60;
/** How old the provider's own proof may be where a fresh one was asked for. */
const FRESH_PROOF_SECONDS = 5 * 60;
const TEXT_LENGTH_MAX = 512;
const DOMAINS_MAX = 50;
const DOMAIN = /^(?=.{1,253}$)[a-z0-9-]+(\.[a-z0-9-]+)+$/;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** Where the sealed secret of the provider lives: there is one provider. */
export const PROVIDER_SECRET_PLACE: Place = {
	table: "identity_provider",
	column: "secret_sealed",
	row: "1",
	owner: "shared",
	version: 1,
};

export function createProvider(deps: {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
	readonly egress: Egress;
	readonly log: Log;
}): Provider {
	const { db, vault, clock } = deps;
	const fetch = createOAuthFetch(deps.egress, `sallyport/${VERSION}`);
	let known:
		| { readonly until: number; readonly as: oauth.AuthorizationServer }
		| undefined;

	function optionsFor(issuer: string): {
		[oauth.customFetch]: typeof fetch;
		[oauth.allowInsecureRequests]: boolean;
	} {
		return {
			[oauth.customFetch]: fetch,
			// Only ever a provider on this machine: `requireOrigin` lets no other come without TLS.
			[oauth.allowInsecureRequests]: issuer.startsWith("http:"),
		};
	}

	async function discover(
		issuer: string,
		isFresh = false,
	): Promise<oauth.AuthorizationServer> {
		const now = clock.now();
		if (!isFresh && known?.as.issuer === issuer && known.until > now)
			return known.as;
		const url = new URL(issuer);
		try {
			const response = await oauth.discoveryRequest(url, {
				algorithm: "oidc",
				...optionsFor(issuer),
			});
			const as = await oauth.processDiscoveryResponse(url, response);
			for (const endpoint of [
				as.authorization_endpoint,
				as.token_endpoint,
				as.jwks_uri,
			])
				requireOrigin(endpoint ?? "");
			known = { as, until: now + METADATA_SECONDS };
			return as;
		} catch (cause) {
			throw new SallyportError(
				"upstream",
				`the identity provider ${issuer} cannot be used: it could not be read, or does not describe itself as that`,
				{ hint: "check its issuer, and that this machine reaches it", cause },
			);
		}
	}

	function secretOf({ secretSealed }: IdentityProvider): string | null {
		return secretSealed === null
			? null
			: vault.open(PROVIDER_SECRET_PLACE, secretSealed);
	}

	const derive = (what: string, state: string): string =>
		Buffer.from(vault.mac(`provider ${what}/${state}`)).toString("base64url");
	const hashOf = (state: string, binding: string): Uint8Array =>
		vault.mac(`provider visit/${state}/${binding}`);

	async function redeem(
		provider: IdentityProvider,
		purpose: VisitPurpose,
		url: URL,
		state: string,
		redirectUri: string,
	): Promise<oauth.IDToken> {
		const as = await discover(provider.issuer);
		const client: oauth.Client = {
			client_id: provider.clientId,
			// The library reads the machine's clock; ours may be another.
			[oauth.clockSkew]: clock.now() - systemClock.now(),
			[oauth.clockTolerance]: 30,
		};
		const options = optionsFor(provider.issuer);
		const response = await oauth.authorizationCodeGrantRequest(
			as,
			client,
			authentication(as, secretOf(provider)),
			oauth.validateAuthResponse(as, client, url, state),
			redirectUri,
			derive("verifier", state),
			options,
		);
		const tokens = await oauth.processAuthorizationCodeResponse(
			as,
			client,
			response,
			{
				expectedNonce: derive("nonce", state),
				requireIdToken: true,
				...(purpose === "prove" ? { maxAge: FRESH_PROOF_SECONDS } : {}),
			},
		);
		await oauth.validateApplicationLevelSignature(as, response, options);
		const claims = oauth.getValidatedIdTokenClaims(tokens);
		if (!claims) throw new Error("there is no ID token");
		return claims;
	}

	return {
		find: () => findIdentityProvider(db),
		configure: async (given) => {
			const settings = parseSettings(given);
			await discover(settings.issuer, true);
			const { clientSecret, ...rest } = settings;
			const former = findIdentityProvider(db);
			const isSame =
				former?.issuer === rest.issuer && former.clientId === rest.clientId;
			const secretSealed =
				clientSecret === undefined && isSame
					? former.secretSealed
					: clientSecret == null
						? null
						: vault.seal(PROVIDER_SECRET_PLACE, clientSecret);
			putIdentityProvider(db, { ...rest, secretSealed }, clock.now());
		},
		begin: async ({ purpose, next, binding, redirectUri }) => {
			const provider = findIdentityProvider(db);
			if (!provider) throw noProvider();
			const as = await discover(provider.issuer);
			const state = mintNonce(32);
			createProviderVisit(db, hashOf(state, binding), {
				purpose,
				issuer: provider.issuer,
				next,
				expiresAt: clock.now() + VISIT_SECONDS,
			});
			const url = new URL(as.authorization_endpoint ?? "");
			const parameters = {
				response_type: "code",
				client_id: provider.clientId,
				redirect_uri: redirectUri,
				scope: "openid email",
				state,
				nonce: derive("nonce", state),
				code_challenge: await oauth.calculatePKCECodeChallenge(
					derive("verifier", state),
				),
				code_challenge_method: "S256",
				...(purpose === "prove" ? { prompt: "login", max_age: "0" } : {}),
			};
			for (const [name, value] of Object.entries(parameters))
				url.searchParams.set(name, value);
			return url.href;
		},
		finish: async (url, binding, redirectUri) => {
			const provider = findIdentityProvider(db);
			const state = url.searchParams.get("state") ?? "";
			const visit = consumeProviderVisit(
				db,
				hashOf(state, binding),
				clock.now(),
			);
			if (!provider || !visit || visit.issuer !== provider.issuer)
				throw refused("this sign-in was not begun here, or is too old");
			const { purpose, next } = visit;
			const claims = await redeem(
				provider,
				purpose,
				url,
				state,
				redirectUri,
			).catch((cause: unknown) => {
				// Exact in here, vague to the browser.
				deps.log.warn("identity provider refused", {
					reason: describeError(cause),
				});
				throw refused("the provider's answer is not one to rely on", cause);
			});
			return {
				purpose,
				next,
				issuer: provider.issuer,
				subject: claims.sub,
				email: verifiedEmail(claims),
			};
		},
	};
}

/** Only an address that the provider vouches for counts: an unverified one is what anybody typed there. */
function verifiedEmail(claims: oauth.IDToken): string | null {
	const { email, email_verified: isVerified } = claims;
	return typeof email === "string" && isVerified === true
		? email.trim().toLowerCase()
		: null;
}

function authentication(
	as: oauth.AuthorizationServer,
	secret: string | null,
): oauth.ClientAuth {
	if (secret === null) return oauth.None();
	const methods = as.token_endpoint_auth_methods_supported;
	// OpenID Connect Discovery 3: without a list it is `client_secret_basic`.
	return methods && !methods.includes("client_secret_basic")
		? oauth.ClientSecretPost(secret)
		: oauth.ClientSecretBasic(secret);
}

/** @throws SallyportError `invalid` */
function parseSettings(given: ProviderSettings): ProviderSettings {
	requireOrigin(given.issuer);
	const url = new URL(given.issuer);
	if (url.search !== "" || url.hash !== "")
		throw new SallyportError("invalid", "an issuer has no query", {
			hint: "take it from the provider's own pages",
		});
	const domains = [
		...new Set(
			given.domains.map((domain) =>
				domain.trim().toLowerCase().replace(/^@/, ""),
			),
		),
	];
	if (
		domains.length > DOMAINS_MAX ||
		!domains.every((domain) => DOMAIN.test(domain))
	)
		throw new SallyportError("invalid", "this is not a domain", {
			hint: `at most ${DOMAINS_MAX}, each such as example.org`,
		});
	// Otherwise everyone who has an account there would be a member here.
	if (given.provisions && domains.length === 0)
		throw new SallyportError("invalid", "who may become a member is not said", {
			hint: "name the domains of their addresses",
		});
	for (const text of [given.clientId, given.clientSecret ?? "x"])
		if (text === "" || text.length > TEXT_LENGTH_MAX || /\s/.test(text))
			throw new SallyportError(
				"invalid",
				"the client id or its secret is not one",
				{ hint: "copy both from the provider" },
			);
	return { ...given, domains };
}

/** https, or http on this machine. @throws SallyportError `invalid` */
function requireOrigin(text: string): void {
	const url = URL.canParse(text) ? new URL(text) : null;
	const isSafe =
		url?.protocol === "https:" ||
		(url?.protocol === "http:" && LOOPBACK.test(url.hostname));
	if (!isSafe || url.username !== "" || url.password !== "")
		throw new SallyportError(
			"invalid",
			"an identity provider has an https address",
			{ hint: "give its issuer, such as https://id.example.org" },
		);
}

function refused(message: string, cause?: unknown): SallyportError {
	return new SallyportError("unauthorized", message, {
		hint: "start again from the sign-in page",
		cause,
	});
}

function noProvider(): SallyportError {
	return new SallyportError("not_found", "there is no identity provider", {
		hint: "an administrator adds one: sallyport identity-provider set",
	});
}
