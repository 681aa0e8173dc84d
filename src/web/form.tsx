/** A form of ours: it is posted, and carries the token without which it is not taken (`forms.ts`). */
import type { ComponentChildren, VNode } from "preact";

export function Form(props: {
	readonly action: string;
	readonly csrf: string;
	readonly class?: string;
	/** `multipart/form-data`, for a file. */
	readonly encType?: string;
	readonly children: ComponentChildren;
}): VNode {
	const { csrf, children, ...attributes } = props;
	return (
		<form method="post" {...attributes}>
			<input type="hidden" name="csrf" value={csrf} />
			{children}
		</form>
	);
}
