/**
 * Every column that holds what the vault sealed, for whoever seals it all anew. What stands in one is bytes here, and
 * no two are the same: each was sealed with a nonce of its own.
 */
import type { Database } from "./database.ts";

/** The columns, by their tables. What a token's own holder opens (`successor_sealed`, `answer_sealed`) is none of these. */
export const SEALED_COLUMNS = {
	secrets: "sealed",
	totp: "sealed",
	certificates: "key_sealed",
	acme_accounts: "key_sealed",
	identity_provider: "secret_sealed",
	services: "secret_sealed",
	registrations: "secret_sealed",
	sign_ins: "request_sealed",
	connections: "tokens_sealed",
} as const;

export type SealedTable = keyof typeof SEALED_COLUMNS;

/** A row as it stands, by the names of its columns. */
export type SealedRow = Readonly<Record<string, unknown>>;

/** Seals every value of a table anew. Within the caller's transaction. @returns how many there were */
export function resealTable(
	db: Database,
	table: SealedTable,
	reseal: (row: SealedRow, sealed: Uint8Array) => Uint8Array,
): number {
	const column = SEALED_COLUMNS[table];
	const rows = db
		.query<SealedRow, []>(`SELECT * FROM ${table} WHERE ${column} IS NOT NULL`)
		.all();
	const put = db.query(`UPDATE ${table} SET ${column} = ? WHERE ${column} = ?`);
	for (const row of rows) {
		const sealed = row[column] as Uint8Array;
		put.run(reseal(row, sealed), sealed);
	}
	return rows.length;
}
