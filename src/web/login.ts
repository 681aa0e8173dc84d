/** Signing in and out. An attempt is counted before the password is looked at, and what failed is not said. */

import {
	LOGIN_ATTEMPTS_MAX,
	LOGIN_ATTEMPTS_WINDOW_SECONDS,
} from "../oauth/authorization-server.ts";
import { networkOf } from "../oauth/limits.ts";
import { readForm } from "../oauth/parameters.ts";
import { isClaimed } from "../ops/setup.ts";
import type { Route } from "../route.ts";
import {
	countAttempt,
	forgetAttempts,
	forgiveAttempt,
} from "../store/logins.ts";
import {
	findPasswordHash,
	findUserByEmail,
	type User,
} from "../store/users.ts";
import { unclaimedPage } from "./dashboard/home.tsx";
import { isOwnPost, safeNext } from "./forms.ts";
import { seeOther } from "./layout.tsx";
import { staleFormPage } from "./oauth/error.tsx";
import { loginPage } from "./oauth/login.tsx";
import type { Site } from "./pages.ts";
import { findVisitor, formBinding, signIn, signOut } from "./visitor.ts";

const ACTION = "login";

export function loginRoutes(site: Site): readonly Route[] {
	return [
		{ method: "GET", path: "/login", handler: (request) => ask(site, request) },
		{
			method: "POST",
			path: "/login",
			handler: (request) => enter(site, request),
		},
		{
			method: "POST",
			path: "/logout",
			handler: (request) => leave(site, request),
		},
	];
}

function ask(site: Site, request: Request): Response {
	if (!isClaimed(site.db)) return unclaimedPage();
	const next = safeNext(
		new URL(request.url).searchParams.get("next"),
		site.issuer,
	);
	if (findVisitor(site, request)) return seeOther(next);
	const { binding, cookie } = formBinding(site, request);
	return loginPage({ csrf: site.forms.issue(binding, ACTION), next, cookie });
}

async function enter(site: Site, request: Request): Promise<Response> {
	if (!isOwnPost(request, site.issuer)) return staleFormPage();
	const form = await readForm(request);
	const next = safeNext(form.get("next"), site.issuer);
	const email = form.get("email") ?? "";
	const { binding, cookie } = formBinding(site, request);
	const again = (problem: {
		readonly status: number;
		readonly text: string;
		readonly retryAfterSeconds?: number;
	}): Response =>
		loginPage({
			csrf: site.forms.issue(binding, ACTION),
			next,
			email,
			cookie,
			problem,
		});

	if (!site.forms.isValid(binding, ACTION, form.get("csrf")))
		return again({
			status: 403,
			text: "This page was open for too long. Sign in again.",
		});
	const attempts = subjects(site, request, email);
	for (const { subject, max } of attempts) {
		const wait = countAttempt(
			site.db,
			subject,
			{ max, windowSeconds: LOGIN_ATTEMPTS_WINDOW_SECONDS },
			site.clock.now(),
		);
		if (wait > 0)
			return again({
				status: 429,
				text: `Too many attempts. Wait ${Math.ceil(wait / 60)} minutes.`,
				retryAfterSeconds: wait,
			});
	}
	const user = await findProven(site, email, form.get("password") ?? "");
	if (!user)
		return again({
			status: 401,
			text: "The e-mail address or the password is wrong.",
		});
	// Whoever has an account of their own must not wipe out their guesses at others.
	for (const { subject, shared } of attempts)
		if (shared) forgiveAttempt(site.db, subject);
		else forgetAttempts(site.db, subject);
	return seeOther(next, signIn(site, request, user.id));
}

/** The user whose password this is. The work is the same when there is no such user (attack list 61). */
async function findProven(
	site: Site,
	email: string,
	password: string,
): Promise<User | null> {
	const user = findUserByEmail(site.db, email);
	const hash = user === null ? null : findPasswordHash(site.db, user.id);
	return (await site.passwords.verify(hash, password)) ? user : null;
}

type Attempt = {
	readonly subject: string;
	readonly max: number;
	/** Whether other people's attempts count here too. */
	readonly shared: boolean;
};

/** What an attempt counts against. Keyed hashes, because people type passwords into the wrong field. */
function subjects(
	site: Site,
	request: Request,
	email: string,
): readonly Attempt[] {
	const account = email.trim().toLowerCase();
	const network = networkOf(site.clientAddress(request));
	const subject = (kind: string, name: string): string =>
		Buffer.from(site.vault.mac(`login/${kind}/${name}`)).toString("base64url");
	return [
		{
			subject: subject("account at address", `${network}/${account}`),
			max: LOGIN_ATTEMPTS_MAX.accountAtAddress,
			shared: false,
		},
		{
			subject: subject("address", network),
			max: LOGIN_ATTEMPTS_MAX.address,
			shared: true,
		},
		{
			subject: subject("account", account),
			max: LOGIN_ATTEMPTS_MAX.account,
			shared: false,
		},
	];
}

async function leave(site: Site, request: Request): Promise<Response> {
	const visitor = findVisitor(site, request);
	if (!visitor) return seeOther("/login");
	if (!isOwnPost(request, site.issuer)) return staleFormPage();
	const csrf = (await readForm(request)).get("csrf");
	const binding = Buffer.from(visitor.hash).toString("base64url");
	if (!site.forms.isValid(binding, "logout", csrf)) return staleFormPage();
	return seeOther("/login", signOut(site, visitor));
}
