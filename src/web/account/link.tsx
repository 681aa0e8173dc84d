/** The page that asks whether to link an account elsewhere. Form fields: hidden `csrf` and `offer`, the sealed identity. */

import { Form } from "../form.tsx";
import { page } from "../layout.tsx";

export function linkAccountPage(fields: {
	readonly issuer: string;
	readonly email: string;
	readonly offer: string;
	readonly csrf: string;
}): Response {
	const { host } = new URL(fields.issuer);
	return page(
		{ title: "Link an account" },
		<>
			<h1>Link your account at {host}</h1>
			<p>
				{host} vouches that you are <strong>{fields.email}</strong> there. From
				now on it can sign you in here, as you: whoever runs {host}, or gets
				into your account there, then gets in here too.
			</p>
			<p>Your second step is still asked for.</p>
			<Form action="/account/link" csrf={fields.csrf}>
				<input type="hidden" name="offer" value={fields.offer} />
				<p class="actions">
					<a class="button" href="/account">
						Not now
					</a>
					<button type="submit" class="primary">
						Link them
					</button>
				</p>
			</Form>
		</>,
	);
}
