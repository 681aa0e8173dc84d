/** Step 5: the first client. It turns green when one signs in: by itself with scripts, when opened again without. */
import type { VNode } from "preact";
import { ASSETS } from "../assets.tsx";
import { Form } from "../form.tsx";
import { page } from "../layout.tsx";
import { type ClientWay, listClientWays } from "./connections.ts";
import { Onward, Step, stepTitle } from "./step.tsx";

/** A client that was allowed something. */
export type SignedIn = { readonly name: string; readonly place: string };

export function clientPage(fields: {
	readonly csrf: string;
	readonly endpoint: string;
	readonly signedIn: readonly SignedIn[];
	/** Whether the endpoint is this computer's only. */
	readonly isLocal: boolean;
}): Response {
	const { csrf, endpoint, signedIn, isLocal } = fields;
	return page(
		{
			title: stepTitle("client", "First client"),
			script: ASSETS.liveScript.path,
		},
		<Step step="client" title="Connect a client" back="/setup/server">
			<p>
				Paste this address into your client. It opens this site once, to ask
				you.
			</p>
			<p class="address">
				<code class="copy">{endpoint}</code>
			</p>
			<State signedIn={signedIn} csrf={csrf} />
			<div class="ways">
				{listClientWays(endpoint).map((way) => (
					<Way key={way.id} way={way} isLocal={isLocal} />
				))}
			</div>
		</Step>,
	);
}

function State(props: {
	readonly signedIn: readonly SignedIn[];
	readonly csrf: string;
}): VNode {
	const { signedIn, csrf } = props;
	const isWaiting = signedIn.length === 0;
	return (
		<div
			id="state"
			class={isWaiting ? "state" : "state good"}
			role="status"
			{...(isWaiting ? { "data-live": "" } : {})}
		>
			{isWaiting ? (
				<p>
					<strong>Waiting.</strong> No client has signed in yet. This turns
					green when one does; <a href="/setup/client">look again</a>.
				</p>
			) : (
				signedIn.map(({ name, place }) => (
					<p key={`${name} ${place}`}>
						<strong>Connected.</strong> <bdi>{name}</bdi> signed in as you; its
						answers go to {place}.
					</p>
				))
			)}
			<Form action="/setup/client" csrf={csrf}>
				{isWaiting ? (
					<p class="actions">
						<button type="submit" name="action" value="skip">
							Later
						</button>
					</p>
				) : (
					<Onward label="Continue" name="action" value="continue" />
				)}
			</Form>
		</div>
	);
}

function Way(props: {
	readonly way: ClientWay;
	readonly isLocal: boolean;
}): VNode {
	const { name, link, steps, copy, needsPublic } = props.way;
	const cannot = props.isLocal && needsPublic;
	return (
		<details>
			<summary>{name}</summary>
			{cannot ? (
				<p>
					It connects from its maker's own data centre, which cannot reach this
					computer. Give the gateway a name first.
				</p>
			) : (
				<>
					{link === null ? null : (
						<p>
							<a class="button" href={link.url} rel="noopener noreferrer">
								{link.label}
							</a>
						</p>
					)}
					{steps.map((step) => (
						<p key={step}>{step}</p>
					))}
					{copy === null ? null : copy.includes("\n") ? (
						<pre>{copy}</pre>
					) : (
						<p>
							<code class="copy">{copy}</code>
						</p>
					)}
				</>
			)}
		</details>
	);
}
