/**
 * Certificates of the gateway: chains in clear, keys sealed, and when the CA suggests to renew each. A set of names
 * is one text; its newest certificate is the one that counts, a few older ones stay behind it.
 */
import type { Database } from "./database.ts";

export type Certificate = {
	/** SHA-256 of the leaf, 64 hexadecimal digits. */
	readonly fingerprint: string;
	readonly names: string;
	/** The ACME directory that issued it; null: signed by itself. */
	readonly directory: string | null;
	/** The chain in PEM, leaf first, as the CA sent it. */
	readonly chain: string;
	readonly keySealed: Uint8Array;
	readonly createdAt: number;
};

/** What the CA last said of a certificate's renewal (RFC 9773). */
export type CertificateRenewal = {
	readonly windowStart: number | null;
	readonly windowEnd: number | null;
	readonly explanationUrl: string | null;
	/** When to ask again; null: never asked. */
	readonly pollAt: number | null;
};

const CERTIFICATES_KEPT_MAX = 3;

/** Keeps a certificate as the newest of its names, and of the older ones the last few. */
export function createCertificate(
	db: Database,
	certificate: Certificate,
): void {
	db.query(
		`INSERT INTO certificates (fingerprint, names, directory, chain, key_sealed, created_at)
		 VALUES ($fingerprint, $names, $directory, $chain, $keySealed, $createdAt)`,
	).run(certificate);
	db.query(
		`DELETE FROM certificates WHERE id IN (
			SELECT id FROM certificates WHERE names = +? ORDER BY id DESC LIMIT -1 OFFSET ?)`,
	).run(certificate.names, CERTIFICATES_KEPT_MAX);
}

/** The newest certificate of this set of names, or null. */
export function findCertificate(
	db: Database,
	names: string,
): (Certificate & CertificateRenewal) | null {
	return db
		.query<Certificate & CertificateRenewal, [string]>(
			`SELECT fingerprint, names, directory, chain, key_sealed AS keySealed, created_at AS createdAt,
			        window_start AS windowStart, window_end AS windowEnd, explanation_url AS explanationUrl,
			        poll_at AS pollAt
			 FROM certificates WHERE names = +? ORDER BY id DESC LIMIT 1`,
		)
		.get(names);
}

/** Notes what the CA says of a certificate's renewal. */
export function updateRenewal(
	db: Database,
	fingerprint: string,
	renewal: CertificateRenewal,
): void {
	db.query(
		`UPDATE certificates SET window_start = $windowStart, window_end = $windowEnd,
			explanation_url = $explanationUrl, poll_at = $pollAt
		 WHERE fingerprint = $fingerprint`,
	).run({ fingerprint, ...renewal });
}
