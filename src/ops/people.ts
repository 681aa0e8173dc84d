/**
 * What happens to a person's account: another role, disabled, removed, a password or second factors reset. What they
 * could use until then ends in the same transaction: browsers, what clients were allowed, keys, open links. Each change
 * is in the audit trail, and whoever keeps judged credentials in memory forgets them.
 */
import type { Role } from "../caller.ts";
import type { Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { makeRecoveryCodes } from "../people/recovery-codes.ts";
import {
	forgetPasswordGuesses,
	forgetSecondFactorGuesses,
} from "../people/throttle.ts";
import { mayManage } from "../rights.ts";
import { revokeApiKeysOf } from "../store/api-keys.ts";
import { recordAudit } from "../store/audit.ts";
import { type Database, transaction } from "../store/database.ts";
import { revokeGrantsOf } from "../store/grants.ts";
import { deleteHalfLoginsOf } from "../store/half-logins.ts";
import { deleteInvitesOf } from "../store/invites.ts";
import { deleteLoginsOf } from "../store/logins.ts";
import { addNotice, type NoticeKind } from "../store/notices.ts";
import { deletePasskeysOf } from "../store/passkeys.ts";
import { deleteRecoveryCodes } from "../store/recovery-codes.ts";
import { deleteTotp } from "../store/totp.ts";
import {
	createUser,
	deleteUser,
	handOver,
	requireUser,
	setDisabled,
	setPassword,
	setRole,
	type User,
} from "../store/users.ts";
import type { Connections } from "../upstream/connections.ts";
import type { Vault } from "../vault.ts";
import { createInvite, renewInvite } from "./setup.ts";

type PeopleDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
	/** Forgets judged credentials. */
	readonly invalidate: () => void;
	/** Ends what runs with a user's own secrets. */
	readonly dropUpstreams: (userId: string) => void;
};

/** Who changes someone's account. The machine itself is no user. */
export type Changer = { readonly userId: string | null; readonly role: Role };

type Enrolled = {
	readonly email: string;
	readonly role: "admin" | "member";
};

/**
 * Adds someone who chooses their password by a one-time link; for someone who has not chosen yet, a fresh link.
 * @throws SallyportError `forbidden`, `invalid`, or `conflict` when they have a password or another role
 */
export function inviteUser(
	deps: PeopleDeps & { readonly publicUrl: string },
	by: Changer,
	{ email, role }: Enrolled,
): { readonly user: User; readonly link: string } {
	requireMaker(by, role);
	return transaction(deps.db, () => {
		const invited = createInvite(deps, { email, role });
		const { user } = invited;
		if (user.role !== role)
			throw new SallyportError(
				"conflict",
				`${user.email} was invited as ${user.role}`,
				{ hint: `invite them as that again: --role ${user.role}` },
			);
		audit(deps, by, "user.invite", user.id, role);
		return invited;
	});
}

/** Adds someone whose password was chosen for them. @throws SallyportError `forbidden`, `invalid`, `conflict` */
export function enrolUser(
	deps: PeopleDeps,
	by: Changer,
	{ email, role }: Enrolled,
	passwordHash: string,
): User {
	requireMaker(by, role);
	return transaction(deps.db, () => {
		const now = deps.clock.now();
		const user = createUser(deps.db, { email, role, passwordHash }, now);
		audit(deps, by, "user.add", user.id, role);
		return user;
	});
}

/**
 * Gives someone another role; it counts from their next request, and their browsers sign in again.
 * To make someone the owner is to hand the gateway over: whoever was it becomes an administrator.
 * @throws SallyportError `not_found`, `forbidden`, `conflict`
 */
export function changeRole(
	deps: PeopleDeps,
	by: Changer,
	userId: string,
	role: Role,
): User {
	return change(
		deps,
		by,
		userId,
		{ action: "user.role", detail: role },
		(user) => {
			if (role === "owner") {
				if (by.role !== "owner")
					throw forbidden("only the owner may hand the gateway over");
				if (user.disabledAt !== null) throw isDisabled(user);
				const former = handOver(deps.db, userId);
				if (former !== null) deleteLoginsOf(deps.db, former);
			} else {
				requireManage(by, user);
				requireOther(by, user);
				if (!mayManage(by.role, role))
					throw forbidden("only the owner may make an administrator");
				setRole(deps.db, userId, role);
			}
			deleteLoginsOf(deps.db, userId);
			deleteHalfLoginsOf(deps.db, userId);
		},
	);
}

/** Keeps someone out and ends all they could use. Enabled again, they start afresh. @throws SallyportError as `changeRole` */
export function disableUser(
	deps: PeopleDeps,
	by: Changer,
	userId: string,
): User {
	const user = change(
		deps,
		by,
		userId,
		{ action: "user.disable" },
		(user, now) => {
			requireManage(by, user);
			requireOther(by, user);
			setDisabled(deps.db, userId, now);
			endEverything(deps.db, userId, now);
		},
	);
	deps.dropUpstreams(userId);
	return user;
}

/** Lets someone sign in again. @throws SallyportError as `changeRole` */
export function enableUser(
	deps: PeopleDeps,
	by: Changer,
	userId: string,
): User {
	return change(deps, by, userId, { action: "user.enable" }, (user) => {
		requireManage(by, user);
		setDisabled(deps.db, userId, null);
	});
}

/** Forgets someone and all that is theirs; the audit trail and the calls stay. @throws SallyportError as `changeRole` */
export function removeUser(
	deps: PeopleDeps & { readonly connections: Pick<Connections, "leave"> },
	by: Changer,
	userId: string,
): void {
	const revoke = transaction(deps.db, () => {
		const user = requireUser(deps.db, userId);
		requireManage(by, user);
		requireOther(by, user);
		const leaving = deps.connections.leave({ userId }, by.userId ?? "socket");
		deleteUser(deps.db, userId);
		audit(deps, by, "user.remove", userId, user.email);
		return leaving;
	});
	deps.invalidate();
	deps.dropUpstreams(userId);
	// Services are told afterwards: one that does not answer keeps nobody here.
	void revoke();
}

/**
 * Ends someone's password and all they could use with it. With a new hash that is their password from now on; without
 * one they choose it by a one-time link. Second factors stay, and are asked for after the link too.
 * @throws SallyportError as `changeRole`
 */
export function resetPassword(
	deps: PeopleDeps & { readonly publicUrl: string },
	by: Changer,
	userId: string,
	passwordHash: string | null,
): { readonly user: User; readonly link: string | null } {
	let link: string | null = null;
	const user = change(
		deps,
		by,
		userId,
		{ action: "user.reset-password" },
		(user, now) => {
			requireReset(by, user);
			if (user.disabledAt !== null) throw isDisabled(user);
			setPassword(deps.db, userId, passwordHash);
			endEverything(deps.db, userId, now);
			forgetPasswordGuesses(deps, user.email);
			if (passwordHash === null) link = renewInvite(deps, userId);
			addNotice(deps.db, userId, { kind: "password changed", detail: "" }, now);
		},
	);
	return { user, link };
}

/**
 * Takes someone's second factors and recovery codes away, for when they are lost; their browsers sign in again.
 * @throws SallyportError as `changeRole`
 */
export function resetSecondFactors(
	deps: PeopleDeps,
	by: Changer,
	userId: string,
): User {
	return change(deps, by, userId, { action: "user.reset-2fa" }, (user, now) => {
		requireReset(by, user);
		deleteTotp(deps.db, userId);
		deletePasskeysOf(deps.db, userId);
		deleteRecoveryCodes(deps.db, userId);
		forgetSecondFactorGuesses(deps, userId);
		addNotice(
			deps.db,
			userId,
			{ kind: "second factors reset", detail: "" },
			now,
		);
		deleteLoginsOf(deps.db, userId);
		deleteHalfLoginsOf(deps.db, userId);
	});
}

/** A person's own new password. Their other browsers sign in again. @param everything whether clients and keys end too */
export function changePassword(
	deps: Pick<PeopleDeps, "db" | "clock" | "invalidate">,
	own: { readonly userId: string; readonly loginId: string },
	passwordHash: string,
	everything: boolean,
): void {
	const { userId, loginId } = own;
	transaction(deps.db, () => {
		const now = deps.clock.now();
		setPassword(deps.db, userId, passwordHash);
		deleteLoginsOf(deps.db, userId, loginId);
		deleteHalfLoginsOf(deps.db, userId);
		if (everything) {
			revokeGrantsOf(deps.db, userId, now);
			revokeApiKeysOf(deps.db, userId, now);
		}
		changedOwn(deps, userId, "user.password", "password changed", "");
	});
	deps.invalidate();
}

/** Fresh recovery codes for a person; those they had end. */
export function renewRecoveryCodes(
	deps: Pick<PeopleDeps, "db" | "vault" | "clock">,
	userId: string,
): readonly string[] {
	return transaction(deps.db, () => {
		const codes = makeRecoveryCodes(deps, userId);
		changedOwn(deps, userId, "user.recovery-codes", "recovery codes made", "");
		return codes;
	});
}

/** Writes down what a person changed of their own account, and tells them, in case it was someone else. */
export function changedOwn(
	deps: Pick<PeopleDeps, "db" | "clock">,
	userId: string,
	action: string,
	kind: NoticeKind,
	detail: string,
): void {
	const now = deps.clock.now();
	addNotice(deps.db, userId, { kind, detail }, now);
	recordAudit(deps.db, { actor: userId, action, object: userId, detail }, now);
}

function change(
	deps: PeopleDeps,
	by: Changer,
	userId: string,
	{ action, detail }: { readonly action: string; readonly detail?: string },
	work: (user: User, now: number) => void,
): User {
	const changed = transaction(deps.db, () => {
		const user = requireUser(deps.db, userId);
		work(user, deps.clock.now());
		audit(deps, by, action, userId, detail);
		return requireUser(deps.db, userId);
	});
	deps.invalidate();
	return changed;
}

function endEverything(db: Database, userId: string, now: number): void {
	deleteLoginsOf(db, userId);
	deleteHalfLoginsOf(db, userId);
	revokeGrantsOf(db, userId, now);
	revokeApiKeysOf(db, userId, now);
	deleteInvitesOf(db, userId);
}

function audit(
	deps: PeopleDeps,
	by: Changer,
	action: string,
	object: string,
	detail?: string,
): void {
	recordAudit(
		deps.db,
		{
			actor: by.userId ?? "socket",
			action,
			object,
			...(detail === undefined ? {} : { detail }),
		},
		deps.clock.now(),
	);
}

function requireMaker(by: Changer, role: "admin" | "member"): void {
	if (mayManage(by.role, role)) return;
	throw forbidden(
		"only the owner may make an administrator",
		"add them as a member, and ask the owner",
	);
}

function requireManage(by: Changer, user: User): void {
	if (mayManage(by.role, user.role)) return;
	throw user.role === "owner"
		? new SallyportError("conflict", `${user.email} is the owner`, {
				hint: "hand the gateway over first: sallyport users role EMAIL owner",
			})
		: forbidden(
				user.role === "admin"
					? "only the owner may change an administrator's account"
					: "only an administrator may change someone's account",
			);
}

/** The owner's own are reset on the machine: nobody else is above them. */
function requireReset(by: Changer, user: User): void {
	if (user.role === "owner" && by.userId === null) return;
	if (user.role === "owner")
		throw forbidden(
			"the owner's are reset on the machine",
			"run it there: sallyport users reset-password, or reset-2fa",
		);
	requireManage(by, user);
	requireOther(by, user);
}

function requireOther(by: Changer, user: User): void {
	if (by.userId !== user.id) return;
	throw new SallyportError("conflict", "this is your own account", {
		hint: "change it under Account, or ask the owner",
	});
}

function forbidden(
	message: string,
	hint = "ask whoever owns this gateway",
): SallyportError {
	return new SallyportError("forbidden", message, { hint });
}

function isDisabled(user: User): SallyportError {
	return new SallyportError("conflict", `${user.email} is disabled`, {
		hint: `enable them first: sallyport users enable ${user.email}`,
	});
}
