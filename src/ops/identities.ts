/**
 * What an identity of an outside provider may do here. It signs in whom it is linked with; a link is made by whoever is
 * signed in, for the very address of their account, and never by itself. Somebody new becomes a member only where an
 * administrator said so, and only from the domains they named.
 */
import type { Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import type { Arrival } from "../people/provider.ts";
import { recordAudit } from "../store/audit.ts";
import { type Database, transaction } from "../store/database.ts";
import {
	createIdentity,
	deleteIdentitiesOf,
	findIdentity,
	type IdentityProvider,
	touchIdentity,
} from "../store/identities.ts";
import {
	createUser,
	findUser,
	findUserByEmail,
	requireUser,
	type User,
} from "../store/users.ts";
import { changedOwn } from "./people.ts";

type IdentityDeps = { readonly db: Database; readonly clock: Clock };

/** Someone's identity, as it arrived. */
export type Arrived = Pick<Arrival, "issuer" | "subject" | "email">;

/**
 * Whom an identity signs in; it may make them a member first.
 * @throws SallyportError `forbidden`, with what they can do instead
 */
export function userOfIdentity(
	deps: IdentityDeps,
	provider: Pick<IdentityProvider, "domains" | "provisions">,
	arrived: Arrived,
): User {
	const { issuer, subject } = arrived;
	const email = requireAddress(provider, arrived);
	const now = deps.clock.now();
	return transaction(deps.db, () => {
		const identity = findIdentity(deps.db, issuer, subject);
		const user = identity && findUser(deps.db, identity.userId);
		if (user) {
			if (user.disabledAt !== null) throw refused("your account is disabled");
			touchIdentity(deps.db, issuer, subject, now);
			return user;
		}
		// Never by the address alone: whoever owns it there need not be who owns the account here.
		if (findUserByEmail(deps.db, email))
			throw refused(
				"there is an account of this address, and it is not linked",
				"sign in with its password, and link the two under Account",
			);
		if (!provider.provisions) throw refused("you are not known here");
		const role = "member";
		const { id } = createUser(
			deps.db,
			{ email, role, passwordHash: null },
			now,
		);
		createIdentity(deps.db, { issuer, subject, userId: id, email }, now);
		recordAudit(
			deps.db,
			{ actor: id, action: "user.provision", object: id, detail: issuer },
			now,
		);
		return requireUser(deps.db, id);
	});
}

/** Whether an identity may be linked to an account; both must be of one address. @throws SallyportError `forbidden` */
export function requireLinkable(
	provider: Pick<IdentityProvider, "domains">,
	user: Pick<User, "email">,
	arrived: Arrived,
): void {
	if (requireAddress(provider, arrived) !== user.email)
		throw refused(
			"the provider knows you by another address than your account here",
			"sign in there as the one, or ask an administrator to invite the other",
		);
}

/** Links an identity to a user, who agreed to it. @throws SallyportError `conflict` when either is linked already */
export function linkIdentity(
	deps: IdentityDeps,
	userId: string,
	arrived: Arrived,
): void {
	const { issuer, subject, email } = arrived;
	transaction(deps.db, () => {
		createIdentity(
			deps.db,
			{ issuer, subject, userId, email: email ?? "" },
			deps.clock.now(),
		);
		changedOwn(deps, userId, "user.link", "account linked", issuer);
	});
}

/** Removes a user's links. */
export function unlinkIdentities(deps: IdentityDeps, userId: string): void {
	transaction(deps.db, () => {
		if (deleteIdentitiesOf(deps.db, userId))
			changedOwn(deps, userId, "user.unlink", "account unlinked", "");
	});
}

function requireAddress(
	{ domains }: Pick<IdentityProvider, "domains">,
	{ email }: Arrived,
): string {
	if (email === null)
		throw refused(
			"the provider does not vouch for your e-mail address",
			"verify it there, then try again",
		);
	const domain = email.slice(email.lastIndexOf("@") + 1);
	if (domains.length > 0 && !domains.includes(domain))
		throw refused("addresses of this domain do not sign in here");
	return email;
}

function refused(
	message: string,
	hint = "ask whoever runs this gateway to invite you",
): SallyportError {
	return new SallyportError("forbidden", message, { hint });
}
