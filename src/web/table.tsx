/** A table that says what it shows: a caption, a head of columns, and rows that begin with their own heading. */
import type { ComponentChildren, VNode } from "preact";

/** What a row is about, and a line that says more of it. */
export function RowHeading(props: {
	readonly hint: string | null;
	readonly children: ComponentChildren;
}): VNode {
	return (
		<th scope="row">
			{props.children}
			{props.hint ? <p class="hint">{props.hint}</p> : null}
		</th>
	);
}

export function Table(props: {
	readonly caption: ComponentChildren;
	readonly columns: readonly string[];
	/** The rows. */
	readonly children: ComponentChildren;
}): VNode {
	return (
		<table>
			<caption>{props.caption}</caption>
			<thead>
				<tr>
					{props.columns.map((column) => (
						<th key={column} scope="col">
							{column}
						</th>
					))}
				</tr>
			</thead>
			<tbody>{props.children}</tbody>
		</table>
	);
}
