/**
 * `/users`: everyone who may sign in, for administrators, and `/users/<id>`: what can be done to an account. All of it
 * is for a fresh proof. Who may do what to whom is not judged here but in `rights.ts` and `ops/people.ts`; the page
 * leaves out the buttons that would be refused.
 */
import type { Role } from "../caller.ts";
import { SallyportError, sentence } from "../errors.ts";
import type { Parameters } from "../oauth/parameters.ts";
import {
	changeRole,
	disableUser,
	enableUser,
	inviteUser,
	removeUser,
	resetPassword,
	resetSecondFactors,
} from "../ops/people.ts";
import { findSecondFactors } from "../people/second-factors.ts";
import { may, mayManage } from "../rights.ts";
import type { Route } from "../route.ts";
import { hasIdentity } from "../store/identities.ts";
import { findLastSeen } from "../store/logins.ts";
import {
	findPasswordHash,
	findUser,
	listUsers,
	type User,
} from "../store/users.ts";
import {
	linkPage,
	type PersonView,
	peoplePage,
	personPage,
} from "./account/people.tsx";
import { admitForm, admitVisitor } from "./guard.ts";
import { seeOther } from "./layout.tsx";
import { missingPage, problemOf } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import type { Problem } from "./problem.tsx";
import type { Visitor } from "./visitor.ts";

const PATH = "/users";

export function peopleRoutes(site: Site): readonly Route[] {
	return [
		{
			method: "GET",
			path: PATH,
			handler: (request) => showAll(site, request),
		},
		{
			method: "POST",
			path: PATH,
			handler: (request) => invite(site, request),
		},
		{
			method: "GET",
			path: `${PATH}/:id`,
			handler: (request, params) => showOne(site, request, params["id"] ?? ""),
		},
		{
			method: "POST",
			path: `${PATH}/:id`,
			handler: (request, params) => change(site, request, params["id"] ?? ""),
		},
	];
}

function showAll(site: Site, request: Request): Response {
	const visitor = admitVisitor(site, request, { path: PATH, dangerous: true });
	if (visitor instanceof Response) return visitor;
	return mayLook(visitor) ? people(site, visitor) : notForYou();
}

function people(site: Site, visitor: Visitor, problem?: Problem): Response {
	return peoplePage({
		people: listUsers(site.db).map((user) => viewOf(site, user)),
		roles: rolesToGive(visitor),
		csrf: site.forms.issue(visitor.binding, PATH),
		...(problem === undefined ? {} : { problem }),
	});
}

async function invite(site: Site, request: Request): Promise<Response> {
	const sent = await admitForm(site, request, PATH, {
		path: PATH,
		dangerous: true,
	});
	if (sent instanceof Response) return sent;
	const { visitor, form } = sent;
	const role = rolesToGive(visitor).find((known) => known === form.get("role"));
	if (!mayLook(visitor) || role === undefined) return notForYou();
	try {
		const { user, link } = inviteUser(
			{ ...site, publicUrl: site.issuer },
			visitor.login,
			{ email: form.get("email") ?? "", role },
		);
		return linkPage({ email: user.email, link });
	} catch (error) {
		return people(site, visitor, problemOf(error));
	}
}

function showOne(site: Site, request: Request, id: string): Response {
	const path = `${PATH}/${id}`;
	const visitor = admitVisitor(site, request, { path, dangerous: true });
	if (visitor instanceof Response) return visitor;
	const user = findUser(site.db, id);
	return user && mayLook(visitor) ? person(site, visitor, user) : notForYou();
}

function person(
	site: Site,
	visitor: Visitor,
	user: User,
	problem?: Problem,
): Response {
	const { role, userId } = visitor.login;
	return personPage({
		person: viewOf(site, user),
		isSelf: user.id === userId,
		isManaged: mayManage(role, user.role) && user.id !== userId,
		roles: rolesToGive(visitor),
		mayHandOver: may(role, "hand the gateway over") && user.id !== userId,
		csrf: site.forms.issue(visitor.binding, `${PATH}/${user.id}`),
		...(problem === undefined ? {} : { problem }),
	});
}

/** One button of a person's page: `do=…`, with `role` where that is what changes. */
async function change(
	site: Site,
	request: Request,
	id: string,
): Promise<Response> {
	const path = `${PATH}/${id}`;
	const sent = await admitForm(site, request, path, { path, dangerous: true });
	if (sent instanceof Response) return sent;
	const { visitor, form } = sent;
	const user = findUser(site.db, id);
	if (!user || !mayLook(visitor)) return notForYou();
	try {
		return perform(site, visitor, user, form);
	} catch (error) {
		if (!(error instanceof SallyportError) || error.code !== "forbidden")
			return person(site, visitor, user, problemOf(error));
		const problem = { status: 403, text: sentence(error.message) };
		return person(site, visitor, user, problem);
	}
}

function perform(
	site: Site,
	{ login }: Visitor,
	user: User,
	form: Parameters,
): Response {
	const deps = { ...site, publicUrl: site.issuer };
	const again = seeOther(`${PATH}/${user.id}`);
	switch (form.get("do")) {
		case "role":
			changeRole(deps, login, user.id, roleNamed(form.get("role")));
			return again;
		case "hand over":
			requireSure(form);
			changeRole(deps, login, user.id, "owner");
			return seeOther("/");
		case "disable":
			disableUser(deps, login, user.id);
			return again;
		case "enable":
			enableUser(deps, login, user.id);
			return again;
		case "reset-2fa":
			resetSecondFactors(deps, login, user.id);
			return again;
		case "reset-password": {
			const { link } = resetPassword(deps, login, user.id, null);
			return linkPage({ email: user.email, link: link ?? "" });
		}
		case "remove":
			requireSure(form);
			removeUser(deps, login, user.id);
			return seeOther(PATH);
		default:
			return again;
	}
}

function requireSure(form: Parameters): void {
	if (form.has("sure")) return;
	throw new SallyportError(
		"invalid",
		"nothing was changed: tick that you are sure",
	);
}

function roleNamed(text: string | null): Role {
	return text === "admin" ? "admin" : "member";
}

function rolesToGive({ login }: Visitor): readonly ("admin" | "member")[] {
	return (["member", "admin"] as const).filter((role) =>
		mayManage(login.role, role),
	);
}

function mayLook({ login }: Visitor): boolean {
	return may(login.role, "manage members");
}

/** The same for whoever may not look as for what is not there. */
function notForYou(): Response {
	return missingPage("This page is for administrators, about people here.");
}

function viewOf(site: Site, user: User): PersonView {
	return {
		...user,
		isInvited:
			user.disabledAt === null &&
			findPasswordHash(site.db, user.id) === null &&
			!hasIdentity(site.db, user.id),
		...findSecondFactors(site.db, user.id),
		lastSeenAt: findLastSeen(site.db, user.id),
	};
}
