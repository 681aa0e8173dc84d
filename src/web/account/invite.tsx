/** The page where an invited person chooses a password. Form fields: `password`, and hidden `csrf`. */
import type { Role } from "../../caller.ts";
import { Form } from "../form.tsx";
import { page } from "../layout.tsx";
import { NotDone, type Problem, problemOptions } from "../problem.tsx";
import { AccountName, NewPassword } from "./password.tsx";
import { ROLE_NAMES } from "./people.tsx";

export function invitePage(fields: {
	readonly token: string;
	readonly email: string;
	readonly role: Role;
	readonly csrf: string;
	readonly cookie: string | null;
	readonly problem?: Problem;
}): Response {
	const { problem } = fields;
	return page(
		{
			title: "Choose a password",
			...problemOptions(problem),
			cookie: fields.cookie,
		},
		<>
			<h1>Choose a password</h1>
			<p>
				You were invited as <strong>{fields.email}</strong>,{" "}
				{ROLE_NAMES[fields.role]}. This link works once.
			</p>
			<NotDone problem={problem} />
			<Form action={`/invite/${fields.token}`} csrf={fields.csrf}>
				<AccountName email={fields.email} />
				<NewPassword />
				<p class="actions">
					<button type="submit" class="primary">
						Save and sign in
					</button>
				</p>
			</Form>
		</>,
	);
}
