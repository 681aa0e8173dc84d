/** The clients that a person allowed something, each with the button that ends it. Button: `revoke=<id>` or `all`. */
import type { VNode } from "preact";
import { destinationOf } from "../../oauth/redirect-uris.ts";
import { page } from "../layout.tsx";

/** What one client, as a person knows it, may do. */
export type AllowedClient = {
	readonly id: string;
	readonly grantIds: readonly string[];
	/** What it calls itself. */
	readonly name: string;
	/** Empty for one that acts without a person. */
	readonly redirectUri: string;
	readonly scope: string;
	readonly since: number;
	readonly lastUsedAt: number | null;
};

export function clientsPage(fields: {
	readonly clients: readonly AllowedClient[];
	readonly csrf: string;
}): Response {
	const { clients } = fields;
	return page(
		{ title: "Clients" },
		<>
			<h1>Clients</h1>
			{clients.length === 0 ? (
				<p>You have not allowed any client to use your servers.</p>
			) : (
				<form method="post" action="/clients">
					<input type="hidden" name="csrf" value={fields.csrf} />
					<table>
						<caption>
							What you allowed. A client that is revoked must ask again.
						</caption>
						<thead>
							<tr>
								<th scope="col">Answers go to</th>
								<th scope="col">May use</th>
								<th scope="col">Since</th>
								<th scope="col">Last used</th>
								<th scope="col">End it</th>
							</tr>
						</thead>
						<tbody>
							{clients.map((client) => (
								<Row key={client.id} client={client} />
							))}
						</tbody>
					</table>
					<p class="actions">
						<button type="submit" name="revoke" value="all">
							Revoke all
						</button>
					</p>
				</form>
			)}
			<p>
				<a href="/">Back to your servers</a>
			</p>
		</>,
	);
}

function Row({ client }: { readonly client: AllowedClient }): VNode {
	return (
		<tr>
			<th scope="row">
				{placeOf(client.redirectUri)}
				{client.name === "" ? null : (
					<span class="quiet">
						{" "}
						calls itself “<bdi>{client.name}</bdi>”
					</span>
				)}
				{client.grantIds.length > 1 ? (
					<span class="quiet"> {client.grantIds.length} times</span>
				) : null}
			</th>
			<td>{serversOf(client.scope)}</td>
			<td>{showDate(client.since)}</td>
			<td>
				{client.lastUsedAt === null
					? "not since it was allowed"
					: showDate(client.lastUsedAt)}
			</td>
			<td>
				<button type="submit" name="revoke" value={client.id} class="plain">
					Revoke
				</button>
			</td>
		</tr>
	);
}

function placeOf(redirectUri: string): string {
	if (redirectUri === "") return "nobody: it acts by itself";
	const { kind, name } = destinationOf(redirectUri);
	if (kind === "host") return name;
	return kind === "loopback"
		? "a program on a computer"
		: `the app for ${name}:`;
}

function serversOf(scope: string): string {
	const words = scope.split(" ");
	if (words.includes("mcp")) return "all servers";
	return words.map((word) => word.replace(/^mcp:/, "")).join(", ");
}

/** `20 Nov 2026, 15:04`, in UTC. */
function showDate(at: number): string {
	return new Intl.DateTimeFormat("en-GB", {
		dateStyle: "medium",
		timeStyle: "short",
		timeZone: "UTC",
	}).format(new Date(at * 1000));
}
