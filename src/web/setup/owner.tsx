/**
 * Step 2: the holder of the setup link becomes the owner, and saves the recovery kit. Form fields: `email`, `password`;
 * then `saved` (a tick box); each with hidden `csrf`.
 */
import { NewPassword } from "../account/password.tsx";
import { Form } from "../form.tsx";
import { Field, page } from "../layout.tsx";
import { Onward, Step, stepTitle, type Wrong, wrongAt } from "./step.tsx";

export function ownerPage(fields: {
	readonly csrf: string;
	readonly cookie: string | null;
	readonly email?: string;
	readonly status?: number;
	readonly problems?: readonly Wrong[];
}): Response {
	const { problems = [] } = fields;
	return page(
		{
			title: stepTitle("owner", "Owner"),
			status: fields.status ?? 200,
			cookie: fields.cookie,
		},
		<Step
			step="owner"
			title="Make this gateway yours"
			back="/setup"
			problems={problems}
		>
			<p>
				You become its owner: the one who adds servers and people. The setup
				link works once.
			</p>
			<Form action="/setup/owner" csrf={fields.csrf}>
				<Field
					name="email"
					label="E-mail"
					type="email"
					autocomplete="username"
					value={fields.email ?? ""}
					hint="You sign in with it. No mail is sent to it."
					problem={wrongAt(problems, "email")}
				/>
				<NewPassword />
				<Onward label="Become the owner" />
			</Form>
		</Step>,
	);
}

export function kitPage(fields: {
	readonly csrf: string;
	/** The kit as text; null when it was saved already. */
	readonly kit: string | null;
	readonly problems?: readonly Wrong[];
}): Response {
	const { kit, problems = [] } = fields;
	return page(
		{
			title: stepTitle("owner", "Recovery kit"),
			status: problems.length > 0 ? 400 : 200,
		},
		<Step
			step="owner"
			title="Save the recovery kit"
			back={null}
			problems={problems}
		>
			{kit === null ? (
				<p>
					It is saved. To print it again, run{" "}
					<code>sallyport recovery-kit</code> on the machine.
				</p>
			) : (
				<>
					<p>
						This page opens every backup of this gateway. Without it, a machine
						that is lost takes your secrets with it. Keep it on paper or in a
						password manager, apart from the machine.
					</p>
					<pre class="kit">{kit}</pre>
					<p>
						<a href="/setup/kit.txt" download="sallyport-recovery-kit.txt">
							Download it as a text file
						</a>
					</p>
				</>
			)}
			<Form action="/setup/kit" csrf={fields.csrf}>
				{kit === null ? null : (
					<label class="box" for="saved">
						<input type="checkbox" id="saved" name="saved" required />I saved it
					</label>
				)}
				<Onward label="Continue" />
			</Form>
		</Step>,
	);
}
