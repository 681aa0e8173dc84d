/**
 * Two rotations that have nothing to do with each other. `rotateDataKey` seals everything that is stored with a fresh
 * key and forgets the former one; `replaceMasterKey` wraps the keys by another master key and seals nothing anew. Both
 * need the data to themselves, and end as if nothing had happened when they are interrupted.
 */

import { PROVIDER_SECRET_PLACE } from "../people/provider.ts";
import { totpPlace } from "../people/totp.ts";
import { checkpoint, type Database, transaction } from "../store/database.ts";
import { listKeyring, putKeyring } from "../store/instance.ts";
import {
	resealTable,
	SEALED_COLUMNS,
	type SealedRow,
	type SealedTable,
} from "../store/sealed.ts";
import { keyPlace } from "../tls/sealed-keys.ts";
import { secretPlace } from "../upstream/credentials.ts";
import {
	registrationPlace,
	servicePlace,
	signInPlace,
	tokensPlace,
} from "../upstream/sealed-tokens.ts";
import type { Place } from "../vault.ts";
import {
	openVault,
	readKek,
	replaceKek,
	rewrapKeyring,
	withFreshDataKey,
	withoutFormerKeys,
} from "../vault.ts";

/** Where a row's sealed value lives, in the words of whoever seals it. */
const PLACES: Readonly<Record<SealedTable, (row: SealedRow) => Place>> = {
	secrets: ({ id, owner, version }) =>
		secretPlace({
			id: String(id),
			owner: String(owner),
			version: Number(version),
		}),
	totp: ({ user_id }) => totpPlace(String(user_id)),
	certificates: ({ fingerprint }) =>
		keyPlace("certificates", String(fingerprint)),
	identity_provider: () => PROVIDER_SECRET_PLACE,
	services: ({ server_id, version }) =>
		servicePlace(String(server_id), Number(version)),
	registrations: ({ server_id, issuer, version }) =>
		registrationPlace({
			serverId: String(server_id),
			issuer: String(issuer),
			version: Number(version),
		}),
	sign_ins: ({ state_hash, user_id, server_id }) =>
		signInPlace({
			stateHash: state_hash as Uint8Array,
			userId: String(user_id),
			serverId: String(server_id),
		}),
	connections: ({ id, user_id, version }) =>
		tokensPlace({
			id: String(id),
			userId: String(user_id),
			version: Number(version),
		}),
	acme_accounts: ({ directory }) =>
		keyPlace("acme_accounts", String(directory)),
};

export type Rotation = {
	readonly keyId: number;
	/** How many values were sealed anew. */
	readonly resealed: number;
};

/**
 * Seals everything with a fresh data key, all or nothing.
 * @throws SallyportError `invalid` when the master key is not this database's, `internal` when a value does not open
 */
export function rotateDataKey(
	db: Database,
	kekFile: string,
	now: number,
): Rotation {
	const kek = readKek(kekFile);
	return transaction(db, () => {
		const keyring = withFreshDataKey(kek, listKeyring(db), now);
		const vault = openVault(kek, keyring);
		let resealed = 0;
		for (const table of Object.keys(SEALED_COLUMNS) as SealedTable[])
			resealed += resealTable(db, table, (row, sealed) => {
				const place = PLACES[table](row);
				return vault.seal(place, vault.open(place, sealed));
			});
		putKeyring(db, withoutFormerKeys(keyring));
		return { keyId: Math.max(...keyring.map((key) => key.keyId)), resealed };
	});
}

/** Makes a new master key in the file of the present one, and wraps the keyring by it. */
export function replaceMasterKey(db: Database, kekFile: string): void {
	replaceKek(kekFile, (from, to) => {
		putKeyring(db, rewrapKeyring(from, to, listKeyring(db)));
		// On disk before the key that it needs takes the place of the one that it no longer does.
		checkpoint(db);
	});
}
