/**
 * The page that asks for the second factor. Form field: `code`, which is the app's or a recovery code; hidden `csrf` and
 * `next`; a second form for passkeys.
 */
import type { CredentialOptions } from "../../people/passkeys.ts";
import { ASSETS } from "../assets.tsx";
import { Form } from "../form.tsx";
import { Field, Notice, page } from "../layout.tsx";
import { PasskeyForm } from "../passkey.tsx";
import { type Problem, problemOptions } from "../problem.tsx";

export function secondFactorPage(fields: {
	readonly csrf: string;
	readonly next: string;
	readonly email: string;
	/** Whether there is an authenticator app. */
	readonly app: boolean;
	/** Null when no passkey works here. */
	readonly passkey: CredentialOptions | null;
	readonly problem?: Problem;
}): Response {
	const { problem, passkey, csrf, next, app } = fields;
	return page(
		{
			title: "Second step",
			...problemOptions(problem),
			...(passkey === null ? {} : { script: ASSETS.passkeyScript.path }),
		},
		<>
			<h1>One more step</h1>
			<p>
				You are signing in as <strong>{fields.email}</strong>, who asked for a
				second proof.
			</p>
			{problem === undefined ? null : (
				<Notice word="Not signed in">{problem.text}</Notice>
			)}
			{passkey === null ? null : (
				<PasskeyForm
					action="/login/second"
					ceremony="get"
					options={passkey}
					fields={{ csrf, next }}
					button="Use your passkey"
					primary={!app}
				/>
			)}
			<Form action="/login/second" csrf={csrf}>
				<input type="hidden" name="next" value={next} />
				<Field
					name="code"
					label={app ? "Code" : "Recovery code"}
					type="text"
					autocomplete="one-time-code"
					hint={
						app
							? "Six digits from your authenticator app, or one of your recovery codes."
							: "One of the codes you kept when you made your passkey."
					}
				/>
				<p class="actions">
					<button type="submit" {...(app ? { class: "primary" } : {})}>
						Continue
					</button>
				</p>
			</Form>
			<p>
				<a href={`/login?${new URLSearchParams({ next })}`}>
					Sign in as someone else
				</a>
			</p>
		</>,
	);
}
