/**
 * `/reauthenticate`: whoever is signed in proves again who they are, and goes back to where they were. The password or
 * a passkey that verifies them; a second factor was asked for when they signed in. The login gets another cookie.
 */
import { networkOf } from "../oauth/limits.ts";
import { readForm } from "../oauth/parameters.ts";
import {
	assertionOptions,
	judgePasskey,
	worksHere,
} from "../people/passkeys.ts";
import { attemptPassword } from "../people/throttle.ts";
import type { Route } from "../route.ts";
import { findIdentityOf } from "../store/identities.ts";
import { listPasskeys } from "../store/passkeys.ts";
import { findPasswordHash } from "../store/users.ts";
import { reauthenticatePage } from "./account/reauthenticate.tsx";
import { isOwnPost, safeNext } from "./forms.ts";
import { seeOther } from "./layout.tsx";
import { hostOfProvider } from "./login.ts";
import { staleFormPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import { type Problem, tooManyAttempts } from "./problem.tsx";
import { findVisitor, renew, type Visitor } from "./visitor.ts";

const PATH = "/reauthenticate";
const ACTION = "reauthenticate";

export function reauthenticateRoutes(site: Site): readonly Route[] {
	return [
		{ method: "GET", path: PATH, handler: (request) => ask(site, request) },
		{ method: "POST", path: PATH, handler: (request) => prove(site, request) },
	];
}

function ask(site: Site, request: Request): Response {
	const next = safeNext(
		new URL(request.url).searchParams.get("next"),
		site.issuer,
	);
	const visitor = findVisitor(site, request);
	return visitor
		? show(site, visitor, next)
		: seeOther(`/login?${new URLSearchParams({ next })}`);
}

function show(
	site: Site,
	visitor: Visitor,
	next: string,
	problem?: Problem,
): Response {
	const { userId, email } = visitor.login;
	const hasPasskey = listPasskeys(site.db, userId).some((passkey) =>
		worksHere(site, passkey),
	);
	return reauthenticatePage({
		csrf: site.forms.issue(visitor.binding, ACTION),
		next,
		email,
		password: findPasswordHash(site.db, userId) !== null,
		passkey: hasPasskey
			? assertionOptions(
					site,
					{ purpose: "prove", binding: visitor.binding },
					userId,
				)
			: null,
		provider: isLinked(site, userId) ? hostOfProvider(site) : null,
		...(problem === undefined ? {} : { problem }),
	});
}

function isLinked(site: Site, userId: string): boolean {
	const provider = site.provider.find();
	return (
		provider !== null &&
		findIdentityOf(site.db, provider.issuer, userId) !== null
	);
}

async function prove(site: Site, request: Request): Promise<Response> {
	if (!isOwnPost(request, site.issuer)) return staleFormPage();
	const form = await readForm(request);
	const next = safeNext(form.get("next"), site.issuer);
	const visitor = findVisitor(site, request);
	if (!visitor) return seeOther(`/login?${new URLSearchParams({ next })}`);
	if (!site.forms.isValid(visitor.binding, ACTION, form.get("csrf")))
		return staleFormPage();
	const passkey = form.get("passkey");
	const problem =
		passkey === null
			? await judgePassword(site, request, visitor, form.get("password") ?? "")
			: await judgeAnswer(site, visitor, passkey);
	return problem === null
		? seeOther(next, renew(site, visitor))
		: show(site, visitor, next, problem);
}

async function judgePassword(
	site: Site,
	request: Request,
	{ login }: Visitor,
	password: string,
): Promise<Problem | null> {
	const attempt = attemptPassword(site, {
		email: login.email,
		network: networkOf(site.clientAddress(request)),
		isKnown: true,
	});
	if (attempt.waitSeconds > 0) return tooManyAttempts(attempt.waitSeconds);
	const hash = findPasswordHash(site.db, login.userId);
	if (!(await site.passwords.verify(hash, password)))
		return { status: 401, text: "The password is wrong." };
	attempt.succeed();
	return null;
}

async function judgeAnswer(
	site: Site,
	{ binding, login }: Visitor,
	answer: string,
): Promise<Problem | null> {
	const occasion = { purpose: "prove", binding } as const;
	return (await judgePasskey(site, occasion, login.userId, answer))
		? null
		: { status: 401, text: "This passkey is not yours." };
}
