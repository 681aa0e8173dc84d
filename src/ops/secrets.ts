/**
 * Setting and clearing the value of a slot, from the API and from a person's page alike: with its line in the audit
 * trail, and with an end to whatever runs with the old value.
 */
import { SallyportError } from "../errors.ts";
import { recordAudit } from "../store/audit.ts";
import { type Database, transaction } from "../store/database.ts";
import { deleteSecret } from "../store/secrets.ts";
import type { Server, Slot } from "../store/servers.ts";
import { setSecret } from "../upstream/credentials.ts";
import type { Upstreams } from "../upstream/upstream.ts";
import type { Vault } from "../vault.ts";

export type SecretDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly upstreams: Pick<Upstreams, "drop">;
	/** A user can use a server now who could not before. */
	readonly onSecret: (serverId: string, userId: string) => void;
};

/** A slot of a server, and whose value of it: `shared`, or a user's id. */
export type SecretOf = {
	readonly server: Server;
	readonly slot: Slot;
	readonly owner: string;
};

/** Seals a value into its slot. @throws SallyportError as `setSecret` does */
export async function putSecret(
	deps: SecretDeps,
	of: SecretOf,
	value: string,
	actor: string,
	now: number,
): Promise<void> {
	transaction(deps.db, () => {
		setSecret(deps.db, deps.vault, { ...of, value }, now);
		audit(deps, "secret.set", of, actor, now);
	});
	await changed(deps, of);
	deps.onSecret(of.server.id, of.owner);
}

/** Forgets the value of a slot. @throws SallyportError `not_found` when there is none */
export async function clearSecret(
	deps: SecretDeps,
	of: SecretOf,
	actor: string,
	now: number,
): Promise<void> {
	const { server, slot, owner } = of;
	transaction(deps.db, () => {
		if (!deleteSecret(deps.db, server.id, slot.name, owner))
			throw new SallyportError(
				"not_found",
				`the slot ${slot.name} of ${server.slug} has no value`,
				{
					hint: `see them with: sallyport secrets list ${server.slug}`,
				},
			);
		audit(deps, "secret.delete", of, actor, now);
	});
	await changed(deps, of);
}

function changed(
	{ upstreams }: SecretDeps,
	{ server, slot, owner }: SecretOf,
): Promise<void> {
	return upstreams.drop(server.id, slot.personal ? owner : undefined);
}

function audit(
	{ db }: SecretDeps,
	action: string,
	{ server, slot, owner }: SecretOf,
	actor: string,
	now: number,
): void {
	recordAudit(
		db,
		{ actor, action, object: `${server.slug}/${slot.name}`, detail: owner },
		now,
	);
}
