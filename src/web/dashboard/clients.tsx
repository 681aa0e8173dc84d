/**
 * The clients that a person allowed something, each with the button that ends it; for an administrator also those that
 * wait to be let in. Buttons: `revoke=<id>` or `all`, `approve=<id>`, `forget=<id>`.
 */
import type { VNode } from "preact";
import { destinationOf } from "../../oauth/redirect-uris.ts";
import type { AlikeClients } from "../../ops/clients.ts";
import type { Client } from "../../store/clients.ts";
import { DEVICE_GRANT } from "../../store/device-codes.ts";
import { showDate } from "../dates.ts";
import { Form } from "../form.tsx";
import { page } from "../layout.tsx";
import { Table } from "../table.tsx";

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
	/** From where it was last used. */
	readonly lastAddress: string | null;
	readonly clientId: string;
};

export function clientsPage(fields: {
	readonly clients: readonly AllowedClient[];
	readonly waiting: readonly Client[];
	/** Every client that may ask, those alike folded; empty for members. */
	readonly known: readonly AlikeClients[];
	readonly administers: boolean;
	readonly csrf: string;
}): Response {
	const { clients, waiting, known, administers, csrf } = fields;
	return page(
		{ title: "Clients", nav: { current: "/clients", administers } },
		<>
			<h1>Clients</h1>
			{clients.length === 0 ? (
				<p>You have not allowed any client to use your servers.</p>
			) : (
				<Form action="/clients" csrf={csrf}>
					<Table
						caption="What you allowed. A client that is revoked must ask again."
						columns={[
							"Answers go to",
							"May use",
							"Since",
							"Last used",
							"End it",
						]}
					>
						{clients.map((client) => (
							<Row key={client.id} client={client} />
						))}
					</Table>
					<p class="actions">
						<button type="submit" name="revoke" value="all">
							Revoke all
						</button>
					</p>
				</Form>
			)}
			{waiting.length === 0 ? null : <Waiting clients={waiting} csrf={csrf} />}
			{known.length === 0 ? null : <Known clients={known} csrf={csrf} />}
			<p>
				<a href="/doctor">How clients connect</a>, when one does not ·{" "}
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
				<Called name={client.name} />
				{client.grantIds.length > 1 ? (
					<span class="quiet"> {client.grantIds.length} times</span>
				) : null}
				<Connection clientId={client.clientId} />
			</th>
			<td>{serversOf(client.scope)}</td>
			<td>{showDate(client.since)}</td>
			<LastUsed of={client} never="not since it was allowed" />
			<td>
				<button type="submit" name="revoke" value={client.id} class="plain">
					Revoke
				</button>
			</td>
		</tr>
	);
}

function Waiting(props: {
	readonly clients: readonly Client[];
	readonly csrf: string;
}): VNode {
	return (
		<Form action="/clients" csrf={props.csrf}>
			<h2>Waiting to be let in</h2>
			<p>
				Their answers go to places that are not known here. One that is let in
				may ask people; it still gets nothing that nobody allows.
			</p>
			<Table
				caption="Let in only what someone here runs or trusts"
				columns={["Answers go to", "Came", "Let it in"]}
			>
				{props.clients.map(({ id, name, redirectUris, createdAt }) => (
					<tr key={id}>
						<th scope="row">
							{redirectUris.map(placeOf).join(", ")}
							<Called name={name} />
							<Connection clientId={id} />
						</th>
						<td>{showDate(createdAt)}</td>
						<td>
							<button type="submit" name="approve" value={id} class="plain">
								Let in
							</button>
						</td>
					</tr>
				))}
			</Table>
		</Form>
	);
}

function Known(props: {
	readonly clients: readonly AlikeClients[];
	readonly csrf: string;
}): VNode {
	return (
		<Form action="/clients" csrf={props.csrf}>
			<h2>Every client</h2>
			<p>
				All that came to this gateway, whoever allowed them something. One that
				is forgotten loses everything at once, and must come anew.
			</p>
			<Table
				caption="Those that nobody uses are forgotten by themselves"
				columns={["Answers go to", "Allowed by", "Last used", "Forget it"]}
			>
				{props.clients.map(({ client, ids, grants }) => (
					<tr key={client.id}>
						<th scope="row">
							{placeOf(client.redirectUris[0] ?? "")}
							<Called name={client.name} />
							{ids.length > 1 ? (
								<span class="quiet"> came {ids.length} times</span>
							) : null}
							<Connection clientId={client.id} />
						</th>
						<td>
							{grants === 0
								? "nobody"
								: grants === 1
									? "one grant"
									: `${grants} grants`}
						</td>
						<LastUsed of={client} never="never" />
						<td>
							<button
								type="submit"
								name="forget"
								value={client.id}
								class="plain"
							>
								Forget
							</button>
						</td>
					</tr>
				))}
			</Table>
		</Form>
	);
}

function LastUsed(props: {
	readonly of: Pick<AllowedClient, "lastUsedAt" | "lastAddress">;
	readonly never: string;
}): VNode {
	const { lastUsedAt, lastAddress } = props.of;
	return (
		<td>
			{lastUsedAt === null ? props.never : showDate(lastUsedAt)}
			{lastAddress === null ? null : (
				<span class="quiet"> from {lastAddress}</span>
			)}
		</td>
	);
}

function Called({ name }: { readonly name: string }): VNode | null {
	return name === "" ? null : (
		<span class="quiet">
			{" "}
			calls itself “<bdi>{name}</bdi>”
		</span>
	);
}

function Connection(props: { readonly clientId: string }): VNode {
	const query = new URLSearchParams({ client: props.clientId });
	return (
		<span class="quiet">
			{" "}
			<a href={`/doctor?${query}`}>how it connects</a>
		</span>
	);
}

/** Where a client's answers go, in words. */
export function placeOf(redirectUri: string): string {
	if (redirectUri === "") return "nobody: it acts by itself";
	if (redirectUri === DEVICE_GRANT) return "a device that showed a code";
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
