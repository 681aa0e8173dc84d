/** The page that asks someone who is signed in for another proof. Form field: `password`; a second form for passkeys. */
import type { CredentialOptions } from "../../people/passkeys.ts";
import { ASSETS } from "../assets.tsx";
import { Form } from "../form.tsx";
import { Field, Notice, page } from "../layout.tsx";
import { PasskeyForm } from "../passkey.tsx";
import { type Problem, problemOptions } from "../problem.tsx";
import { AccountName } from "./password.tsx";

export function reauthenticatePage(fields: {
	readonly csrf: string;
	readonly next: string;
	readonly email: string;
	/** Whether they have one. */
	readonly password: boolean;
	/** Null when no passkey works here. */
	readonly passkey: CredentialOptions | null;
	/** The host of the provider their account is linked with, or null. */
	readonly provider: string | null;
	readonly problem?: Problem;
}): Response {
	const { csrf, next, email, password, passkey, provider, problem } = fields;
	return page(
		{
			title: "Is it you",
			...problemOptions(problem),
			...(passkey === null ? {} : { script: ASSETS.passkeyScript.path }),
		},
		<>
			<h1>Show that it is you</h1>
			<p>
				What you are about to do can lock you out or let someone in. You are
				asked once, then not again for 15 minutes.
			</p>
			{problem === undefined ? null : (
				<Notice word="Not yet">{problem.text}</Notice>
			)}
			{passkey === null ? null : (
				<PasskeyForm
					action="/reauthenticate"
					ceremony="get"
					options={passkey}
					fields={{ csrf, next }}
					button="Use your passkey"
					primary={!password}
				/>
			)}
			{password ? (
				<Form action="/reauthenticate" csrf={csrf}>
					<input type="hidden" name="next" value={next} />
					<AccountName email={email} />
					<Field
						name="password"
						label={`Password of ${email}`}
						type="password"
						autocomplete="current-password"
					/>
					<p class="actions">
						<button type="submit" class="primary">
							Continue
						</button>
					</p>
				</Form>
			) : null}
			{provider === null ? null : (
				<p class="actions">
					<a
						class="button"
						href={`/reauthenticate/provider?${new URLSearchParams({ next })}`}
					>
						Sign in again at {provider}
					</a>
				</p>
			)}
			{password || passkey !== null || provider !== null ? null : (
				<p>
					You have no password and no passkey here. Sign out and in again; that
					counts as well.
				</p>
			)}
		</>,
	);
}
