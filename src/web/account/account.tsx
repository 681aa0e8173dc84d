/**
 * A person's account on one page. Forms: notices `up_to`; logins `revoke=<id>|others`; factors `remove=app|<id>`; codes;
 * each with a hidden `csrf`.
 */
import type { VNode } from "preact";
import type { Role } from "../../caller.ts";
import { RECOVERY_CODES } from "../../people/recovery-codes.ts";
import { may } from "../../rights.ts";
import type { Identity } from "../../store/identities.ts";
import type { ListedLogin, LoginMethod } from "../../store/logins.ts";
import type { NoticeKind, Notice as Told } from "../../store/notices.ts";
import type { Passkey } from "../../store/passkeys.ts";
import type { Totp } from "../../store/totp.ts";
import { Form } from "../form.tsx";
import { page } from "../layout.tsx";
import { Table } from "../table.tsx";
import { Time } from "../time.tsx";
import { ROLE_NAMES } from "./people.tsx";

type AccountFields = {
	readonly email: string;
	readonly role: Role;
	/** The login that looks at the page. */
	readonly loginId: string;
	readonly csrf: string;
	readonly notices: readonly Told[];
	readonly hasPassword: boolean;
	readonly app: Pick<Totp, "createdAt" | "lastUsedAt"> | null;
	readonly passkeys: readonly (Passkey & { readonly worksHere: boolean })[];
	/** Null without a provider. */
	readonly linked: {
		readonly host: string;
		readonly identity: Identity | null;
	} | null;
	readonly recoveryCodes: number;
	readonly logins: readonly ListedLogin[];
};

export function accountPage(fields: AccountFields): Response {
	const { email, role, csrf, hasPassword } = fields;
	return page(
		{
			title: "Account",
			nav: {
				current: "/account",
				administers: may(role, "run the gateway"),
			},
		},
		<>
			<h1>Your account</h1>
			<p>
				{email}, {ROLE_NAMES[role]} here.
			</p>
			<Notices notices={fields.notices} csrf={csrf} />
			<h2>Password</h2>
			<p>
				{hasPassword ? "You have one." : "You have none."}{" "}
				<a href="/account/password">
					{hasPassword ? "Change it" : "Choose one"}
				</a>
			</p>
			<Factors {...fields} />
			<Linked {...fields} />
			<Logins {...fields} />
		</>,
	);
}

function Notices(props: {
	readonly notices: readonly Told[];
	readonly csrf: string;
}): VNode | null {
	const [newest] = props.notices;
	if (!newest) return null;
	return (
		<Form action="/account/notices" csrf={props.csrf} class="notice">
			<input type="hidden" name="up_to" value={newest.id} />
			<p>
				<strong>What happened to your account.</strong> If one of these was not
				you, change your password.
			</p>
			<ul>
				{props.notices.map(({ id, at, kind, detail }) => (
					<li key={id}>
						<Time at={at} />: {tell(kind, detail)}
					</li>
				))}
			</ul>
			<button type="submit" class="plain">
				Put away
			</button>
		</Form>
	);
}

function tell(kind: NoticeKind, detail: string): string {
	switch (kind) {
		case "sign-ins slowed":
			return `someone guessed at your password from ${detail}, and was slowed down`;
		case "codes slowed":
			return "someone who knows your password guessed at your codes, and was slowed down";
		case "password changed":
			return "your password was changed";
		case "second factors reset":
			return "an administrator took your second factors away";
		case "app added":
			return "an authenticator app was set up";
		case "app removed":
			return "the authenticator app was removed";
		case "passkey added":
			return `a passkey was added, “${detail}”`;
		case "passkey removed":
			return "a passkey was removed";
		case "passkey counter went back":
			return `the passkey “${detail}” counts backwards, as a copy of it would`;
		case "recovery codes made":
			return "new recovery codes were made";
		case "recovery code used":
			return "a recovery code signed you in";
		case "account linked":
			return `your account was linked with ${detail}`;
		case "account unlinked":
			return `the link with ${detail} was removed`;
		case "connection lost":
			return `${detail} no longer accepts your sign-in: connect it again under Connections`;
	}
}

function Factors(fields: AccountFields): VNode {
	const { app, passkeys, recoveryCodes, csrf } = fields;
	const hasAny = app !== null || passkeys.length > 0;
	return (
		<>
			<h2>Second step</h2>
			<p>
				{hasAny
					? "You are asked for one of these after your password."
					: "Your password alone signs you in. Add a second step, so that a stolen one is not enough."}
			</p>
			{hasAny ? (
				<Form action="/account/factors" csrf={csrf}>
					<Table
						caption="What you sign in with"
						columns={["What", "Since", "Last used", "Remove"]}
					>
						{app === null ? null : (
							<tr>
								<th scope="row">Authenticator app</th>
								<td data-label="Since">
									<Time at={app.createdAt} />
								</td>
								<td data-label="Last used">
									<Used at={app.lastUsedAt} />
								</td>
								<td>
									<Remove value="app" what="the authenticator app" />
								</td>
							</tr>
						)}
						{passkeys.map((passkey) => (
							<tr key={passkey.id}>
								<th scope="row">
									Passkey “<bdi>{passkey.name}</bdi>”
									{passkey.worksHere ? null : (
										<span class="quiet"> works at {passkey.rpId} only</span>
									)}
								</th>
								<td data-label="Since">
									<Time at={passkey.createdAt} />
								</td>
								<td data-label="Last used">
									<Used at={passkey.lastUsedAt} />
								</td>
								<td>
									<Remove
										value={passkey.id}
										what={`the passkey ${passkey.name}`}
									/>
								</td>
							</tr>
						))}
					</Table>
				</Form>
			) : null}
			<p class="actions">
				<a class="button" href="/account/app">
					{app === null ? "Set up an app" : "Change the app"}
				</a>
				<a class="button" href="/account/passkey">
					Add a passkey
				</a>
			</p>
			{hasAny ? (
				<Form action="/account/codes" csrf={csrf}>
					<p>
						{recoveryCodes} of {RECOVERY_CODES} recovery codes left.{" "}
						<button type="submit" class="plain">
							Make new ones
						</button>
					</p>
				</Form>
			) : null}
		</>
	);
}

function Linked({ linked, csrf }: AccountFields): VNode | null {
	if (linked === null) return null;
	const { host, identity } = linked;
	return (
		<Form action="/account/unlink" csrf={csrf}>
			<h2>Your account at {host}</h2>
			{identity === null ? (
				<p>
					Not linked. <a href="/account/link">Link it</a>, and it signs you in
					here too.
				</p>
			) : (
				<p>
					Linked as {identity.email} since <Time at={identity.createdAt} />.{" "}
					<button type="submit" class="plain">
						Remove the link
					</button>
				</p>
			)}
		</Form>
	);
}

function Used({ at }: { readonly at: number | null }): VNode {
	return at === null ? <>not yet</> : <Time at={at} />;
}

function Remove(props: {
	readonly value: string;
	readonly what: string;
}): VNode {
	return (
		<button
			type="submit"
			name="remove"
			value={props.value}
			class="plain"
			aria-label={`Remove ${props.what}`}
		>
			Remove
		</button>
	);
}

function Logins({ logins, loginId, csrf }: AccountFields): VNode {
	return (
		<Form action="/account/logins" csrf={csrf}>
			<h2>Where you are signed in</h2>
			<Table
				caption="Browsers. One that is not used ends after 12 hours."
				columns={["Browser", "From", "Signed in", "Last used", "End it"]}
			>
				{logins.map((login) => (
					<tr key={login.id}>
						<th scope="row">{nameAgent(login.agent)}</th>
						<td data-label="From">{login.address}</td>
						<td data-label="Signed in">
							<Time at={login.createdAt} /> {METHODS[login.method]}
						</td>
						<td data-label="Last used">
							<Time at={login.lastSeenAt} />
						</td>
						<td>
							{login.id === loginId ? (
								"this one"
							) : (
								<button
									type="submit"
									name="revoke"
									value={login.id}
									class="plain"
									aria-label={`Sign out ${nameAgent(login.agent)} at ${login.address}`}
								>
									Sign out
								</button>
							)}
						</td>
					</tr>
				))}
			</Table>
			{logins.length > 1 ? (
				<p class="actions">
					<button type="submit" name="revoke" value="others">
						Sign out all others
					</button>
				</p>
			) : null}
		</Form>
	);
}

const METHODS: Readonly<Record<LoginMethod, string>> = {
	password: "by password",
	totp: "by password and app",
	passkey: "by passkey",
	recovery: "by recovery code",
	provider: "by a linked account",
	link: "by a link",
};

/** A browser in two words, for people; what it really calls itself says more than that, and may be a lie. */
function nameAgent(agent: string): string {
	const browser =
		/(Edg|OPR|Firefox|Chrome|Safari)\//.exec(
			agent.replace(/Chrome(?=.*(?:Edg|OPR)\/)/, ""),
		)?.[1] ?? "";
	const system =
		/\b(Android|iPhone|iPad|Windows|Mac OS X|Linux)\b/.exec(agent)?.[1] ?? "";
	const name =
		{ Edg: "Edge", OPR: "Opera", "": "A browser" }[browser] ?? browser;
	return system === ""
		? name
		: `${name} on ${system === "Mac OS X" ? "Mac" : system}`;
}
