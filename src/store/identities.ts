/**
 * Who people are elsewhere: the one OpenID provider they may sign in with, their accounts there, and browsers that are
 * on the way to it and back. The provider's secret is sealed; a browser is known by a keyed hash.
 */
import { SallyportError } from "../errors.ts";
import { type Database, transaction } from "./database.ts";

export type IdentityProvider = {
	readonly issuer: string;
	readonly clientId: string;
	readonly secretSealed: Uint8Array | null;
	/** Domains of e-mail addresses that may come from there; empty: any. */
	readonly domains: readonly string[];
	/** Whether someone who is not known here becomes a member. */
	readonly provisions: boolean;
};

type ProviderRow = Omit<IdentityProvider, "domains" | "provisions"> & {
	readonly domains: string;
	readonly provisions: number;
};

/** The provider, or null. */
export function findIdentityProvider(db: Database): IdentityProvider | null {
	const row = db
		.query<ProviderRow, []>(
			`SELECT issuer, client_id AS clientId, secret_sealed AS secretSealed, domains, provisions
			 FROM identity_provider`,
		)
		.get();
	return (
		row && {
			...row,
			domains: JSON.parse(row.domains),
			provisions: row.provisions === 1,
		}
	);
}

/** Sets the provider, replacing the one there was. Accounts at another issuer stay, for when that comes back. */
export function putIdentityProvider(
	db: Database,
	provider: IdentityProvider,
	now: number,
): void {
	transaction(db, () => {
		deleteIdentityProvider(db);
		db.query(
			`INSERT INTO identity_provider (id, issuer, client_id, secret_sealed, domains, provisions, updated_at)
			 VALUES (1, $issuer, $clientId, $secretSealed, $domains, $provisions, $now)`,
		).run({
			...provider,
			domains: JSON.stringify(provider.domains),
			provisions: provider.provisions ? 1 : 0,
			now,
		});
	});
}

/** Takes the provider away. Returns whether there was one. */
export function deleteIdentityProvider(db: Database): boolean {
	return db.query("DELETE FROM identity_provider").run().changes > 0;
}

/** An account of a user at an issuer. */
export type Identity = {
	readonly issuer: string;
	readonly subject: string;
	readonly userId: string;
	readonly email: string;
	readonly createdAt: number;
	readonly lastUsedAt: number | null;
};

const COLUMNS = `issuer, subject, user_id AS userId, email, created_at AS createdAt, last_used_at AS lastUsedAt`;

/** Links an account to a user. @throws SallyportError `conflict` when either is linked already */
export function createIdentity(
	db: Database,
	identity: Omit<Identity, "createdAt" | "lastUsedAt">,
	now: number,
): void {
	const { issuer, subject, userId } = identity;
	transaction(db, () => {
		if (findIdentity(db, issuer, subject) || findIdentityOf(db, issuer, userId))
			throw new SallyportError("conflict", "one of the two is linked already", {
				hint: "remove the other link first",
			});
		db.query(
			`INSERT INTO identities (issuer, subject, user_id, email, created_at)
			 VALUES ($issuer, $subject, $userId, $email, $now)`,
		).run({ ...identity, now });
	});
}

/** Whose account this is here, or null. */
export function findIdentity(
	db: Database,
	issuer: string,
	subject: string,
): Identity | null {
	return db
		.query<Identity, [string, string]>(
			`SELECT ${COLUMNS} FROM identities WHERE issuer = ? AND subject = ?`,
		)
		.get(issuer, subject);
}

/** A user's account at an issuer, or null. */
export function findIdentityOf(
	db: Database,
	issuer: string,
	userId: string,
): Identity | null {
	return db
		.query<Identity, [string, string]>(
			`SELECT ${COLUMNS} FROM identities WHERE issuer = ? AND user_id = ?`,
		)
		.get(issuer, userId);
}

/** Whether a user can come in from anywhere else. */
export function hasIdentity(db: Database, userId: string): boolean {
	return (
		db.query("SELECT 1 FROM identities WHERE user_id = ?").get(userId) !== null
	);
}

/** Notes that an account signed someone in. */
export function touchIdentity(
	db: Database,
	issuer: string,
	subject: string,
	now: number,
): void {
	db.query(
		"UPDATE identities SET last_used_at = ? WHERE issuer = ? AND subject = ?",
	).run(now, issuer, subject);
}

/** Removes the links of a user. Returns whether there was one. */
export function deleteIdentitiesOf(db: Database, userId: string): boolean {
	return (
		db.query("DELETE FROM identities WHERE user_id = ?").run(userId).changes > 0
	);
}

/** What a browser went to the provider for. */
export type VisitPurpose = "sign in" | "link" | "prove";

type ProviderVisit = {
	readonly purpose: VisitPurpose;
	readonly issuer: string;
	readonly next: string;
	readonly expiresAt: number;
};

/** More browsers than this are not on the way at once; the oldest are forgotten. */
const VISITS_MAX = 1000;

/** Keeps that a browser was sent to the provider. */
export function createProviderVisit(
	db: Database,
	hash: Uint8Array,
	visit: ProviderVisit,
): void {
	transaction(db, () => {
		db.query(
			"INSERT INTO provider_visits (hash, purpose, issuer, next, expires_at) VALUES (?, ?, ?, ?, ?)",
		).run(hash, visit.purpose, visit.issuer, visit.next, visit.expiresAt);
		db.query(
			`DELETE FROM provider_visits WHERE hash IN (
				SELECT hash FROM provider_visits ORDER BY expires_at DESC LIMIT -1 OFFSET ?)`,
		).run(VISITS_MAX);
	});
}

/** Uses a visit up: gives it to the first who asks, null to all others. */
export function consumeProviderVisit(
	db: Database,
	hash: Uint8Array,
	now: number,
): ProviderVisit | null {
	return db
		.query<ProviderVisit, [Uint8Array, number]>(
			`DELETE FROM provider_visits WHERE hash = ? AND expires_at > ?
			 RETURNING purpose, issuer, next, expires_at AS expiresAt`,
		)
		.get(hash, now);
}

/** Removes visits that are too late. */
export function deleteExpiredVisits(db: Database, now: number): void {
	db.query("DELETE FROM provider_visits WHERE expires_at <= ?").run(now);
}
