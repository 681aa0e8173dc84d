/** Step 1, the other way: a backup takes the place of everything. Form fields: `backup` (a file), `key`, hidden `csrf`. */
import type { BackupContents } from "../../ops/backup.ts";
import { Form } from "../form.tsx";
import { Field, page } from "../layout.tsx";
import { Time } from "../time.tsx";
import { Onward, Step, stepTitle, type Wrong, wrongAt } from "./step.tsx";

export function restorePage(fields: {
	readonly csrf: string;
	readonly cookie: string | null;
	readonly mebibytesMax: number;
	readonly status?: number;
	readonly problems?: readonly Wrong[];
}): Response {
	const { problems = [] } = fields;
	const problem = wrongAt(problems, "backup");
	return page(
		{
			title: stepTitle("welcome", "Restore"),
			status: fields.status ?? 200,
			cookie: fields.cookie,
		},
		<Step
			step="welcome"
			title="Restore from a backup"
			back="/setup"
			problems={problems}
		>
			<p>
				The people, servers and secrets of the backup come to this machine.
				Packages are fetched again afterwards.
			</p>
			<Form
				action="/setup/restore"
				csrf={fields.csrf}
				encType="multipart/form-data"
			>
				<label for="backup">Backup</label>
				{problem === undefined ? null : (
					<p class="problem" id="backup-problem">
						{problem}
					</p>
				)}
				<input
					type="file"
					id="backup"
					name="backup"
					accept=".backup"
					required
					aria-describedby={
						problem === undefined ? "backup-hint" : "backup-problem backup-hint"
					}
				/>
				<p class="hint" id="backup-hint">
					A file that ends in .backup, of at most {fields.mebibytesMax} MiB. A
					larger one is restored on the machine itself:{" "}
					<code>sallyport restore FILE</code>
				</p>
				<Field
					name="key"
					label="Passphrase or recovery code"
					type="password"
					autocomplete="off"
					hint="The passphrase the backup was made with, or the code in the recovery kit of the gateway it is of."
					problem={wrongAt(problems, "key")}
				/>
				<Onward label="Restore" />
			</Form>
		</Step>,
	);
}

/** What was restored, while the gateway starts with it. */
export function restoredPage(contents: BackupContents): Response {
	return page(
		{ title: "Restored", headers: { Refresh: "4; url=/login?next=%2Fsetup" } },
		<Step step="welcome" title="The backup is restored" back={null}>
			<p>
				The gateway is starting with it, which takes some seconds. Then sign in
				as {contents.owner ?? "its owner"}, with the password of that time.
			</p>
			<table>
				<caption>What came back</caption>
				<tbody>
					<tr>
						<th scope="row">Made</th>
						<td>
							<Time at={contents.createdAt} />
						</td>
					</tr>
					<tr>
						<th scope="row">People</th>
						<td>{contents.users}</td>
					</tr>
					<tr>
						<th scope="row">Servers</th>
						<td>{contents.servers.join(", ") || "none"}</td>
					</tr>
				</tbody>
			</table>
			<p class="actions">
				<a class="button primary" href="/login?next=%2Fsetup">
					Sign in
				</a>
			</p>
		</Step>,
	);
}
