/**
 * The only place where a Secret is sealed or opened: (server, user) to environment variables and headers.
 *
 * A server with a personal slot is used under the user's own identity and never under another's; any other is shared.
 * Values are opened when a connection or a process begins, and are dropped with it.
 */
import { SallyportError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import {
	listSecrets,
	type SecretPlace,
	type SecretRow,
	SHARED,
	setSecret as storeSecret,
} from "../store/secrets.ts";
import { findService } from "../store/server-services.ts";
import type { Server, Slot } from "../store/servers.ts";
import type { Place, Vault } from "../vault.ts";

export type Credentials = {
	/** `shared`, or the id of the user whose secrets these are. */
	readonly identity: string;
	readonly env: Readonly<Record<string, string>>;
	readonly headers: Readonly<Record<string, string>>;
	/** The slots that must have a value and have none. */
	readonly missing: readonly string[];
};

const VALUE_BYTES_MAX = 64 * 1024;
/** RFC 9110 5.5, without obs-text: what every HTTP stack takes. */
const HEADER_VALUE = /^[\x20-\x7e\t]*$/;

/** Whose credentials a user's calls to this server carry. */
export function identityFor(server: Server, userId: string): string {
	return server.signsIn || server.slots.some((slot) => slot.personal)
		? userId
		: SHARED;
}

/** The slots of this server that must have a value for this identity and have none. Opens nothing. */
export function missingSlots(
	db: Database,
	server: Server,
	identity: string,
): readonly string[] {
	if (server.slots.every((slot) => slot.optional)) return [];
	const rows = listSecrets(db, server.id);
	// What a sign-in fills is asked for by signing in.
	const filled = server.signsIn ? findService(db, server.id)?.slot : null;
	return server.slots
		.filter(
			(slot) =>
				!slot.optional && slot.name !== filled && !rowFor(rows, slot, identity),
		)
		.map((slot) => slot.name);
}

/**
 * Opens what this identity's calls to the server carry.
 * @param token what a sign-in fills a slot with
 */
export function credentialsFor(
	db: Database,
	vault: Vault,
	server: Server,
	identity: string,
	token: { readonly slot: string; readonly token: string } | null = null,
): Credentials {
	const env: Record<string, string> = {};
	const headers: Record<string, string> = {};
	const missing: string[] = [];
	const rows = listSecrets(db, server.id);
	for (const slot of server.slots) {
		const row = rowFor(rows, slot, identity);
		const filled = token?.slot === slot.name ? token.token : null;
		if (filled === null && !row) {
			if (!slot.optional) missing.push(slot.name);
			continue;
		}
		const value =
			filled ?? (row ? vault.open(secretPlace(row), row.sealed) : "");
		if (slot.injection === "env") env[slot.target] = value;
		else headers[slot.target] = value;
	}
	return { identity, env, headers, missing };
}

/**
 * Seals a value into its slot for one owner.
 * @param secret.owner `shared` for a shared slot, a user's id for a personal one
 * @throws SallyportError `not_found` (slot, user), `invalid` (value, or an owner that does not fit the slot)
 */
export function setSecret(
	db: Database,
	vault: Vault,
	secret: {
		readonly server: Server;
		readonly slot: Slot;
		readonly owner: string;
		readonly value: string;
	},
	now: number,
): SecretRow {
	const { server, slot, owner, value } = secret;
	refuseUnfit(slot, owner, value);
	return storeSecret(
		db,
		{ serverId: server.id, slot: slot.name, owner },
		now,
		(place) => vault.seal(secretPlace(place), value),
	);
}

function rowFor(
	rows: readonly SecretRow[],
	slot: Slot,
	identity: string,
): SecretRow | undefined {
	const owner = slot.personal ? identity : SHARED;
	return rows.find((row) => row.slot === slot.name && row.owner === owner);
}

/** Where the sealed value of a secret lives. */
export function secretPlace({ id, owner, version }: SecretPlace): Place {
	return { table: "secrets", column: "sealed", row: id, owner, version };
}

function refuseUnfit(slot: Slot, owner: string, value: string): void {
	if (slot.personal !== (owner !== SHARED))
		throw new SallyportError(
			"invalid",
			slot.personal
				? `${slot.name} is personal: each user has their own`
				: `${slot.name} is shared: it has one value for everybody`,
			{ hint: slot.personal ? "name the user" : "set it without a user" },
		);
	if (value === "")
		throw new SallyportError("invalid", "the secret is empty", {
			hint: "clear it instead, or send its value on standard input",
		});
	if (Buffer.byteLength(value) > VALUE_BYTES_MAX)
		throw new SallyportError(
			"invalid",
			`the secret is longer than ${VALUE_BYTES_MAX} bytes`,
		);
	if (value.includes("\0") || !value.isWellFormed())
		throw new SallyportError("invalid", "the secret is not text");
	if (slot.injection === "header" && !HEADER_VALUE.test(value))
		throw new SallyportError(
			"invalid",
			"the secret has a character that cannot be sent in a header",
			{ hint: "look for a line break at its end" },
		);
}
