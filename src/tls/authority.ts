/**
 * Certificate authorities: where their directories are, and which of them has a staging one. Data, and how the
 * gateway presents itself to one.
 */
import type { AccountBinding } from "./signing.ts";

export type Authority = {
	/** The URL of its ACME directory. */
	readonly directory: string;
	/** Its directory for rehearsals, whose certificates nobody trusts; null: it has none. */
	readonly staging: string | null;
	/** The profile to ask for; null: the one that fits the names. */
	readonly profile: string | null;
	readonly email: string | null;
	readonly binding: AccountBinding | null;
};

const LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory";

const STAGING: ReadonlyMap<string, string> = new Map([
	[LETS_ENCRYPT, "https://acme-staging-v02.api.letsencrypt.org/directory"],
	[
		"https://dv.acme-v02.api.pki.goog/directory",
		"https://dv.acme-v02.test-api.pki.goog/directory",
	],
]);

/** How an authority calls itself in CAA records (RFC 8659 4.2), by its directory. */
const CAA_IDENTITY: ReadonlyMap<string, string> = new Map([
	[LETS_ENCRYPT, "letsencrypt.org"],
	["https://dv.acme-v02.api.pki.goog/directory", "pki.goog"],
	["https://acme.zerossl.com/v2/DV90", "sectigo.com"],
]);

/** How this authority calls itself in CAA records; null: not known. */
export function caaIdentityOf({ directory }: Authority): string | null {
	return CAA_IDENTITY.get(directory) ?? null;
}

/** An authority by its directory; Let's Encrypt when none is named. */
export function authorityOf(options: Partial<Authority>): Authority {
	const directory = options.directory ?? LETS_ENCRYPT;
	return {
		directory,
		staging: options.staging ?? STAGING.get(directory) ?? null,
		profile: options.profile ?? null,
		email: options.email ?? null,
		binding: options.binding ?? null,
	};
}
