/**
 * The pages of the device flow. Field `user_code`; then buttons `decision=allow|deny` and the boxes of the consent
 * page. Who asks is shown with where it asked from, because the person who types a code may have been sent it.
 */
import type { Client } from "../../store/clients.ts";
import type { DeviceRequest } from "../../store/device-codes.ts";
import { Form } from "../form.tsx";
import { Field, Notice, page } from "../layout.tsx";
import { type Choice, Claims, Decision, Offered } from "./consent.tsx";

/** The page with the field, always empty. */
export function deviceCodePage(fields: {
	readonly csrf: string;
	readonly problem?: string;
}): Response {
	return page(
		{
			title: "Connect a device",
			status: fields.problem === undefined ? 200 : 422,
		},
		<>
			<h1>Connect a device</h1>
			<p>
				Type the code that your device shows. Never type a code that somebody
				sent you: whoever sent it would get in in your name.
			</p>
			{fields.problem === undefined ? null : (
				<Notice word="Not found">{fields.problem}</Notice>
			)}
			<Form action="/device" csrf={fields.csrf}>
				<Field
					name="user_code"
					label="Code"
					type="text"
					autocomplete="off"
					hint="Eight letters, like BCDF-GHJK."
				/>
				<p class="actions">
					<button type="submit" class="primary">
						Go on
					</button>
				</p>
			</Form>
		</>,
	);
}

/** The page that asks. */
export function deviceConsentPage(fields: {
	readonly client: Client;
	readonly request: DeviceRequest;
	readonly typed: string;
	/** Where the person is. */
	readonly here: string;
	readonly ageSeconds: number;
	readonly email: string;
	readonly choice: Choice;
	readonly csrf: string;
	readonly problem?: string;
}): Response {
	const { client, request } = fields;
	const elsewhere = request.address !== fields.here;
	const minutes = Math.floor(fields.ageSeconds / 60);
	return page(
		{
			title: "Allow a device",
			status: fields.problem === undefined ? 200 : 422,
		},
		<>
			<h1>A device at {request.address} asks for access</h1>
			<p class="quiet">
				<Claims client={client} />
				{client.kind === "made" ? " An administrator made this client." : ""} It
				asked {minutes === 0 ? "less than a minute" : `${minutes} minutes`} ago
				{request.agent === "" ? null : (
					<>
						{" "}
						with <bdi>{request.agent}</bdi>
					</>
				)}
				.
			</p>
			<Notice word="Look twice">
				{elsewhere
					? `The device is not where you are: it asked from ${request.address}, and you are at ${fields.here}. `
					: ""}
				Allow this only if the device is in front of you, or is yours, and you
				started it yourself. If somebody sent you the code, press Not now.
			</Notice>
			{fields.problem === undefined ? null : (
				<Notice word="Not decided">{fields.problem}</Notice>
			)}
			<Form action="/device" csrf={fields.csrf}>
				<input type="hidden" name="user_code" value={fields.typed} />
				<h2>What it may do</h2>
				<Offered choice={fields.choice} />
				<p class="quiet">
					You can end it under <a href="/clients">Clients</a>. You are signed in
					as {fields.email}.
				</p>
				<Decision />
			</Form>
		</>,
	);
}

/** The page after the decision. */
export function deviceDonePage(allowed: boolean): Response {
	return page(
		{ title: allowed ? "Allowed" : "Not allowed" },
		<>
			<h1>{allowed ? "The device may go on" : "The device was refused"}</h1>
			<p>
				{allowed
					? "It notices within a few seconds. You can close this page."
					: "Nothing was changed. You can close this page."}
			</p>
		</>,
	);
}
