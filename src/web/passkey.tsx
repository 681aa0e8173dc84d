/**
 * The button that asks the browser for a passkey. A form like any other: the page's one script puts the answer into the
 * field `passkey` and sends it. Without scripts the button stays hidden, and nothing else is missing.
 */
import type { ComponentChildren, VNode } from "preact";
import type { CredentialOptions } from "../people/passkeys.ts";

export function PasskeyForm(props: {
	readonly action: string;
	/** `get`: one that is there; `create`: a new one. */
	readonly ceremony: "get" | "create";
	readonly options: CredentialOptions;
	/** Hidden fields. */
	readonly fields: Readonly<Record<string, string>>;
	readonly button: string;
	readonly primary?: boolean;
	readonly children?: ComponentChildren;
}): VNode {
	return (
		<form
			method="post"
			action={props.action}
			hidden
			data-passkey={props.ceremony}
			data-options={JSON.stringify(props.options)}
		>
			{Object.entries(props.fields).map(([name, value]) => (
				<input key={name} type="hidden" name={name} value={value} />
			))}
			<input type="hidden" name="passkey" value="" />
			{props.children}
			<p class="actions">
				<button type="submit" {...(props.primary ? { class: "primary" } : {})}>
					{props.button}
				</button>
			</p>
			<p class="hint" role="alert"></p>
		</form>
	);
}

/** What is said where there can be no passkeys; the script takes it away where there can. */
export function WithoutPasskeys(props: {
	readonly children: ComponentChildren;
}): VNode {
	return <p data-without-passkeys>{props.children}</p>;
}
