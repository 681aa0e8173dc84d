/**
 * A person's second factors: the authenticator app, passkeys, recovery codes. All of it is for a fresh proof, and each
 * change is told to the person. The first factor that is added brings the recovery codes along.
 */
import { changedOwn, renewRecoveryCodes } from "../ops/people.ts";
import {
	passkeyHost,
	registerPasskey,
	registrationOptions,
} from "../people/passkeys.ts";
import { hasSecondFactor } from "../people/second-factors.ts";
import { attemptSecondFactor } from "../people/throttle.ts";
import { confirmTotp, offerTotp } from "../people/totp.ts";
import type { Route } from "../route.ts";
import { transaction } from "../store/database.ts";
import { deletePasskey } from "../store/passkeys.ts";
import {
	countRecoveryCodes,
	deleteRecoveryCodes,
} from "../store/recovery-codes.ts";
import { deleteTotp } from "../store/totp.ts";
import { appPage } from "./account/app.tsx";
import { codesPage } from "./account/codes.tsx";
import { passkeyPage } from "./account/passkey.tsx";
import { admitForm, admitVisitor } from "./guard.ts";
import { seeOther } from "./layout.tsx";
import { problemOf } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import { type Problem, tooManyAttempts } from "./problem.tsx";
import { renew, type Visitor } from "./visitor.ts";

const APP = { path: "/account/app", dangerous: true } as const;
const PASSKEY = { path: "/account/passkey", dangerous: true } as const;
const CODES = { path: "/account", dangerous: true } as const;

export function factorRoutes(site: Site): readonly Route[] {
	return [
		{
			method: "GET",
			path: APP.path,
			handler: (request) => askApp(site, request),
		},
		{
			method: "POST",
			path: APP.path,
			handler: (request) => addApp(site, request),
		},
		{
			method: "GET",
			path: PASSKEY.path,
			handler: (request) => askPasskey(site, request),
		},
		{
			method: "POST",
			path: PASSKEY.path,
			handler: (request) => addPasskey(site, request),
		},
		{
			method: "POST",
			path: "/account/factors",
			handler: (request) => removeFactor(site, request),
		},
		{
			method: "POST",
			path: "/account/codes",
			handler: (request) => renewCodes(site, request),
		},
	];
}

function askApp(site: Site, request: Request): Response {
	const visitor = admitVisitor(site, request, APP);
	return visitor instanceof Response ? visitor : showApp(site, visitor, null);
}

function showApp(
	site: Site,
	visitor: Visitor,
	earlier: string | null,
	problem?: Problem,
): Response {
	const { userId, email } = visitor.login;
	const label = `sallyport ${new URL(site.issuer).hostname}`;
	return appPage({
		csrf: site.forms.issue(visitor.binding, "app"),
		offer: offerTotp(site, { id: userId, email }, label, earlier),
		...(problem === undefined ? {} : { problem }),
	});
}

async function addApp(site: Site, request: Request): Promise<Response> {
	const sent = await admitForm(site, request, "app", APP);
	if (sent instanceof Response) return sent;
	const { visitor, form } = sent;
	const { userId } = visitor.login;
	const offer = form.get("offer") ?? "";
	const attempt = attemptSecondFactor(site, userId, "totp");
	if (attempt.waitSeconds > 0)
		return showApp(site, visitor, offer, tooManyAttempts(attempt.waitSeconds));
	const isFirst = !hasSecondFactor(site.db, userId);
	if (!confirmTotp(site, userId, offer, form.get("code") ?? ""))
		return showApp(site, visitor, offer, {
			status: 400,
			text: "This is not the code your app shows. Look whether the clock of your phone is right.",
		});
	attempt.succeed();
	changedOwn(site, userId, "user.app.add", "app added", "");
	return added(site, visitor, isFirst);
}

function askPasskey(site: Site, request: Request): Response {
	const visitor = admitVisitor(site, request, PASSKEY);
	return visitor instanceof Response ? visitor : showPasskey(site, visitor);
}

function showPasskey(
	site: Site,
	visitor: Visitor,
	problem?: Problem,
): Response {
	const { userId, email } = visitor.login;
	return passkeyPage({
		host: passkeyHost(site.issuer),
		csrf: site.forms.issue(visitor.binding, "passkey"),
		options: registrationOptions(site, visitor.binding, { id: userId, email }),
		...(problem === undefined ? {} : { problem }),
	});
}

async function addPasskey(site: Site, request: Request): Promise<Response> {
	const sent = await admitForm(site, request, "passkey", PASSKEY);
	if (sent instanceof Response) return sent;
	const { visitor, form } = sent;
	const { userId } = visitor.login;
	const isFirst = !hasSecondFactor(site.db, userId);
	const name = form.get("name") ?? "";
	try {
		await registerPasskey(site, visitor.binding, userId, {
			name,
			answer: form.get("passkey") ?? "",
		});
	} catch (error) {
		return showPasskey(site, visitor, problemOf(error));
	}
	changedOwn(site, userId, "user.passkey.add", "passkey added", name.trim());
	return added(site, visitor, isFirst);
}

/** Shows the first codes, once; else the account. Either way the login gets another cookie. */
function added(site: Site, visitor: Visitor, isFirst: boolean): Response {
	const { userId } = visitor.login;
	const cookie = renew(site, visitor);
	if (!isFirst && countRecoveryCodes(site.db, userId) > 0)
		return seeOther("/account", cookie);
	return codesPage({ codes: renewRecoveryCodes(site, userId), cookie });
}

/** Takes the app away, `remove=app`, or the passkey of that id. With the last of them the recovery codes go too. */
async function removeFactor(site: Site, request: Request): Promise<Response> {
	const sent = await admitForm(site, request, "account", CODES);
	if (sent instanceof Response) return sent;
	const { visitor, form } = sent;
	const { userId } = visitor.login;
	const named = form.get("remove") ?? "";
	transaction(site.db, () => {
		if (named === "app") {
			if (deleteTotp(site.db, userId))
				changedOwn(site, userId, "user.app.remove", "app removed", "");
		} else if (deletePasskey(site.db, userId, named))
			changedOwn(site, userId, "user.passkey.remove", "passkey removed", "");
		if (!hasSecondFactor(site.db, userId)) deleteRecoveryCodes(site.db, userId);
	});
	return seeOther("/account", renew(site, visitor));
}

async function renewCodes(site: Site, request: Request): Promise<Response> {
	const sent = await admitForm(site, request, "account", CODES);
	if (sent instanceof Response) return sent;
	const { userId } = sent.visitor.login;
	if (!hasSecondFactor(site.db, userId)) return seeOther("/account");
	return codesPage({ codes: renewRecoveryCodes(site, userId), cookie: null });
}
