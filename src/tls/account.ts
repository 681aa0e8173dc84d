/**
 * The account at a CA: one for each directory, its key sealed in the store. A CA that has lost the account, or closed
 * it, is given a new one with a new key.
 *
 * @see RFC 8555 7.3 (account creation), 7.3.4 (external account binding)
 */
import type { Clock } from "../clock.ts";
import {
	deleteAcmeAccount,
	findAcmeAccount,
	setAcmeAccount,
} from "../store/acme-accounts.ts";
import type { Database } from "../store/database.ts";
import type { Vault } from "../vault.ts";
import { ownProblem } from "./acme-problem.ts";
import type { Sender, Transport } from "./acme-transport.ts";
import { openKey, sealKey } from "./sealed-keys.ts";
import { type AccountBinding, createKey, createSigner } from "./signing.ts";

/** An account that may order: who signs, and by which URL. */
export type Account = Sender & { readonly accountUrl: string };

export type AccountWish = {
	readonly email: string | null;
	readonly binding: AccountBinding | null;
};

/** The account at this directory; created, and kept, when there is none yet. @throws AcmeError */
export async function requireAccount(
	deps: { readonly db: Database; readonly vault: Vault; readonly clock: Clock },
	transport: Transport,
	directoryUrl: string,
	wish: AccountWish,
): Promise<Account> {
	const { db, vault } = deps;
	const row = findAcmeAccount(db, directoryUrl);
	if (row) {
		const key = openKey(vault, "acme_accounts", directoryUrl, row.keySealed);
		return { signer: await createSigner(key), accountUrl: row.url };
	}
	const key = await createKey();
	const account = await createAccount(transport, key, wish);
	setAcmeAccount(db, {
		directory: directoryUrl,
		url: account.accountUrl,
		keySealed: sealKey(vault, "acme_accounts", directoryUrl, key),
		createdAt: deps.clock.now(),
	});
	return account;
}

/** Forgets an account that its CA no longer knows; the next order makes another. */
export function forgetAccount(db: Database, directoryUrl: string): void {
	deleteAcmeAccount(db, directoryUrl);
}

async function createAccount(
	transport: Transport,
	key: string,
	wish: AccountWish,
): Promise<Account> {
	const { newAccount } = await transport.directory();
	const signer = await createSigner(key);
	const { location } = await transport.post(
		newAccount,
		{
			termsOfServiceAgreed: true,
			...(wish.email !== null && { contact: [`mailto:${wish.email}`] }),
			...(wish.binding !== null && {
				externalAccountBinding: signer.bind(newAccount, wish.binding),
			}),
		},
		{ signer, accountUrl: null },
	);
	if (location === null)
		throw ownProblem("malformedAnswer", "the CA gave the account no URL");
	return { signer, accountUrl: location };
}
