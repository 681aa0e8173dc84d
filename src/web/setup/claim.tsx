/**
 * The page where the holder of the setup link becomes the owner. Form fields: `token`, `email`, `password`, and hidden
 * `csrf`. The token comes out of the address's fragment by a small script; without scripts it is pasted.
 */
import { NewPassword } from "../account/password.tsx";
import { listAssets } from "../assets.tsx";
import { Field, Notice, page } from "../layout.tsx";

export function claimPage(fields: {
	readonly csrf: string;
	readonly cookie: string | null;
	readonly token?: string;
	readonly email?: string;
	readonly problem?: { readonly status: number; readonly text: string };
}): Response {
	const { problem } = fields;
	return page(
		{
			title: "Set up",
			status: problem?.status ?? 200,
			script: listAssets().setupScript.path,
			cookie: fields.cookie,
		},
		<>
			<h1>Make this gateway yours</h1>
			<p>
				You become its owner: the one who adds servers and people. The setup
				link works once.
			</p>
			{problem === undefined ? null : (
				<Notice word="Not done">{problem.text}</Notice>
			)}
			<form method="post" action="/setup">
				<input type="hidden" name="csrf" value={fields.csrf} />
				<Field
					name="token"
					label="Setup token"
					type="text"
					autocomplete="off"
					value={fields.token ?? ""}
					hint="The part of the setup link after the # sign. It begins with sp_su_."
				/>
				<Field
					name="email"
					label="E-mail"
					type="email"
					autocomplete="username"
					value={fields.email ?? ""}
				/>
				<NewPassword />
				<p class="actions">
					<button type="submit" class="primary">
						Become the owner
					</button>
				</p>
			</form>
		</>,
	);
}
