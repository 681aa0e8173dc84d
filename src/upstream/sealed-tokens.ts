/**
 * What signing in to services makes secret, sealed into its rows: tokens, client secrets, requests under way. The only
 * place that opens them, beside `credentials.ts` for slots.
 */
import type { Connection, ConnectionPlace } from "../store/connections.ts";
import type { Registration } from "../store/registrations.ts";
import { SERVICE_OWNER, type Service } from "../store/server-services.ts";
import type { SignIn } from "../store/sign-ins.ts";
import type { Place, Vault } from "../vault.ts";

/** The tokens of a connection, and the client that they were given to. */
export type Tokens = {
	readonly accessToken: string;
	readonly refreshToken: string | null;
	readonly clientId: string;
};

/** What a browser was sent away with, to be compared with what it brings back. */
export type SignInRequest = {
	readonly issuer: string;
	readonly clientId: string;
	readonly verifier: string | null;
	readonly scopes: readonly string[];
	readonly stepUps: number;
};

export function sealTokens(
	vault: Vault,
	place: ConnectionPlace,
	tokens: Tokens,
): Uint8Array {
	return vault.seal(tokensPlace(place), JSON.stringify(tokens));
}

export function openTokens(vault: Vault, connection: Connection): Tokens {
	return JSON.parse(
		vault.open(tokensPlace(connection), connection.tokens),
	) as Tokens;
}

export function sealServiceSecret(
	vault: Vault,
	serverId: string,
	version: number,
	secret: string,
): Uint8Array {
	return vault.seal(servicePlace(serverId, version), secret);
}

export function openServiceSecret(
	vault: Vault,
	{ serverId, version, secret }: Service,
): string | null {
	return secret && vault.open(servicePlace(serverId, version), secret);
}

export function sealRegistrationSecret(
	vault: Vault,
	registration: Omit<Registration, "secret">,
	secret: string,
): Uint8Array {
	return vault.seal(registrationPlace(registration), secret);
}

export function openRegistrationSecret(
	vault: Vault,
	registration: Registration,
): string | null {
	return (
		registration.secret &&
		vault.open(registrationPlace(registration), registration.secret)
	);
}

export function sealSignIn(
	vault: Vault,
	place: Pick<SignIn, "stateHash" | "userId" | "serverId">,
	request: SignInRequest,
): Uint8Array {
	return vault.seal(signInPlace(place), JSON.stringify(request));
}

export function openSignIn(vault: Vault, signIn: SignIn): SignInRequest {
	return JSON.parse(
		vault.open(signInPlace(signIn), signIn.request),
	) as SignInRequest;
}

/** Where the tokens of a connection live. */
export function tokensPlace({ id, userId, version }: ConnectionPlace): Place {
	return {
		table: "connections",
		column: "tokens_sealed",
		row: id,
		owner: userId,
		version,
	};
}

/** Where a client's secret lives, that an administrator gave. */
export function servicePlace(serverId: string, version: number): Place {
	return {
		table: "services",
		column: "secret_sealed",
		row: serverId,
		owner: SERVICE_OWNER,
		version,
	};
}

/** Bound to its issuer: the secret that one gave does not open for another. */
export function registrationPlace({
	serverId,
	issuer,
	version,
}: Pick<Registration, "serverId" | "issuer" | "version">): Place {
	return {
		table: "registrations",
		column: "secret_sealed",
		row: serverId,
		owner: issuer,
		version,
	};
}

/** Where a request under way lives. */
export function signInPlace({
	stateHash,
	userId,
	serverId,
}: Pick<SignIn, "stateHash" | "userId" | "serverId">): Place {
	return {
		table: "sign_ins",
		column: "request_sealed",
		row: `${serverId} ${Buffer.from(stateHash).toString("base64url")}`,
		owner: userId,
		version: 1,
	};
}
