/** A table that says what it shows: a caption, a head of columns, and rows that begin with their own heading. */
import type { ComponentChildren, VNode } from "preact";

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
