/** An instant on a page, for people and for programs that read pages. */
import type { VNode } from "preact";
import { showDate } from "./dates.ts";

export function Time({ at }: { readonly at: number }): VNode {
	return (
		<time dateTime={new Date(at * 1000).toISOString()}>{showDate(at)}</time>
	);
}
