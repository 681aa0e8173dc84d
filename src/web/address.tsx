/** The address of an endpoint, to be copied into a client. */
import type { VNode } from "preact";

export function Address(props: {
	readonly issuer: string;
	/** Of a server or a toolset. */
	readonly slug: string;
}): VNode {
	return (
		<code class="copy">
			{props.issuer}/mcp/{props.slug}
		</code>
	);
}
