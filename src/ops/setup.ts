/**
 * How people come in: the owner by a one-time setup link, everyone else by an invitation.
 * A gateway is claimed once. The link's credential travels in the fragment, which no server, proxy or log ever sees.
 */
import type { Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { mintCredential, parseCredential } from "../mint.ts";
import type { Passwords } from "../people/passwords.ts";
import { recordAudit } from "../store/audit.ts";
import { type Database, transaction } from "../store/database.ts";
import {
	consumeInvite,
	findInvite,
	type InviteKind,
	createInvite as keepInvite,
} from "../store/invites.ts";
import { deleteLoginsOf } from "../store/logins.ts";
import {
	createUser,
	findPasswordHash,
	findUserByEmail,
	hasOwner,
	parseEmail,
	requireUser,
	setPassword,
	type User,
} from "../store/users.ts";
import type { Vault } from "../vault.ts";

const SETUP_LINK_SECONDS = 24 * 3600;
const INVITE_SECONDS = 7 * 24 * 3600;

export type SetupDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
};

type InviteDeps = SetupDeps & {
	/** The origin of links that people open. */
	readonly publicUrl: string;
};

/** Whether the gateway has an owner. */
export function isClaimed(db: Database): boolean {
	return hasOwner(db);
}

/** @throws SallyportError `conflict` when the gateway has an owner */
export function refuseClaimed(db: Database): void {
	if (isClaimed(db)) throw claimed();
}

/** A fresh one-time token that makes its holder the owner; earlier ones stop working. @throws SallyportError `conflict` when claimed */
export function createSetupToken(deps: SetupDeps): string {
	refuseClaimed(deps.db);
	const token = mintCredential("setup");
	const now = deps.clock.now();
	keepInvite(
		deps.db,
		deps.vault.mac(token),
		{ kind: "setup", userId: null, expiresAt: now + SETUP_LINK_SECONDS },
		now,
	);
	return token;
}

/** Whether a setup link works now; it is not used up. @throws SallyportError `not_found` when it does not */
export function requireSetupLink(deps: SetupDeps, token: string): void {
	if (isClaimed(deps.db)) throw deadLink();
	requireLink(deps, "setup", token);
}

/**
 * Makes the holder of a setup link the owner, and uses the link up, in one transaction.
 * @throws SallyportError `not_found` when the link does not work (any more), `invalid` for a bad address or password
 */
export async function claim(
	deps: SetupDeps & { readonly passwords: Passwords },
	claim: {
		readonly token: string;
		readonly email: string;
		readonly password: string;
	},
): Promise<User> {
	const hash = requireLink(deps, "setup", claim.token);
	parseEmail(claim.email);
	const passwordHash = await deps.passwords.hash(claim.password);
	const now = deps.clock.now();
	return transaction(deps.db, () => {
		if (isClaimed(deps.db) || !consumeInvite(deps.db, hash, "setup", now))
			throw deadLink();
		return addOwner(deps.db, claim.email, passwordHash, now);
	});
}

/** Makes an owner from the machine itself, without a link. @throws SallyportError `conflict` when claimed */
export async function createOwner(
	deps: Pick<SetupDeps, "db" | "clock"> & { readonly passwords: Passwords },
	owner: { readonly email: string; readonly password: string },
): Promise<User> {
	refuseClaimed(deps.db);
	parseEmail(owner.email);
	const passwordHash = await deps.passwords.hash(owner.password);
	return transaction(deps.db, () =>
		addOwner(deps.db, owner.email, passwordHash, deps.clock.now()),
	);
}

/**
 * Adds a user without a password and gives the one-time link by which they choose one; for a user who has not chosen
 * one yet, a fresh link. @throws SallyportError `conflict` when the user has a password
 */
export function createInvite(
	deps: InviteDeps,
	invited: { readonly email: string; readonly role: "admin" | "member" },
): { readonly user: User; readonly link: string } {
	return transaction(deps.db, () => {
		const known = findUserByEmail(deps.db, invited.email);
		if (known && findPasswordHash(deps.db, known.id) !== null)
			throw new SallyportError(
				"conflict",
				`${known.email} has a password already`,
				{ hint: "they can sign in with it" },
			);
		if (known && known.disabledAt !== null)
			throw new SallyportError("conflict", `${known.email} is disabled`, {
				hint: `enable them first: sallyport users enable ${known.email}`,
			});
		const user =
			known ??
			createUser(deps.db, { ...invited, passwordHash: null }, deps.clock.now());
		return { user, link: renewInvite(deps, user.id) };
	});
}

/** A fresh one-time link by which a user chooses their password; an earlier one stops working. */
export function renewInvite(deps: InviteDeps, userId: string): string {
	const token = mintCredential("invite");
	const now = deps.clock.now();
	keepInvite(
		deps.db,
		deps.vault.mac(token),
		{ kind: "invite", userId, expiresAt: now + INVITE_SECONDS },
		now,
	);
	return `${deps.publicUrl}/invite/${token}`;
}

/** Whom an invitation is for. @throws SallyportError `not_found` when the link does not work (any more) */
export function requireInvited(deps: SetupDeps, token: string): User {
	const hash = requireLink(deps, "invite", token);
	const invite = findInvite(deps.db, hash, "invite", deps.clock.now());
	if (!invite?.userId) throw deadLink();
	return requireUser(deps.db, invite.userId);
}

/**
 * Gives an invited user their password, and uses the link up, in one transaction.
 * @throws SallyportError `not_found` when the link does not work (any more), `invalid` for a bad password
 */
export async function acceptInvite(
	deps: SetupDeps & { readonly passwords: Passwords },
	accepted: { readonly token: string; readonly password: string },
): Promise<User> {
	const hash = requireLink(deps, "invite", accepted.token);
	const passwordHash = await deps.passwords.hash(accepted.password);
	const now = deps.clock.now();
	return transaction(deps.db, () => {
		const invite = consumeInvite(deps.db, hash, "invite", now);
		if (!invite?.userId) throw deadLink();
		setPassword(deps.db, invite.userId, passwordHash);
		deleteLoginsOf(deps.db, invite.userId);
		recordAudit(
			deps.db,
			{ actor: invite.userId, action: "user.join", object: invite.userId },
			now,
		);
		return requireUser(deps.db, invite.userId);
	});
}

function addOwner(
	db: Database,
	email: string,
	passwordHash: string,
	now: number,
): User {
	const owner = createUser(db, { email, role: "owner", passwordHash }, now);
	recordAudit(
		db,
		{ actor: owner.id, action: "gateway.claim", object: owner.id },
		now,
	);
	return owner;
}

/** The hash of a link that works now; judged before a password is hashed, so that strangers cost nothing. */
function requireLink(
	deps: SetupDeps,
	kind: InviteKind,
	text: string,
): Uint8Array {
	const token = parseCredential(kind, text.trim());
	const hash = token === null ? null : deps.vault.mac(token);
	if (!hash || !findInvite(deps.db, hash, kind, deps.clock.now()))
		throw deadLink();
	return hash;
}

function claimed(): SallyportError {
	return new SallyportError("conflict", "this gateway has an owner", {
		hint: "sign in on its page; a forgotten password is set again by the machine's administrator",
	});
}

function deadLink(): SallyportError {
	return new SallyportError(
		"not_found",
		"this link does not work: it was used, replaced, or is too old",
		{
			hint: "ask for a fresh one; for the first setup: sallyport setup-link",
		},
	);
}
