/**
 * The certificate that is held for a set of names: the newest in the store, or one signed by itself until there is
 * one. Nothing is ever held that does not serve; nothing is thrown away because something better failed to come.
 */
import type { Clock } from "../clock.ts";
import {
	type CertificateRenewal,
	createCertificate,
	findCertificate,
} from "../store/certificates.ts";
import type { Database } from "../store/database.ts";
import { transaction } from "../store/database.ts";
import type { Vault } from "../vault.ts";
import {
	type CertificateFacts,
	type KeyPair,
	readCertificate,
} from "./certificate.ts";
import { type Identifier, namesKey } from "./identifiers.ts";
import type { TlsMaterial } from "./listeners.ts";
import { fractionOf, renewFrom } from "./renewal.ts";
import { openKey, sealKey } from "./sealed-keys.ts";
import { createSelfSigned } from "./self-signed.ts";

export type Held = {
	readonly identifiers: readonly Identifier[];
	/** The set of names as the store keys it. */
	readonly names: string;
	readonly pair: KeyPair;
	readonly facts: CertificateFacts;
	/** The directory that issued it; null: signed by itself. */
	readonly directory: string | null;
	readonly renewal: CertificateRenewal;
};

type HeldDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
};

const UNASKED: CertificateRenewal = {
	windowStart: null,
	windowEnd: null,
	explanationUrl: null,
	pollAt: null,
};

/** The newest certificate of these names; one signed by itself is made, and kept, when there is none. */
export async function requireHeld(
	deps: HeldDeps,
	identifiers: readonly Identifier[],
): Promise<Held> {
	const { db, vault, clock } = deps;
	const names = namesKey(identifiers);
	const row = findCertificate(db, names);
	if (row === null) {
		const pair = await createSelfSigned(identifiers, clock.now());
		return keepHeld(deps, identifiers, pair, null);
	}
	const key = openKey(vault, "certificates", row.fingerprint, row.keySealed);
	return {
		identifiers,
		names,
		pair: { chain: row.chain, key },
		facts: readCertificate(row.chain),
		directory: row.directory,
		renewal: row,
	};
}

/** Keeps a new certificate for these names, its key sealed. @param also what else belongs to the same transaction */
export function keepHeld(
	deps: HeldDeps,
	identifiers: readonly Identifier[],
	pair: KeyPair,
	directory: string | null,
	also: () => void = () => {},
): Held {
	const { db, vault, clock } = deps;
	const facts = readCertificate(pair.chain);
	const names = namesKey(identifiers);
	const keySealed = sealKey(vault, "certificates", facts.fingerprint, pair.key);
	transaction(db, () => {
		createCertificate(db, {
			fingerprint: facts.fingerprint,
			names,
			directory,
			chain: pair.chain,
			keySealed,
			createdAt: clock.now(),
		});
		also();
	});
	return { identifiers, names, pair, facts, directory, renewal: UNASKED };
}

/**
 * What a listener shows. A client that connects to an address names nobody and is shown the first, so a certificate
 * for an address comes first, then one that a CA issued.
 */
export function materialsOf(held: readonly Held[]): readonly TlsMaterial[] {
	const rank = ({ identifiers, directory }: Held): number =>
		(identifiers.some(({ type }) => type === "ip") ? 0 : 2) +
		(directory === null ? 1 : 0);
	const ordered = held.toSorted((a, b) => rank(a) - rank(b));
	const [first] = ordered;
	if (first === undefined) return [];
	const named = ordered.flatMap(({ identifiers, pair }) =>
		identifiers
			.filter(({ type }) => type === "dns")
			.map(({ value }) => ({ serverName: value, ...pair })),
	);
	return [{ serverName: null, ...first.pair }, ...named];
}

/** From when on a certificate is renewed; null: it is signed by itself, so at once. */
export function renewalAt(one: Held): number | null {
	if (one.directory === null) return null;
	const { windowStart: start, windowEnd: end } = one.renewal;
	const window = start !== null && end !== null ? { start, end } : null;
	return renewFrom(one.facts, window, fractionOf(one.facts.fingerprint));
}

/** When its CA is next asked about its renewal; RFC 9773 4.3.3: not after its end, and only the CA that issued it. */
export function pollAt(one: Held, directory: string): number {
	const at = one.renewal.pollAt ?? 0;
	const asks = one.directory === directory && at < one.facts.notAfter;
	return asks ? at : Number.POSITIVE_INFINITY;
}
