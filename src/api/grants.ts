/** `/api/grants`: what people allowed clients. Members see and end their own. */
import { SallyportError } from "../errors.ts";
import { endAllGrants, endGrants } from "../ops/clients.ts";
import { type ListedGrant, listGrants } from "../store/grants.ts";
import {
	type Answer,
	type Ask,
	actorName,
	isAdmin,
	type Route,
} from "./route.ts";
import { requireSubject } from "./subject.ts";

/** A grant as the API shows it. */
export type GrantView = Omit<ListedGrant, "userId" | "email"> & {
	readonly username: string;
};

/** Routes of grants. */
export const grantRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/grants", who: "anyone", run: list },
	{ method: "DELETE", path: "/api/grants", who: "anyone", run: revokeAll },
	{ method: "DELETE", path: "/api/grants/:id", who: "anyone", run: revoke },
];

function list({ deps, actor }: Ask): Answer {
	const grants = listGrants(deps.db, ownOnly(actor), deps.clock.now());
	return { body: { grants: grants.map(viewGrant) } };
}

function revoke({ deps, actor, params }: Ask): Answer {
	const id = params["id"] as string;
	endGrants(
		{ ...deps, invalidate: deps.credentialsChanged },
		[id],
		ownOnly(actor),
		actorName(actor),
	);
	return { body: { revoked: id } };
}

/** Everything that `username` allowed, or with `all=true` that anybody did. Members end their own. */
function revokeAll({ deps, actor, query }: Ask): Answer {
	const named = query.get("username");
	if (named === null && isAdmin(actor) && query.get("all") !== "true")
		throw new SallyportError("invalid", "whose grants is not said", {
			hint: "name a person with ?username=EMAIL, or everybody with ?all=true",
		});
	const userId =
		named === null
			? ownOnly(actor)
			: requireSubject(deps.db, actor, named).userId;
	const ended = endAllGrants(
		{ ...deps, invalidate: deps.credentialsChanged },
		userId,
		actorName(actor),
	);
	return { body: { ended } };
}

/** The user that a member is kept to; administrators are kept to none. */
function ownOnly(actor: Ask["actor"]): string | null {
	return isAdmin(actor) ? null : (actor.userId ?? "");
}

function viewGrant({ userId: _, email, ...grant }: ListedGrant): GrantView {
	return { ...grant, username: email };
}
