/**
 * People: who they are, what role they have, and the hash of their password (null until an invitation is accepted).
 * It knows nothing of how a password is hashed or checked. There is at most one owner, and the schema sees to it.
 */
import type { Role } from "../caller.ts";
import { SallyportError } from "../errors.ts";
import { mintId } from "../mint.ts";
import { type Database, transaction } from "./database.ts";

export type User = {
	readonly id: string;
	readonly email: string;
	readonly role: Role;
	readonly disabledAt: number | null;
	readonly createdAt: number;
};

const COLUMNS =
	"id, email, role, disabled_at AS disabledAt, created_at AS createdAt";
/** RFC 5321 4.5.3.1.3: a path is at most 256 octets, two of them its brackets. */
const EMAIL_LENGTH_MAX = 254;
const EMAIL = /^[^\s@\p{C}]{1,64}@[^\s@\p{C}]+$/u;

/** An e-mail address as we keep it: trimmed, lower case. @throws SallyportError `invalid` */
export function parseEmail(text: string): string {
	const email = text.trim().toLowerCase();
	if (email.length > EMAIL_LENGTH_MAX || !EMAIL.test(email))
		throw new SallyportError("invalid", "this is not an e-mail address", {
			hint: "give an address such as ada@example.org",
		});
	return email;
}

/** Adds a user. @throws SallyportError `conflict` when the address is taken or there is an owner already */
export function createUser(
	db: Database,
	fields: {
		readonly email: string;
		readonly role: Role;
		readonly passwordHash: string | null;
	},
	now: number,
): User {
	const email = parseEmail(fields.email);
	return transaction(db, () => {
		if (findUserByEmail(db, email))
			throw new SallyportError("conflict", `there is a user ${email} already`, {
				hint: "see them with: sallyport users list",
			});
		if (fields.role === "owner" && hasOwner(db))
			throw new SallyportError("conflict", "this gateway has an owner", {
				hint: "sign in, or reset the password with: sallyport users reset-password",
			});
		const id = mintId("usr");
		db.query(
			"INSERT INTO users (id, email, role, password_hash, created_at) VALUES (?, ?, ?, ?, ?)",
		).run(id, email, fields.role, fields.passwordHash, now);
		return requireUser(db, id);
	});
}

/** The user of this id, or null. */
export function findUser(db: Database, id: string): User | null {
	return db
		.query<User, [string]>(`SELECT ${COLUMNS} FROM users WHERE id = ?`)
		.get(id);
}

/** The user of this id. @throws SallyportError `not_found` */
export function requireUser(db: Database, id: string): User {
	const user = findUser(db, id);
	if (!user)
		throw new SallyportError("not_found", `there is no user ${id}`, {
			hint: "see them with: sallyport users list",
		});
	return user;
}

/** The user of this address in any spelling of case, or null. */
export function findUserByEmail(db: Database, email: string): User | null {
	return db
		.query<User, [string]>(`SELECT ${COLUMNS} FROM users WHERE email = ?`)
		.get(email.trim().toLowerCase());
}

/** The user of that e-mail address. @throws SallyportError `not_found` */
export function requireUserByEmail(db: Database, email: string): User {
	const user = findUserByEmail(db, email);
	if (!user)
		throw new SallyportError("not_found", "there is no user of that address", {
			hint: "see them with: sallyport users list",
		});
	return user;
}

/** Everyone, oldest first. */
export function listUsers(db: Database): readonly User[] {
	return db
		.query<User, []>(`SELECT ${COLUMNS} FROM users ORDER BY created_at, email`)
		.all();
}

/** Whether the gateway has been claimed. */
export function hasOwner(db: Database): boolean {
	return (
		db.query("SELECT 1 FROM users WHERE role = 'owner' LIMIT 1").get() !== null
	);
}

/** The hash of the password that lets this user sign in; null when there is none or the user is disabled. */
export function findPasswordHash(db: Database, userId: string): string | null {
	return (
		db
			.query<{ hash: string | null }, [string]>(
				"SELECT password_hash AS hash FROM users WHERE id = ? AND disabled_at IS NULL",
			)
			.get(userId)?.hash ?? null
	);
}

/** Sets the password's hash; null: no password signs in. @throws SallyportError `not_found` */
export function setPassword(
	db: Database,
	userId: string,
	passwordHash: string | null,
): void {
	requireUser(db, userId);
	db.query("UPDATE users SET password_hash = ? WHERE id = ?").run(
		passwordHash,
		userId,
	);
}

/** Sets the role of someone who is not the owner, to anything but that. */
export function setRole(
	db: Database,
	userId: string,
	role: "admin" | "member",
): void {
	db.query("UPDATE users SET role = ? WHERE id = ? AND role <> 'owner'").run(
		role,
		userId,
	);
}

/** Makes a user the owner, and the owner an administrator. Returns who was it, or null when nobody or they were. */
export function handOver(db: Database, userId: string): string | null {
	return transaction(db, () => {
		const former = db
			.query<{ id: string }, [string]>(
				"UPDATE users SET role = 'admin' WHERE role = 'owner' AND id <> ? RETURNING id",
			)
			.get(userId);
		db.query("UPDATE users SET role = 'owner' WHERE id = ?").run(userId);
		return former?.id ?? null;
	});
}

/** Keeps a user out since an instant, or lets them in again. */
export function setDisabled(
	db: Database,
	userId: string,
	disabledAt: number | null,
): void {
	db.query("UPDATE users SET disabled_at = ? WHERE id = ?").run(
		disabledAt,
		userId,
	);
}

/** Removes a user with everything that is theirs. */
export function deleteUser(db: Database, userId: string): void {
	db.query("DELETE FROM users WHERE id = ?").run(userId);
}
