/**
 * One-time links: to set up a gateway that has no owner, and to accept an invitation.
 * Only keyed hashes of the links' credentials are here; using one deletes it.
 */
import { type Database, transaction } from "./database.ts";

export type InviteKind = "setup" | "invite";

type Invite = {
	readonly kind: InviteKind;
	/** Whom an invitation is for; null for a setup link. */
	readonly userId: string | null;
	readonly expiresAt: number;
};

/** Keeps a new link. It replaces the earlier ones of its kind for the same person: the last link shown is the good one. */
export function createInvite(
	db: Database,
	hash: Uint8Array,
	invite: Invite,
	now: number,
): void {
	transaction(db, () => {
		db.query("DELETE FROM invites WHERE kind = ? AND user_id IS ?").run(
			invite.kind,
			invite.userId,
		);
		db.query(
			"INSERT INTO invites (hash, kind, user_id, expires_at, created_at) VALUES (?, ?, ?, ?, ?)",
		).run(hash, invite.kind, invite.userId, invite.expiresAt, now);
	});
}

/** The link of this hash and kind if it still works, or null. */
export function findInvite(
	db: Database,
	hash: Uint8Array,
	kind: InviteKind,
	now: number,
): Invite | null {
	return db
		.query<Invite, [Uint8Array, InviteKind, number]>(
			`SELECT kind, user_id AS userId, expires_at AS expiresAt FROM invites
			 WHERE hash = ? AND kind = ? AND expires_at > ?`,
		)
		.get(hash, kind, now);
}

/** Uses a link up: gives it to exactly one caller, null to all others. */
export function consumeInvite(
	db: Database,
	hash: Uint8Array,
	kind: InviteKind,
	now: number,
): Invite | null {
	return db
		.query<Invite, [Uint8Array, InviteKind, number]>(
			`DELETE FROM invites WHERE hash = ? AND kind = ? AND expires_at > ?
			 RETURNING kind, user_id AS userId, expires_at AS expiresAt`,
		)
		.get(hash, kind, now);
}

/** Ends the links for a user. */
export function deleteInvitesOf(db: Database, userId: string): void {
	db.query("DELETE FROM invites WHERE user_id = ?").run(userId);
}

/** Removes the links that no longer work. */
export function deleteExpiredInvites(db: Database, now: number): void {
	db.query("DELETE FROM invites WHERE expires_at <= ?").run(now);
}
