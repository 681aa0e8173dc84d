/**
 * Signing in and out. An attempt is counted before the password is looked at, and what failed is not said. A password
 * signs in whoever has no second factor; a passkey that verified its person signs in by itself.
 */
import { networkOf } from "../oauth/limits.ts";
import { readForm } from "../oauth/parameters.ts";
import { isClaimed } from "../ops/setup.ts";
import {
	assertionOptions,
	judgePasskey,
	passkeyHost,
} from "../people/passkeys.ts";
import { attemptPassword } from "../people/throttle.ts";
import type { Route } from "../route.ts";
import { addNotice } from "../store/notices.ts";
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
import { type Problem, tooManyAttempts } from "./problem.tsx";
import { admit } from "./second-factor.ts";
import {
	findVisitor,
	formBinding,
	isKnownHere,
	signIn,
	signOut,
} from "./visitor.ts";

const ACTION = "login";
/** A person is told at most once in this long that someone guesses. */
const NOTICE_SECONDS = 3600;

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
			path: "/login/passkey",
			handler: (request) => enterByPasskey(site, request),
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
	return showLogin(site, request, { next });
}

/** The login page, for this browser. */
function showLogin(
	site: Site,
	request: Request,
	fields: {
		readonly next: string;
		readonly email?: string;
		readonly problem?: Problem;
	},
): Response {
	const { binding, cookie } = formBinding(site, request);
	return loginPage({
		...fields,
		csrf: site.forms.issue(binding, ACTION),
		cookie,
		passkey:
			passkeyHost(site.issuer) === null
				? null
				: assertionOptions(site, { purpose: "sign in", binding }, null),
		provider: hostOfProvider(site),
	});
}

/** Where else one may sign in, as people know it. */
export function hostOfProvider(site: Site): string | null {
	const provider = site.provider.find();
	return provider && new URL(provider.issuer).host;
}

async function enter(site: Site, request: Request): Promise<Response> {
	if (!isOwnPost(request, site.issuer)) return staleFormPage();
	const form = await readForm(request);
	const next = safeNext(form.get("next"), site.issuer);
	const email = form.get("email") ?? "";
	const again = (problem: Problem): Response =>
		showLogin(site, request, { next, email, problem });
	const { binding } = formBinding(site, request);
	if (!site.forms.isValid(binding, ACTION, form.get("csrf")))
		return again(TOO_LATE);

	const user = findUserByEmail(site.db, email);
	const attempt = attemptPassword(site, {
		email,
		network: networkOf(site.clientAddress(request)),
		isKnown: user !== null && isKnownHere(site, request, user.id),
	});
	if (attempt.waitSeconds > 0) {
		if (user) tellOfGuesses(site, request, user);
		return again(tooManyAttempts(attempt.waitSeconds));
	}
	if (!(await isProven(site, user, form.get("password") ?? "")) || !user)
		return again({
			status: 401,
			text: "The e-mail address or the password is wrong.",
		});
	attempt.succeed();
	return admit(site, request, user.id, "password", next);
}

async function enterByPasskey(site: Site, request: Request): Promise<Response> {
	if (!isOwnPost(request, site.issuer)) return staleFormPage();
	const form = await readForm(request);
	const next = safeNext(form.get("next"), site.issuer);
	const { binding } = formBinding(site, request);
	if (!site.forms.isValid(binding, ACTION, form.get("csrf")))
		return showLogin(site, request, { next, problem: TOO_LATE });
	const user = await judgePasskey(
		site,
		{ purpose: "sign in", binding },
		null,
		form.get("passkey") ?? "",
	);
	if (!user)
		return showLogin(site, request, {
			next,
			problem: {
				status: 401,
				text: "This passkey does not sign in here. Use your password.",
			},
		});
	// It is two factors by itself: something they have, and it verified them.
	return seeOther(next, signIn(site, request, user.id, "passkey"));
}

const TOO_LATE: Problem = {
	status: 403,
	text: "This page was open for too long. Sign in again.",
};

function tellOfGuesses(site: Site, request: Request, user: User): void {
	addNotice(
		site.db,
		user.id,
		{ kind: "sign-ins slowed", detail: site.clientAddress(request) },
		site.clock.now(),
		NOTICE_SECONDS,
	);
}

/** Whether the password is this user's. The work is the same when there is no such user (attack list 61). */
function isProven(
	site: Site,
	user: User | null,
	password: string,
): Promise<boolean> {
	const hash = user === null ? null : findPasswordHash(site.db, user.id);
	return site.passwords.verify(hash, password);
}

async function leave(site: Site, request: Request): Promise<Response> {
	const visitor = findVisitor(site, request);
	if (!visitor) return seeOther("/login");
	if (!isOwnPost(request, site.issuer)) return staleFormPage();
	const csrf = (await readForm(request)).get("csrf");
	if (!site.forms.isValid(visitor.binding, "logout", csrf))
		return staleFormPage();
	return seeOther("/login", signOut(site, visitor));
}
