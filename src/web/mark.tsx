/** The mark: an arch with one open leaf. Two paths in the colour of the text. */
import type { VNode } from "preact";
import { renderToString } from "preact-render-to-string";
import type { Icon } from "../mcp/self.ts";

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

/** The mark as clients show it: inside the message, so that nobody fetches anything, once for each background. */
export function markIcons(): readonly Icon[] {
	const picture = renderToString(<Mark />);
	return (
		[
			["light", "#000"],
			["dark", "#fff"],
		] as const
	).map(([theme, colour]) => {
		const svg = Buffer.from(picture.replaceAll("currentColor", colour));
		return {
			src: `data:image/svg+xml;base64,${svg.toString("base64")}`,
			mimeType: "image/svg+xml",
			sizes: ["any"],
			theme,
		};
	});
}
