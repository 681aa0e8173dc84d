/** What the pages about tools, of servers and of toolsets, have in common. */
import type { VNode } from "preact";
import { Notice } from "../layout.tsx";

/** Where they are among all pages. */
export const NAV = { current: "/tools", administers: true } as const;

/** What keeps a server from saying its tools; nothing where it says them. */
export function Trouble(props: { readonly text: string | null }): VNode | null {
	return props.text === null ? null : (
		<Notice word="Cannot be asked now">{props.text}</Notice>
	);
}
