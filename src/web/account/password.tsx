/** The page where a person changes their password. Form fields: `password`, `everything` (a tick box), hidden `csrf`. */
import type { VNode } from "preact";
import { PASSWORD_LENGTH_MIN } from "../../people/passwords.ts";
import { Form } from "../form.tsx";
import { Field, page } from "../layout.tsx";
import { NotDone, type Problem, problemOptions } from "../problem.tsx";

export function passwordPage(fields: {
	readonly email: string;
	readonly csrf: string;
	readonly problem?: Problem;
}): Response {
	const { problem } = fields;
	return page(
		{ title: "Password", ...problemOptions(problem) },
		<>
			<h1>Choose a new password</h1>
			<p>Every other browser you are signed in with has to sign in again.</p>
			<NotDone problem={problem} />
			<Form action="/account/password" csrf={fields.csrf}>
				<AccountName email={fields.email} />
				<NewPassword />
				<label class="box">
					<input type="checkbox" name="everything" />
					End what clients and keys of mine may do, too
				</label>
				<p class="hint">
					Tick this if someone else may know the old one. Clients then ask you
					again.
				</p>
				<p class="actions">
					<button type="submit" class="primary">
						Save
					</button>
				</p>
			</Form>
			<p>
				<a href="/account">Back to your account</a>
			</p>
		</>,
	);
}

/** The field for a password that is being chosen. */
export function NewPassword(): VNode {
	return (
		<Field
			name="password"
			label="New password"
			type="password"
			autocomplete="new-password"
			minLength={PASSWORD_LENGTH_MIN}
			hint={`At least ${PASSWORD_LENGTH_MIN} characters. Four random words make a good one.`}
		/>
	);
}

/** For password managers: which account a password is of. Not `type="hidden"`, which they do not look at. */
export function AccountName(props: { readonly email: string }): VNode {
	return (
		<input
			type="text"
			autocomplete="username"
			value={props.email}
			readOnly
			hidden
		/>
	);
}
