/**
 * What was tried to get a certificate for a set of names: failures in a row, the last one in words, when the next
 * attempt is due; and the lease that keeps two processes from ordering at once.
 */
import type { Database } from "./database.ts";

export type OrderFailure = {
	readonly at: number;
	/** The ACME directory that refused. */
	readonly directory: string;
	/** The kind of problem, as RFC 8555 6.7 names it, or one of ours. */
	readonly type: string;
	/** The CA's words. */
	readonly detail: string;
	/** Ours: what to do about it. */
	readonly remedy: string;
	/** The CA wants no order before this instant. */
	readonly retryAt: number | null;
};

export type OrderState = {
	readonly failures: number;
	/** Staging has passed since the last failure. */
	readonly rehearsed: boolean;
	/** No attempt before this instant. */
	readonly nextAt: number;
	readonly failure: OrderFailure | null;
};

const NOTHING_TRIED: OrderState = {
	failures: 0,
	rehearsed: false,
	nextAt: 0,
	failure: null,
};

type Row = {
	failures: number;
	rehearsed: number;
	next_at: number;
	failure: string | null;
};

/** What was tried for this set of names. */
export function findOrderState(db: Database, names: string): OrderState {
	const row = db
		.query<Row, [string]>(
			"SELECT failures, rehearsed, next_at, failure FROM certificate_orders WHERE names = ?",
		)
		.get(names);
	if (!row) return NOTHING_TRIED;
	return {
		failures: row.failures,
		rehearsed: row.rehearsed === 1,
		nextAt: row.next_at,
		failure:
			row.failure === null ? null : (JSON.parse(row.failure) as OrderFailure),
	};
}

/** The last failures that no success has followed yet. */
export function listOrderFailures(
	db: Database,
): readonly { readonly names: string; readonly failure: OrderFailure }[] {
	return db
		.query<{ names: string; failure: string }, []>(
			"SELECT names, failure FROM certificate_orders WHERE failure IS NOT NULL ORDER BY names",
		)
		.all()
		.map(({ names, failure }) => ({
			names,
			failure: JSON.parse(failure) as OrderFailure,
		}));
}

/** Keeps what was tried; the lease stays as it is. */
export function setOrderState(
	db: Database,
	names: string,
	state: OrderState,
): void {
	db.query(
		`INSERT INTO certificate_orders (names, failures, rehearsed, next_at, failure) VALUES (?, ?, ?, ?, ?)
		 ON CONFLICT (names) DO UPDATE SET failures = excluded.failures, rehearsed = excluded.rehearsed,
			next_at = excluded.next_at, failure = excluded.failure`,
	).run(
		names,
		state.failures,
		state.rehearsed ? 1 : 0,
		state.nextAt,
		state.failure && JSON.stringify(state.failure),
	);
}

/** Forgets what was tried: the certificate is here. */
export function clearOrderState(db: Database, names: string): void {
	setOrderState(db, names, NOTHING_TRIED);
}

/**
 * Takes the right to order for this set of names until `until`, unless somebody else has it.
 * @returns whether it was taken
 */
export function takeOrderLease(
	db: Database,
	names: string,
	holder: string,
	now: number,
	until: number,
): boolean {
	return (
		db
			.query(
				`INSERT INTO certificate_orders (names, lease_holder, lease_until) VALUES ($names, $holder, $until)
				 ON CONFLICT (names) DO UPDATE SET lease_holder = $holder, lease_until = $until
				 WHERE lease_until <= $now OR lease_holder = $holder`,
			)
			.run({ names, holder, now, until }).changes === 1
	);
}

/** Gives back what `takeOrderLease` took. */
export function releaseOrderLease(
	db: Database,
	names: string,
	holder: string,
): void {
	db.query(
		"UPDATE certificate_orders SET lease_holder = NULL, lease_until = 0 WHERE names = ? AND lease_holder = ?",
	).run(names, holder);
}
