/**
 * For whom something is asked. It is the actor's own user; an administrator may name another by `username`
 * (contract.md 4), and the admin socket, which is no user, stands for the owner.
 */
import type { Role } from "../caller.ts";
import { SallyportError } from "../errors.ts";
import { may } from "../rights.ts";
import type { Database } from "../store/database.ts";
import {
	findUser,
	findUserByEmail,
	listUsers,
	requireUserByEmail,
} from "../store/users.ts";
import type { Actor } from "./route.ts";

/** A person as the rules need them; `userId` is null over the socket of a gateway that nobody owns yet. */
export type Subject = { readonly userId: string | null; readonly role: Role };

/**
 * The person that a request is for.
 * @throws SallyportError `forbidden` when a member names another, `not_found` for a name nobody has
 */
export function subjectOf(
	db: Database,
	actor: Actor,
	username: string | undefined,
): Subject {
	if (username !== undefined) {
		const named = findUserByEmail(db, username);
		if (named && named.id === actor.userId)
			return { userId: named.id, role: named.role };
		// Before saying whether there is such a user: that too is not a member's to know.
		if (!may(actor.role, "act for others"))
			throw new SallyportError(
				"forbidden",
				"only an administrator may act for someone else",
				{
					hint: "leave out the username",
				},
			);
		const user = requireUserByEmail(db, username);
		return { userId: user.id, role: user.role };
	}
	if (actor.userId !== null) return { userId: actor.userId, role: actor.role };
	const owner = listUsers(db).find((user) => user.role === "owner");
	return { userId: owner?.id ?? null, role: "owner" };
}

/** The person that a request is for, where it must be someone. @throws SallyportError `conflict` before there is an owner */
export function requireSubject(
	db: Database,
	actor: Actor,
	username: string | undefined,
): Subject & { readonly userId: string } {
	const { userId, role } = subjectOf(db, actor, username);
	if (userId === null)
		throw new SallyportError("conflict", "this gateway has no owner yet", {
			hint: "open the link that this prints: sallyport setup-link",
		});
	return { userId, role };
}

/** The address of a user, for people to read; the id when the user is gone. */
export function emailOf(db: Database, userId: string): string {
	return findUser(db, userId)?.email ?? userId;
}
