/** Private keys as the store keeps them: sealed, each bound to its row. Keys of users' secrets are none of these. */
import type { Place, Vault } from "../vault.ts";

type KeyTable = "certificates" | "acme_accounts";

/** Seals a private key in PEM for its row. */
export function sealKey(
	vault: Vault,
	table: KeyTable,
	row: string,
	key: string,
): Uint8Array {
	return vault.seal(keyPlace(table, row), key);
}

/** Opens what `sealKey` sealed for the same row. */
export function openKey(
	vault: Vault,
	table: KeyTable,
	row: string,
	sealed: Uint8Array,
): string {
	return vault.open(keyPlace(table, row), sealed);
}

/** Where the sealed key of a row lives. */
export function keyPlace(table: KeyTable, row: string): Place {
	return { table, column: "key_sealed", row, owner: "gateway", version: 1 };
}
