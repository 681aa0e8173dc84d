/** Private keys as the store keeps them: sealed, each bound to its row. Keys of users' secrets are none of these. */
import type { Vault } from "../vault.ts";

type KeyTable = "certificates" | "acme_accounts";

/** Seals a private key in PEM for its row. */
export function sealKey(
	vault: Vault,
	table: KeyTable,
	row: string,
	key: string,
): Uint8Array {
	return vault.seal(place(table, row), key);
}

/** Opens what `sealKey` sealed for the same row. */
export function openKey(
	vault: Vault,
	table: KeyTable,
	row: string,
	sealed: Uint8Array,
): string {
	return vault.open(place(table, row), sealed);
}

function place(table: KeyTable, row: string): Parameters<Vault["seal"]>[0] {
	return { table, column: "key_sealed", row, owner: "gateway", version: 1 };
}
