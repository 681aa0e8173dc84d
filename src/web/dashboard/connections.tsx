/**
 * The servers that want something of a person's own, and how each stands: connected, or not yet. Buttons:
 * `disconnect=<slug>`; to connect is to open the server's page.
 */
import type { VNode } from "preact";
import type { ListedConnection } from "../../store/connections.ts";
import { showDate } from "../dates.ts";
import { Form } from "../form.tsx";
import { page } from "../layout.tsx";
import { Table } from "../table.tsx";

/** One server as it stands for a person. */
export type Standing = {
	readonly slug: string;
	readonly signsIn: boolean;
	readonly connection: ListedConnection | null;
	/** Slots of theirs that must have a value and have none. */
	readonly missing: readonly string[];
};

export function connectionsPage(fields: {
	readonly standings: readonly Standing[];
	readonly csrf: string;
}): Response {
	const { standings, csrf } = fields;
	return page(
		{ title: "Connections" },
		<>
			<h1>Connections</h1>
			{standings.length === 0 ? (
				<p>
					No server that you may use wants anything of your own. One that wants
					you to sign in, or a key of yours, stands here.
				</p>
			) : (
				<Form action="/connections" csrf={csrf}>
					<Table
						caption="What you connected is used for your own calls only"
						columns={["Server", "State", "Change it"]}
					>
						{standings.map((standing) => (
							<Row key={standing.slug} standing={standing} />
						))}
					</Table>
				</Form>
			)}
			<p>
				<a href="/">Back to your servers</a>
			</p>
		</>,
	);
}

function Row({ standing }: { readonly standing: Standing }): VNode {
	const { slug, connection } = standing;
	return (
		<tr>
			<th scope="row">{slug}</th>
			<td>{stateOf(standing)}</td>
			<td>
				<a href={`/connect/${slug}`}>{connection ? "Reconnect" : "Connect"}</a>{" "}
				{connection ? (
					<button type="submit" name="disconnect" value={slug} class="plain">
						Disconnect
					</button>
				) : null}
			</td>
		</tr>
	);
}

function stateOf({ signsIn, connection, missing }: Standing): string {
	if (missing.length > 0) return `needs ${missing.join(", ")}`;
	if (!signsIn) return "has your secrets";
	if (!connection) return "not connected";
	if (connection.lostAt !== null) return "sign in again";
	const as = connection.account === null ? "" : ` as ${connection.account}`;
	return `connected${as} since ${showDate(connection.createdAt)}`;
}
