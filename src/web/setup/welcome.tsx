/**
 * Step 1: the holder of the setup link says what is to become of this gateway. Form fields: `token` (until the link was
 * accepted), `choice=new|restore`, hidden `csrf`. The token comes out of the address's fragment by a small script;
 * without scripts it is pasted.
 */
import { ASSETS } from "../assets.tsx";
import { Form } from "../form.tsx";
import { Field, page } from "../layout.tsx";
import { Mark } from "../mark.tsx";
import { Step, stepTitle, type Wrong, wrongAt } from "./step.tsx";

export function welcomePage(fields: {
	readonly csrf: string;
	readonly cookie: string | null;
	readonly version: string;
	/** Whether this browser's link was accepted already. */
	readonly isAccepted: boolean;
	readonly status?: number;
	readonly problems?: readonly Wrong[];
}): Response {
	const { problems = [], isAccepted } = fields;
	return page(
		{
			title: stepTitle("welcome", "Welcome"),
			status: fields.status ?? 200,
			...(isAccepted ? {} : { script: ASSETS.setupScript.path }),
			cookie: fields.cookie,
		},
		<Step
			step="welcome"
			title="Set up your gateway"
			back={null}
			problems={problems}
		>
			<div class="emblem">
				<Mark />
			</div>
			<p>
				Six short pages: who owns it, where it is reached, its first server, and
				your first client. You can stop at any page and come back.
			</p>
			<Form action="/setup" csrf={fields.csrf}>
				{isAccepted ? null : (
					<Field
						name="token"
						label="Setup token"
						type="text"
						autocomplete="off"
						hint="The part of the setup link after the # sign. It begins with sp_su_."
						problem={wrongAt(problems, "token")}
					/>
				)}
				<p class="actions">
					<button type="submit" class="primary" name="choice" value="new">
						Set up a new gateway
					</button>
					<button type="submit" name="choice" value="restore">
						Restore from a backup
					</button>
				</p>
			</Form>
			<p class="quiet version">sallyport {fields.version}</p>
		</Step>,
	);
}
