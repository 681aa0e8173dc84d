/** `/api/audit`: the trail of who did what, for administrators to read. Nothing changes it. */
import { SallyportError } from "../errors.ts";
import {
	listAuditAfter,
	listNewestAudit,
	type RecordedEntry,
} from "../store/audit.ts";
import type { Answer, Ask, Route } from "./route.ts";
import { emailOf } from "./subject.ts";

const LIMIT = { usual: 50, most: 1000 } as const;

/** An entry as the API shows it. */
export type AuditView = RecordedEntry & {
	/** The actor for people to read: an e-mail address while there is such a user. */
	readonly who: string;
};

/** Routes of the audit trail. */
export const auditRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/audit", who: "admins", run: list },
];

/** The newest entries; with `after=ID` those that follow it. The oldest comes first in both. */
function list({ deps, query }: Ask): Answer {
	const limit = numberIn(query, "limit", LIMIT.most) ?? LIMIT.usual;
	const after = numberIn(query, "after", Number.MAX_SAFE_INTEGER);
	const entries =
		after === null
			? listNewestAudit(deps.db, limit)
			: listAuditAfter(deps.db, after, limit);
	return {
		body: {
			audit: entries.map(
				(entry): AuditView => ({
					...entry,
					who: emailOf(deps.db, entry.actor),
				}),
			),
		},
	};
}

/** @throws SallyportError `invalid` when it is not a whole number up to `most` */
function numberIn(
	query: URLSearchParams,
	name: string,
	most: number,
): number | null {
	const text = query.get(name);
	if (text === null) return null;
	const number = Number(text);
	if (/^\d+$/.test(text) && number <= most) return number;
	throw new SallyportError("invalid", `${name} is a number from 0 to ${most}`, {
		hint: `leave it out, or give another`,
	});
}
