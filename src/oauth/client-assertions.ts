/**
 * A client that proves itself with a signature of its own key: `private_key_jwt`, for clients that an administrator
 * made with their public keys. An assertion is short-lived, meant for us, and good once: what was seen is remembered
 * until it would have ended anyway.
 *
 * @see RFC 7523 2.2 and 3, OpenID Connect Core 1.0 9
 */
import { createHash } from "node:crypto";
import { createLocalJWKSet, errors, type JSONWebKeySet, jwtVerify } from "jose";
import type { Clock } from "../clock.ts";
import type { Client } from "../store/clients.ts";

export const ASSERTION_ALGORITHMS: readonly string[] = [
	"ES256",
	"ES384",
	"EdDSA",
	"PS256",
	"RS256",
];

const ASSERTION_LENGTH_MAX = 4096;
const LIFETIME_SECONDS_MAX = 300;
const SKEW_SECONDS = 30;
const SEEN_MAX = 10_000;

export type Assertions = {
	/** Whether the client signed this, now, for us, and for the first time. */
	readonly isProof: (client: Client, assertion: string) => Promise<boolean>;
};

/** The assertions one process has seen. @param audiences the names by which we are meant: the issuer, the endpoint */
export function createAssertions(
	clock: Clock,
	audiences: readonly string[],
): Assertions {
	const seen = new Map<string, number>();

	/** Returns whether it is new. Full of living ones, nothing is new: better refused than replayed. */
	function remember(id: string, until: number, now: number): boolean {
		if (seen.size >= SEEN_MAX)
			for (const [known, end] of seen) if (end <= now) seen.delete(known);
		if (seen.has(id) || seen.size >= SEEN_MAX) return false;
		seen.set(id, until);
		return true;
	}

	return {
		isProof: async (client, assertion) => {
			if (client.jwks === null || assertion.length > ASSERTION_LENGTH_MAX)
				return false;
			const now = clock.now();
			try {
				const keys = JSON.parse(client.jwks) as JSONWebKeySet;
				const { payload } = await jwtVerify(
					assertion,
					createLocalJWKSet(keys),
					{
						algorithms: [...ASSERTION_ALGORITHMS],
						issuer: client.id,
						subject: client.id,
						audience: [...audiences],
						requiredClaims: ["exp", "jti"],
						clockTolerance: SKEW_SECONDS,
						currentDate: new Date(now * 1000),
					},
				);
				const { exp = 0, jti = "" } = payload;
				if (jti === "" || exp > now + LIFETIME_SECONDS_MAX) return false;
				const id = createHash("sha256")
					.update(`${client.id}\n${jti}`)
					.digest("base64url");
				return remember(id, exp + SKEW_SECONDS, now);
			} catch (error) {
				if (error instanceof errors.JOSEError) return false;
				throw error;
			}
		},
	};
}
