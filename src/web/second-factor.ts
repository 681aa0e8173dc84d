/**
 * The second step of a sign-in: a code of the app, a passkey, or a recovery code. Until it is done there is no login,
 * only a cookie that this page alone looks for. It works without scripts, but for passkeys.
 */
import { readForm } from "../oauth/parameters.ts";
import {
	assertionOptions,
	judgePasskey,
	worksHere,
} from "../people/passkeys.ts";
import { takeRecoveryCode } from "../people/recovery-codes.ts";
import {
	findSecondFactors,
	hasSecondFactor,
} from "../people/second-factors.ts";
import { attemptSecondFactor } from "../people/throttle.ts";
import { spendTotp } from "../people/totp.ts";
import type { Route } from "../route.ts";
import type { LoginMethod } from "../store/logins.ts";
import { addNotice } from "../store/notices.ts";
import { listPasskeys } from "../store/passkeys.ts";
import { secondFactorPage } from "./account/second-factor.tsx";
import { isOwnPost, safeNext } from "./forms.ts";
import { seeOther } from "./layout.tsx";
import { staleFormPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import { type Problem, tooManyAttempts } from "./problem.tsx";
import {
	findHalfVisitor,
	type HalfVisitor,
	signIn,
	signInHalf,
} from "./visitor.ts";

const PATH = "/login/second";
const ACTION = "second factor";
const NOTICE_SECONDS = 3600;

export function secondFactorRoutes(site: Site): readonly Route[] {
	return [
		{ method: "GET", path: PATH, handler: (request) => ask(site, request) },
		{ method: "POST", path: PATH, handler: (request) => enter(site, request) },
	];
}

/** What follows a first factor that was right: the login, or the question for the second. */
export function admit(
	site: Site,
	request: Request,
	userId: string,
	method: LoginMethod,
	next: string,
): Response {
	if (!hasSecondFactor(site.db, userId))
		return seeOther(next, signIn(site, request, userId, method));
	return seeOther(
		`${PATH}?${new URLSearchParams({ next })}`,
		signInHalf(site, request, userId),
	);
}

function ask(site: Site, request: Request): Response {
	const next = safeNext(
		new URL(request.url).searchParams.get("next"),
		site.issuer,
	);
	const half = findHalfVisitor(site, request);
	return half ? show(site, half, next) : backToLogin(next);
}

function show(
	site: Site,
	half: HalfVisitor,
	next: string,
	problem?: Problem,
): Response {
	const passkeys = listPasskeys(site.db, half.userId).filter((passkey) =>
		worksHere(site, passkey),
	);
	const occasion = { purpose: "second factor", binding: half.binding } as const;
	return secondFactorPage({
		csrf: site.forms.issue(half.binding, ACTION),
		next,
		email: half.email,
		app: findSecondFactors(site.db, half.userId).app,
		passkey:
			passkeys.length === 0
				? null
				: assertionOptions(site, occasion, half.userId),
		...(problem === undefined ? {} : { problem }),
	});
}

async function enter(site: Site, request: Request): Promise<Response> {
	if (!isOwnPost(request, site.issuer)) return staleFormPage();
	const form = await readForm(request);
	const next = safeNext(form.get("next"), site.issuer);
	const half = findHalfVisitor(site, request);
	if (!half) return backToLogin(next);
	if (!site.forms.isValid(half.binding, ACTION, form.get("csrf")))
		return show(site, half, next, {
			status: 403,
			text: "This page was open for too long. Try again.",
		});
	const passkey = form.get("passkey");
	const judged =
		passkey === null
			? judgeCode(site, half, form.get("code") ?? "")
			: await judgeAnswer(site, half, passkey);
	return typeof judged === "string"
		? seeOther(next, signIn(site, request, half.userId, judged))
		: show(site, half, next, judged);
}

async function judgeAnswer(
	site: Site,
	half: HalfVisitor,
	answer: string,
): Promise<LoginMethod | Problem> {
	const occasion = { purpose: "second factor", binding: half.binding } as const;
	const user = await judgePasskey(site, occasion, half.userId, answer);
	return user ? "passkey" : { status: 401, text: "This passkey is not yours." };
}

/** Six digits are the app's; anything else is a recovery code. */
function judgeCode(
	site: Site,
	{ userId }: HalfVisitor,
	code: string,
): LoginMethod | Problem {
	const kind = /^[\d\s]*$/.test(code) ? "totp" : "recovery";
	const attempt = attemptSecondFactor(site, userId, kind);
	if (attempt.waitSeconds > 0) {
		tell(site, userId, "codes slowed", NOTICE_SECONDS);
		return tooManyAttempts(attempt.waitSeconds);
	}
	const isRight =
		kind === "totp"
			? spendTotp(site, userId, code)
			: takeRecoveryCode(site, userId, code);
	if (!isRight)
		return {
			status: 401,
			text: "This code is wrong, too old, or was used already.",
		};
	attempt.succeed();
	if (kind === "recovery") tell(site, userId, "recovery code used");
	return kind;
}

function tell(
	site: Site,
	userId: string,
	kind: "codes slowed" | "recovery code used",
	onceIn = 0,
): void {
	addNotice(site.db, userId, { kind, detail: "" }, site.clock.now(), onceIn);
}

function backToLogin(next: string): Response {
	return seeOther(`/login?${new URLSearchParams({ next })}`);
}
