/** The mark: an arch with one open leaf. Two paths in the colour of the text. */
import type { VNode } from "preact";

/** The mark as an inline picture; beside the name it needs no words of its own. */
export function Mark(): VNode {
	return (
		<svg
			xmlns="http://www.w3.org/2000/svg"
			viewBox="0 0 24 24"
			fill="none"
			stroke="currentColor"
			stroke-width="2"
			aria-hidden="true"
		>
			<path d="M3 22V11a9 9 0 0 1 18 0v11" />
			<path d="M8 22V11l6 3v8" />
		</svg>
	);
}
