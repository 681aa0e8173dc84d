/** The page where a person makes a passkey. Form fields: `name`, hidden `csrf` and `passkey`. */
import type { CredentialOptions } from "../../people/passkeys.ts";
import { ASSETS } from "../assets.tsx";
import { Field, page } from "../layout.tsx";
import { PasskeyForm, WithoutPasskeys } from "../passkey.tsx";
import { NotDone, type Problem, problemOptions } from "../problem.tsx";

export function passkeyPage(fields: {
	/** The host that passkeys are made for. */
	readonly host: string | null;
	readonly csrf: string;
	readonly options: CredentialOptions;
	readonly problem?: Problem;
}): Response {
	const { problem } = fields;
	return page(
		{
			title: "Passkey",
			...problemOptions(problem),
			script: ASSETS.passkeyScript.path,
		},
		<>
			<h1>Add a passkey</h1>
			<p>
				A passkey lives in your phone, computer or security key. One that knows
				your finger, face or PIN signs you in by itself; any of them serves as
				your second step.
			</p>
			<NotDone problem={problem} />
			<WithoutPasskeys>
				This browser makes no passkeys here: JavaScript is off, or it knows
				none. An authenticator app needs neither.
			</WithoutPasskeys>
			<PasskeyForm
				action="/account/passkey"
				ceremony="create"
				options={fields.options}
				fields={{ csrf: fields.csrf }}
				button="Make it"
				primary
			>
				<Field
					name="name"
					label="Name"
					type="text"
					autocomplete="off"
					hint="What it is on, such as “work laptop”."
				/>
			</PasskeyForm>
			<p class="quiet">
				It works at {fields.host} only. If this gateway moves to another name,
				you will need another passkey; the app and recovery codes keep working.
			</p>
			<p>
				<a href="/account">Back to your account</a>
			</p>
		</>,
	);
}
