/** The page of what a client sees. Query: `endpoint`, `user`. */
import type { VNode } from "preact";
import { TOKEN_RULE } from "../../mcp/cost.ts";
import type { Effective, EffectiveTool } from "../../ops/effective.ts";
import { countOf } from "../count.ts";
import { page } from "../layout.tsx";
import { Table } from "../table.tsx";

export function seenPage(fields: {
	readonly seen: Effective;
	readonly endpoints: readonly string[];
	/** Whose clients these are. */
	readonly user: string;
	/** Everyone who may be chosen; empty when nobody may. */
	readonly users: readonly string[];
	readonly administers: boolean;
}): Response {
	const { seen, endpoints, user, users, administers } = fields;
	const shown = seen.tools.filter((tool) => tool.shown);
	const hidden = seen.tools.filter((tool) => !tool.shown);
	return page(
		{ title: "What a client sees", nav: { current: "/tools", administers } },
		<>
			<h1>What a client sees</h1>
			<form method="get" action="/seen" class="row">
				<Choice
					name="endpoint"
					label="Endpoint"
					values={endpoints}
					chosen={seen.endpoint}
				/>
				{users.length === 0 ? null : (
					<Choice name="user" label="Person" values={users} chosen={user} />
				)}
				<p>
					<button type="submit">Show</button>
				</p>
			</form>
			{seen.open ? null : (
				<p>There is nothing at this endpoint for this person.</p>
			)}
			{shown.length === 0 ? null : (
				<ToolTable
					caption={`${countOf(shown.length, "tool")} shown, ${countOf(seen.tokens, "token")} (${TOKEN_RULE})`}
					tools={shown}
				/>
			)}
			{hidden.length === 0 ? null : (
				<>
					<h2>Not shown</h2>
					<ToolTable caption="Tools that are hidden, and why" tools={hidden} />
				</>
			)}
			{seen.hiddenServers.length === 0 ? null : (
				<ul>
					{seen.hiddenServers.map(({ server, why }) => (
						<li key={server}>
							Nothing of <strong>{server}</strong>: {why}
						</li>
					))}
				</ul>
			)}
		</>,
	);
}

function Choice(props: {
	readonly name: string;
	readonly label: string;
	readonly values: readonly string[];
	readonly chosen: string;
}): VNode {
	return (
		<div>
			<label for={props.name}>{props.label}</label>
			<select id={props.name} name={props.name}>
				{props.values.map((value) => (
					<option key={value} value={value} selected={value === props.chosen}>
						{value}
					</option>
				))}
			</select>
		</div>
	);
}

function ToolTable(props: {
	readonly caption: string;
	readonly tools: readonly EffectiveTool[];
}): VNode {
	const hidden = props.tools.some(({ why }) => why !== null);
	return (
		<Table
			caption={props.caption}
			columns={[
				...["As the client shows it", "Tokens"],
				...(hidden ? ["Why not"] : []),
			]}
		>
			{props.tools.map((tool) => (
				<tr key={`${tool.server} ${tool.name}`}>
					<th scope="row">
						<code>{tool.clientName}</code>
						<span class="quiet"> {tool.server}</span>
					</th>
					<td data-label="Tokens">{tool.tokens}</td>
					{hidden ? <td>{tool.why}</td> : null}
				</tr>
			))}
		</Table>
	);
}
