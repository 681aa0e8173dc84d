/** Step 6: backups, and where to go from here. Form fields: `nightly` (a tick box), hidden `csrf`. */

import { Form } from "../form.tsx";
import { page } from "../layout.tsx";
import { Onward, Step, stepTitle } from "./step.tsx";

export function donePage(fields: {
	readonly csrf: string;
	readonly isNightly: boolean;
	readonly endpoint: string;
}): Response {
	return page(
		{ title: stepTitle("done", "Done") },
		<Step step="done" title="One last thing" back="/setup/client">
			<Form action="/setup/done" csrf={fields.csrf}>
				<label class="box" for="nightly">
					<input
						type="checkbox"
						id="nightly"
						name="nightly"
						checked={fields.isNightly}
						aria-describedby="nightly-hint"
					/>
					Make a backup each night, and keep seven
				</label>
				<p class="hint" id="nightly-hint">
					They lie on this machine, and the code in your recovery kit opens
					them. Copy one elsewhere now and then:{" "}
					<code>sallyport backup list</code> says where they are.
				</p>
				<Onward label="Finish" />
			</Form>
			<h2>From here on</h2>
			<ul>
				<li>
					Your clients use <code class="copy">{fields.endpoint}</code>, on every
					device.
				</li>
				<li>
					<a href="/account">Add a second factor</a> to your account, because it
					now leads to your other ones.
				</li>
				<li>
					<a href="/people">Invite others</a>; each keeps secrets of their own.
				</li>
			</ul>
		</Step>,
	);
}
