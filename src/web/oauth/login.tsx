/**
 * The page where a person signs in. Form fields: `email`, `password`, and hidden `csrf` and `next`.
 * It says the same whether the address or the password was wrong.
 */
import { Field, Notice, page } from "../layout.tsx";

/** @param next where to go afterwards, judged to be on this origin */
export function loginPage(fields: {
	readonly csrf: string;
	readonly next: string;
	readonly email?: string;
	readonly cookie: string | null;
	readonly problem?: {
		readonly status: number;
		readonly text: string;
		readonly retryAfterSeconds?: number;
	};
}): Response {
	const { problem } = fields;
	return page(
		{
			title: "Sign in",
			status: problem?.status ?? 200,
			cookie: fields.cookie,
			...(problem?.retryAfterSeconds === undefined
				? {}
				: { headers: { "Retry-After": String(problem.retryAfterSeconds) } }),
		},
		<>
			<h1>Sign in</h1>
			{problem === undefined ? null : (
				<Notice word="Not signed in">{problem.text}</Notice>
			)}
			<form method="post" action="/login">
				<input type="hidden" name="csrf" value={fields.csrf} />
				<input type="hidden" name="next" value={fields.next} />
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
			</form>
		</>,
	);
}
