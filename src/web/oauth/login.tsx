/**
 * The page where a person signs in. Form fields: `email`, `password`, and hidden `csrf` and `next`; a second form for
 * passkeys. It says the same whether the address or the password was wrong.
 */
import type { CredentialOptions } from "../../people/passkeys.ts";
import { ASSETS } from "../assets.tsx";
import { Form } from "../form.tsx";
import { Field, Notice, page } from "../layout.tsx";
import { PasskeyForm } from "../passkey.tsx";
import { type Problem, problemOptions } from "../problem.tsx";

/** @param fields.next where to go afterwards, judged to be on this origin */
export function loginPage(fields: {
	readonly csrf: string;
	readonly next: string;
	readonly email?: string;
	readonly cookie: string | null;
	/** Null where there can be no passkeys. */
	readonly passkey: CredentialOptions | null;
	/** The host of the provider one may sign in with, or null. */
	readonly provider: string | null;
	readonly problem?: Problem;
}): Response {
	const { problem, passkey, csrf, next } = fields;
	return page(
		{
			title: "Sign in",
			...problemOptions(problem),
			cookie: fields.cookie,
			...(passkey === null ? {} : { script: ASSETS.passkeyScript.path }),
		},
		<>
			<h1>Sign in</h1>
			{problem === undefined ? null : (
				<Notice word="Not signed in">{problem.text}</Notice>
			)}
			<Form action="/login" csrf={csrf}>
				<input type="hidden" name="next" value={next} />
				<Field
					name="email"
					label="E-mail"
					type="email"
					autocomplete="username"
					value={fields.email ?? ""}
				/>
				<Field
					name="password"
					label="Password"
					type="password"
					autocomplete="current-password"
				/>
				<p class="actions">
					<button type="submit" class="primary">
						Sign in
					</button>
				</p>
			</Form>
			{passkey === null ? null : (
				<PasskeyForm
					action="/login/passkey"
					ceremony="get"
					options={passkey}
					fields={{ csrf, next }}
					button="Use a passkey"
				/>
			)}
			{fields.provider === null ? null : (
				<p class="actions">
					<a
						class="button"
						href={`/login/provider?${new URLSearchParams({ next })}`}
					>
						Sign in with {fields.provider}
					</a>
				</p>
			)}
		</>,
	);
}
