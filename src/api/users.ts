/**
 * `/api/users`: the people who may sign in. A user without a password gets a link to choose one. Who may change whom is
 * in `rights.ts`; what ends with a change in `ops/people.ts`.
 */
import * as z from "zod";
import { SallyportError } from "../errors.ts";
import {
	changeRole,
	disableUser,
	enableUser,
	removeUser,
	resetPassword,
	resetSecondFactors,
} from "../ops/people.ts";
import { createInvite } from "../ops/setup.ts";
import {
	findSecondFactors,
	type SecondFactors,
} from "../people/second-factors.ts";
import { may } from "../rights.ts";
import { recordAudit } from "../store/audit.ts";
import { transaction } from "../store/database.ts";
import { findLastSeen } from "../store/logins.ts";
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
import { requireUserNamed } from "./subject.ts";

/** A user as the API shows them. `invited`: no password yet. */
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
		run: inviteAgain,
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
	requireInviter(ask, role);
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

/** The same without a password ever: the link to choose one, fresh for someone who was invited before. */
async function inviteAgain(ask: Ask): Promise<Answer> {
	const { email, role = "member" } = (await readBody(ask.request, Invitation))
		.value;
	requireInviter(ask, role);
	const { user, inviteUrl } = invite(ask, email, role);
	return { status: 201, body: { user: viewUser(ask.deps, user), inviteUrl } };
}

function requireInviter(
	{ actor }: Ask,
	role: (typeof INVITED_ROLES)[number],
): void {
	if (role === "member" || may(actor.role, "manage administrators")) return;
	throw new SallyportError(
		"forbidden",
		"only the owner may make an administrator",
		{ hint: "add them as a member, and ask the owner" },
	);
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
	removeUser(changes(ask), ask.actor, id);
	return { body: { removed: email } };
}

function named({ deps, params }: Ask): User {
	return requireUserNamed(deps.db, params["email"] ?? "");
}

function changes({ deps }: Ask): Parameters<typeof resetPassword>[0] {
	return { ...deps, invalidate: deps.credentialsChanged };
}

function answer({ deps }: Ask, user: User): Answer {
	return { body: { user: viewUser(deps, user) } };
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
