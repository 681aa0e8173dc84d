/**
 * `/api/users`: the people who may sign in. A user without a password gets a link to choose one. Who may change whom is
 * in `rights.ts`; what ends with a change in `ops/people.ts`.
 */
import * as z from "zod";
import {
	changeRole,
	disableUser,
	enableUser,
	enrolUser,
	inviteUser,
	removeUser,
	resetPassword,
	resetSecondFactors,
} from "../ops/people.ts";
import {
	findSecondFactors,
	type SecondFactors,
} from "../people/second-factors.ts";
import { hasIdentity } from "../store/identities.ts";
import { findLastSeen } from "../store/logins.ts";
import {
	findPasswordHash,
	listUsers,
	requireUserByEmail,
	type User,
} from "../store/users.ts";
import { readBody } from "./body.ts";
import type { Answer, ApiDeps, Ask, Route } from "./route.ts";
import { emailField } from "./server-body.ts";

/** A user as the API shows them. `invited`: no way to sign in yet. */
export type UserView = {
	readonly id: string;
	readonly email: string;
	readonly role: User["role"];
	readonly status: "active" | "invited" | "disabled";
	readonly secondFactors: SecondFactors;
	readonly createdAt: number;
	/** In a browser that is still signed in. */
	readonly lastSeenAt: number | null;
};

const INVITED_ROLES = ["admin", "member"] as const;

const NewUser = z.strictObject({
	email: emailField,
	role: z
		.enum(INVITED_ROLES, {
			error:
				"must be admin or member: the owner is made by init or the setup link",
		})
		.optional(),
	password: z.string().optional(),
});

const Invitation = NewUser.omit({ password: true });

const NewRole = z.strictObject({
	role: z.enum(["owner", "admin", "member"], {
		error: "must be owner, admin or member",
	}),
});

const NewPassword = z.strictObject({ password: z.string().optional() });

const USER = "/api/users/:email";

/** Routes of users. */
export const userRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/users", who: "admins", run: list },
	{ method: "POST", path: "/api/users", who: "admins", run: add },
	{
		method: "POST",
		path: "/api/users/invite",
		who: "admins",
		run: invite,
	},
	{ method: "PUT", path: `${USER}/role`, who: "admins", run: setRole },
	{ method: "POST", path: `${USER}/disable`, who: "admins", run: disable },
	{ method: "POST", path: `${USER}/enable`, who: "admins", run: enable },
	{
		method: "POST",
		path: `${USER}/reset-password`,
		who: "admins",
		run: resetTheirPassword,
	},
	{
		method: "POST",
		path: `${USER}/reset-2fa`,
		who: "admins",
		run: resetTheirFactors,
	},
	{ method: "DELETE", path: USER, who: "admins", run: remove },
];

function list({ deps }: Ask): Answer {
	return {
		body: { users: listUsers(deps.db).map((user) => viewUser(deps, user)) },
	};
}

async function add(ask: Ask): Promise<Answer> {
	const { deps, request } = ask;
	const {
		email,
		role = "member",
		password,
	} = (await readBody(request, NewUser)).value;
	if (password === undefined) return invited(ask, { email, role });
	const hash = await deps.passwords.hash(password);
	const user = enrolUser(changes(ask), ask.actor, { email, role }, hash);
	return { status: 201, body: { user: viewUser(deps, user) } };
}

/** The same without a password ever: the link to choose one, fresh for someone who was invited before. */
async function invite(ask: Ask): Promise<Answer> {
	const { email, role = "member" } = (await readBody(ask.request, Invitation))
		.value;
	return invited(ask, { email, role });
}

function invited(ask: Ask, whom: Parameters<typeof inviteUser>[2]): Answer {
	const { user, link } = inviteUser(changes(ask), ask.actor, whom);
	return {
		status: 201,
		body: { user: viewUser(ask.deps, user), inviteUrl: link },
	};
}

async function setRole(ask: Ask): Promise<Answer> {
	const { role } = (await readBody(ask.request, NewRole)).value;
	return answer(ask, changeRole(changes(ask), ask.actor, named(ask).id, role));
}

function disable(ask: Ask): Answer {
	return answer(ask, disableUser(changes(ask), ask.actor, named(ask).id));
}

function enable(ask: Ask): Answer {
	return answer(ask, enableUser(changes(ask), ask.actor, named(ask).id));
}

async function resetTheirPassword(ask: Ask): Promise<Answer> {
	const { deps, actor, request } = ask;
	const { password } = (await readBody(request, NewPassword)).value;
	const { id } = named(ask);
	const hash =
		password === undefined ? null : await deps.passwords.hash(password);
	const { user, link } = resetPassword(changes(ask), actor, id, hash);
	return {
		body: {
			user: viewUser(deps, user),
			...(link === null ? {} : { inviteUrl: link }),
		},
	};
}

function resetTheirFactors(ask: Ask): Answer {
	return answer(
		ask,
		resetSecondFactors(changes(ask), ask.actor, named(ask).id),
	);
}

function remove(ask: Ask): Answer {
	const { id, email } = named(ask);
	removeUser({ ...changes(ask), ...ask.deps }, ask.actor, id);
	return { body: { removed: email } };
}

function named({ deps, params }: Ask): User {
	return requireUserByEmail(deps.db, params["email"] ?? "");
}

function changes({ deps }: Ask): Parameters<typeof resetPassword>[0] {
	return { ...deps, invalidate: deps.credentialsChanged };
}

function answer({ deps }: Ask, user: User): Answer {
	return { body: { user: viewUser(deps, user) } };
}

function viewUser(
	deps: ApiDeps,
	{ id, email, role, disabledAt, createdAt }: User,
): UserView {
	const status =
		disabledAt !== null
			? "disabled"
			: findPasswordHash(deps.db, id) === null && !hasIdentity(deps.db, id)
				? "invited"
				: "active";
	return {
		id,
		email,
		role,
		status,
		secondFactors: findSecondFactors(deps.db, id),
		createdAt,
		lastSeenAt: findLastSeen(deps.db, id),
	};
}
