/** `/api/users`: the people who may sign in. A user without a password gets a link to choose one. */
import * as z from "zod";
import { SallyportError } from "../errors.ts";
import { createInvite } from "../ops/setup.ts";
import { recordAudit } from "../store/audit.ts";
import { transaction } from "../store/database.ts";
import {
	createUser,
	findPasswordHash,
	listUsers,
	type User,
} from "../store/users.ts";
import { readBody } from "./body.ts";
import {
	type Answer,
	type ApiDeps,
	type Ask,
	actorName,
	type Route,
} from "./route.ts";
import { emailField } from "./server-body.ts";

/** A user as the API shows them. `invited`: no password yet. */
export type UserView = {
	readonly id: string;
	readonly email: string;
	readonly role: User["role"];
	readonly status: "active" | "invited" | "disabled";
	readonly createdAt: number;
};

const NewUser = z.strictObject({
	email: emailField,
	role: z
		.enum(["admin", "member"], {
			error:
				"must be admin or member: the owner is made by init or the setup link",
		})
		.optional(),
	password: z.string().optional(),
});

/** Routes of users. */
export const userRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/users", who: "admins", run: list },
	{ method: "POST", path: "/api/users", who: "admins", run: add },
];

function list({ deps }: Ask): Answer {
	return {
		body: { users: listUsers(deps.db).map((user) => viewUser(deps, user)) },
	};
}

async function add(ask: Ask): Promise<Answer> {
	const { deps, actor, request } = ask;
	const {
		email,
		role = "member",
		password,
	} = (await readBody(request, NewUser)).value;
	if (role === "admin" && actor.role !== "owner")
		throw new SallyportError(
			"forbidden",
			"only the owner may make an administrator",
			{
				hint: "add them as a member, and ask the owner",
			},
		);
	const { user, inviteUrl } =
		password === undefined
			? invite(ask, email, role)
			: await enrol(ask, email, role, password);
	return {
		status: 201,
		body: {
			user: viewUser(deps, user),
			...(inviteUrl === undefined ? {} : { inviteUrl }),
		},
	};
}

type Added = { readonly user: User; readonly inviteUrl?: string };

/** Someone who chooses their password themselves. Asked again for someone who has not yet, it gives a fresh link. */
function invite(
	{ deps, actor }: Ask,
	email: string,
	role: "admin" | "member",
): Added {
	return transaction(deps.db, () => {
		const { user, link } = createInvite(deps, { email, role });
		if (user.role !== role)
			throw new SallyportError(
				"conflict",
				`${user.email} was invited as ${user.role}`,
				{
					hint: `invite them as that again: --role ${user.role}`,
				},
			);
		recordAudit(
			deps.db,
			{
				actor: actorName(actor),
				action: "user.invite",
				object: user.id,
				detail: role,
			},
			deps.clock.now(),
		);
		return { user, inviteUrl: link };
	});
}

/** Someone whose password is chosen for them. */
async function enrol(
	{ deps, actor }: Ask,
	email: string,
	role: "admin" | "member",
	password: string,
): Promise<Added> {
	const passwordHash = await deps.passwords.hash(password);
	return transaction(deps.db, () => {
		const now = deps.clock.now();
		const user = createUser(deps.db, { email, role, passwordHash }, now);
		recordAudit(
			deps.db,
			{
				actor: actorName(actor),
				action: "user.add",
				object: user.id,
				detail: role,
			},
			now,
		);
		return { user };
	});
}

function viewUser(
	deps: ApiDeps,
	{ id, email, role, disabledAt, createdAt }: User,
): UserView {
	const status =
		disabledAt !== null
			? "disabled"
			: findPasswordHash(deps.db, id) === null
				? "invited"
				: "active";
	return { id, email, role, status, createdAt };
}
