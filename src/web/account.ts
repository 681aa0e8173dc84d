/**
 * `/account`: a person's own: what they were told, their password, and the browsers they are signed in with. Their
 * second factors are next door, in `factors.ts`.
 */
import { changePassword } from "../ops/people.ts";
import { LOGIN_IDLE_SECONDS } from "../people/lifetimes.ts";
import { worksHere } from "../people/passkeys.ts";
import type { Route } from "../route.ts";
import { findIdentityOf } from "../store/identities.ts";
import { deleteLoginOf, deleteLoginsOf, listLogins } from "../store/logins.ts";
import { deleteNotices, listNotices } from "../store/notices.ts";
import { listPasskeys } from "../store/passkeys.ts";
import { countRecoveryCodes } from "../store/recovery-codes.ts";
import { findTotp } from "../store/totp.ts";
import { findPasswordHash } from "../store/users.ts";
import { accountPage } from "./account/account.tsx";
import { passwordPage } from "./account/password.tsx";
import { admitForm, admitVisitor } from "./guard.ts";
import { seeOther } from "./layout.tsx";
import { problemOf } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import { renew } from "./visitor.ts";

const ACCOUNT = { path: "/account", dangerous: false } as const;
const PASSWORD = { path: "/account/password", dangerous: true } as const;

export function accountRoutes(site: Site): readonly Route[] {
	return [
		{
			method: "GET",
			path: ACCOUNT.path,
			handler: (request) => show(site, request),
		},
		{
			method: "POST",
			path: "/account/notices",
			handler: (request) => putAway(site, request),
		},
		{
			method: "POST",
			path: "/account/logins",
			handler: (request) => endLogins(site, request),
		},
		{
			method: "GET",
			path: PASSWORD.path,
			handler: (request) => askPassword(site, request),
		},
		{
			method: "POST",
			path: PASSWORD.path,
			handler: (request) => setPassword(site, request),
		},
	];
}

function show(site: Site, request: Request): Response {
	const visitor = admitVisitor(site, request, ACCOUNT);
	if (visitor instanceof Response) return visitor;
	const { userId, email, role, id } = visitor.login;
	const now = site.clock.now();
	return accountPage({
		email,
		role,
		loginId: id,
		csrf: site.forms.issue(visitor.binding, "account"),
		notices: listNotices(site.db, userId),
		hasPassword: findPasswordHash(site.db, userId) !== null,
		app: findTotp(site.db, userId),
		passkeys: listPasskeys(site.db, userId).map((passkey) => ({
			...passkey,
			worksHere: worksHere(site, passkey),
		})),
		linked: linkOf(site, userId),
		recoveryCodes: countRecoveryCodes(site.db, userId),
		logins: listLogins(site.db, userId, now, now - LOGIN_IDLE_SECONDS),
	});
}

/** The provider, and the person's account there if it is linked. */
function linkOf(
	site: Site,
	userId: string,
): Parameters<typeof accountPage>[0]["linked"] {
	const provider = site.provider.find();
	if (!provider) return null;
	return {
		host: new URL(provider.issuer).host,
		identity: findIdentityOf(site.db, provider.issuer, userId),
	};
}

async function putAway(site: Site, request: Request): Promise<Response> {
	const sent = await admitForm(site, request, "account", ACCOUNT);
	if (sent instanceof Response) return sent;
	const upTo = Number(sent.form.get("up_to") ?? 0);
	deleteNotices(
		site.db,
		sent.visitor.login.userId,
		Number.isSafeInteger(upTo) ? upTo : 0,
	);
	return seeOther("/account");
}

/** Ends one login, `revoke=<id>`, or all but this one, `revoke=others`. One that is not there is gone already. */
async function endLogins(site: Site, request: Request): Promise<Response> {
	const sent = await admitForm(site, request, "account", ACCOUNT);
	if (sent instanceof Response) return sent;
	const { userId, id } = sent.visitor.login;
	const named = sent.form.get("revoke") ?? "";
	if (named === "others") deleteLoginsOf(site.db, userId, id);
	else deleteLoginOf(site.db, userId, named);
	return seeOther("/account");
}

function askPassword(site: Site, request: Request): Response {
	const visitor = admitVisitor(site, request, PASSWORD);
	if (visitor instanceof Response) return visitor;
	return passwordPage({
		email: visitor.login.email,
		csrf: site.forms.issue(visitor.binding, "password"),
	});
}

async function setPassword(site: Site, request: Request): Promise<Response> {
	const sent = await admitForm(site, request, "password", PASSWORD);
	if (sent instanceof Response) return sent;
	const { visitor, form } = sent;
	const { userId, email, id } = visitor.login;
	try {
		const hash = await site.passwords.hash(form.get("password") ?? "");
		changePassword(site, { userId, loginId: id }, hash, form.has("everything"));
		return seeOther("/account", renew(site, visitor));
	} catch (error) {
		return passwordPage({
			email,
			csrf: site.forms.issue(visitor.binding, "password"),
			problem: problemOf(error),
		});
	}
}
