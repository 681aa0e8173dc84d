/**
 * What a person is told of their own account: that someone guesses at it, that a second factor came or went. There is
 * no mail; a notice waits on their account page until they put it away.
 */
import { type Database, transaction } from "./database.ts";

export type NoticeKind =
	| "sign-ins slowed"
	| "codes slowed"
	| "password changed"
	| "second factors reset"
	| "app added"
	| "app removed"
	| "passkey added"
	| "passkey removed"
	| "passkey counter went back"
	| "recovery codes made"
	| "recovery code used"
	| "account linked"
	| "account unlinked"
	| "connection lost";

export type Notice = {
	readonly id: number;
	readonly at: number;
	readonly kind: NoticeKind;
	/** An address, or a name. */
	readonly detail: string;
};

const NOTICES_OF_USER_MAX = 50;

/** Tells a user something; once in `onceIn` seconds for notices that could come in floods. */
export function addNotice(
	db: Database,
	userId: string,
	notice: { readonly kind: NoticeKind; readonly detail: string },
	now: number,
	onceIn = 0,
): void {
	transaction(db, () => {
		const recent = db
			.query<unknown, [string, string, number]>(
				"SELECT 1 FROM notices WHERE user_id = ? AND kind = ? AND at > ?",
			)
			.get(userId, notice.kind, now - onceIn);
		if (recent !== null && onceIn > 0) return;
		db.query(
			"INSERT INTO notices (user_id, at, kind, detail) VALUES (?, ?, ?, ?)",
		).run(userId, now, notice.kind, notice.detail);
		db.query(
			`DELETE FROM notices WHERE id IN (
				SELECT id FROM notices WHERE user_id = +? ORDER BY id DESC LIMIT -1 OFFSET ?)`,
		).run(userId, NOTICES_OF_USER_MAX);
	});
}

/** What a user was told and has not put away, the newest first. */
export function listNotices(db: Database, userId: string): readonly Notice[] {
	return db
		.query<Notice, [string]>(
			"SELECT id, at, kind, detail FROM notices WHERE user_id = +? ORDER BY id DESC",
		)
		.all(userId);
}

/** Puts away what a user was told, up to the notice they saw last. */
export function deleteNotices(
	db: Database,
	userId: string,
	upTo: number,
): void {
	db.query("DELETE FROM notices WHERE user_id = ? AND id <= ?").run(
		userId,
		upTo,
	);
}
