/** The gateway's accounts at certificate authorities, one for each ACME directory. Keys come and go sealed. */
import type { Database } from "./database.ts";

export type AcmeAccount = {
	/** The directory's URL. */
	readonly directory: string;
	/** The account's own URL at that CA. */
	readonly url: string;
	readonly keySealed: Uint8Array;
	readonly createdAt: number;
};

/** The account at this directory, or null. */
export function findAcmeAccount(
	db: Database,
	directory: string,
): AcmeAccount | null {
	return db
		.query<AcmeAccount, [string]>(
			`SELECT directory, url, key_sealed AS keySealed, created_at AS createdAt
			 FROM acme_accounts WHERE directory = ?`,
		)
		.get(directory);
}

/** Keeps the account at its directory, in place of any other. */
export function setAcmeAccount(db: Database, account: AcmeAccount): void {
	db.query(
		`INSERT INTO acme_accounts (directory, url, key_sealed, created_at)
		 VALUES ($directory, $url, $keySealed, $createdAt)
		 ON CONFLICT (directory) DO UPDATE SET
			url = excluded.url, key_sealed = excluded.key_sealed, created_at = excluded.created_at`,
	).run(account);
}

/** Forgets the account at this directory. */
export function deleteAcmeAccount(db: Database, directory: string): void {
	db.query("DELETE FROM acme_accounts WHERE directory = ?").run(directory);
}
