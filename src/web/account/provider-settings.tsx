/**
 * The page about the OpenID provider. Form fields: `issuer`, `client_id`, `client_secret`, `domains`, `provisions`,
 * `do=set|remove`, hidden `csrf`. The secret is never shown again.
 */
import type { IdentityProvider } from "../../store/identities.ts";
import { Form } from "../form.tsx";
import { Field, page } from "../layout.tsx";
import { NotDone, type Problem, problemOptions } from "../problem.tsx";

export function providerSettingsPage(fields: {
	readonly provider: Omit<IdentityProvider, "secretSealed"> | null;
	readonly redirectUri: string;
	readonly csrf: string;
	readonly problem?: Problem;
}): Response {
	const { provider, csrf, problem } = fields;
	return page(
		{
			title: "Sign-in elsewhere",
			nav: { current: "/users", administers: true },
			...problemOptions(problem),
		},
		<>
			<h1>Sign in with an account elsewhere</h1>
			<p>
				{provider === null
					? "People sign in with a password or a passkey. If they have accounts at an OpenID provider, they may use those too."
					: `People may sign in with ${new URL(provider.issuer).host}, once they linked their account.`}
			</p>
			<NotDone problem={problem} />
			<p>Tell the provider this address, and it gives you a client id:</p>
			<p>
				<code class="copy">{fields.redirectUri}</code>
			</p>
			<Form action="/users/provider" csrf={csrf}>
				<Field
					name="issuer"
					label="Issuer"
					type="url"
					autocomplete="off"
					value={provider?.issuer ?? ""}
					hint="As the provider writes it, such as https://id.example.org."
				/>
				<Field
					name="client_id"
					label="Client id"
					type="text"
					autocomplete="off"
					value={provider?.clientId ?? ""}
				/>
				<Field
					name="client_secret"
					label="Client secret"
					type="password"
					autocomplete="off"
					optional
					hint="Left empty, the same client keeps the one it has."
				/>
				<Field
					name="domains"
					label="Domains"
					type="text"
					autocomplete="off"
					optional
					value={provider?.domains.join(" ") ?? ""}
					hint="Only e-mail addresses of these may come in. Leave it empty to let in all."
				/>
				<label class="box">
					<input
						type="checkbox"
						name="provisions"
						checked={provider?.provisions ?? false}
					/>
					Whoever is not known here becomes a member
				</label>
				<p class="hint">Needs a domain.</p>
				<p class="actions">
					<button type="submit" name="do" value="set" class="primary">
						Save
					</button>
				</p>
			</Form>
			{provider === null ? null : (
				<Form action="/users/provider" csrf={csrf}>
					<h2>Remove it</h2>
					<p>
						Nobody signs in with it then. Links stay, for when the same provider
						comes back.
					</p>
					<p class="actions">
						<button type="submit" name="do" value="remove" class="danger">
							Remove
						</button>
					</p>
				</Form>
			)}
			<p>
				<a href="/users">Back to users</a>
			</p>
		</>,
	);
}
