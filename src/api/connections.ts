/**
 * `/api/connections`: which users signed in to which services. Nobody signs in here, because that takes a browser: a
 * connection is added by opening a link. Tokens go nowhere but to their server. Members see and end their own.
 */
import * as z from "zod";
import { listConnections } from "../store/connections.ts";
import { listServers, mayUse, requireServer } from "../store/servers.ts";
import { listProviders } from "../upstream/providers.ts";
import { readBody } from "./body.ts";
import {
	type Answer,
	type Ask,
	actorName,
	isAdmin,
	type Route,
} from "./route.ts";
import { emailField, slotNameField } from "./server-body.ts";
import { requireVisible } from "./servers.ts";
import { emailOf, requireSubject, subjectOf } from "./subject.ts";

/** A connection as the API shows it; `status` is all that there is where nobody signed in yet. */
export type ConnectionView = {
	readonly serverName: string;
	readonly username: string | null;
	readonly status: "connected" | "sign_in_again" | "not_connected";
	/** Who issued its tokens. */
	readonly issuer: string | null;
	readonly account: string | null;
	readonly scope: string | null;
	readonly createdAt: number | null;
	readonly refreshedAt: number | null;
	readonly expiresAt: number | null;
	/** Where its user signs in. */
	readonly link: string;
};

const Named = z.strictObject({
	serverName: z.string(),
	username: emailField.optional(),
});

const text = z.string().min(1).max(4096);

const Client = z.strictObject({
	serverName: z.string(),
	clientId: text.optional(),
	clientSecret: text.optional(),
	issuer: z.url({ error: "must be a URL" }).max(2048).optional(),
	provider: text.optional(),
	scope: text.optional(),
	slot: slotNameField.optional(),
});

/** Routes of connections. */
export const connectionRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/connections", who: "anyone", run: list },
	{ method: "POST", path: "/api/connections", who: "anyone", run: add },
	{
		method: "GET",
		path: "/api/connections/providers",
		who: "anyone",
		run: providers,
	},
	{
		method: "POST",
		path: "/api/connections/client",
		who: "admins",
		run: configure,
	},
	{
		method: "POST",
		path: "/api/connections/refresh",
		who: "anyone",
		run: refresh,
	},
	{
		method: "POST",
		path: "/api/connections/delete",
		who: "anyone",
		run: remove,
	},
];

/** Every connection of the person, and each server that they have not connected yet; of everyone, for administrators. */
function list({ deps, actor, query }: Ask): Answer {
	const username = query.get("username") ?? undefined;
	const subject = subjectOf(deps.db, actor, username);
	const everyone = isAdmin(actor) && username === undefined;
	const known = listConnections(deps.db, {
		userId: everyone ? null : (subject.userId ?? ""),
	});
	const views = known.map(
		(connection): ConnectionView => ({
			serverName: connection.slug,
			username: connection.email,
			status: connection.lostAt === null ? "connected" : "sign_in_again",
			issuer: connection.issuer,
			account: connection.account,
			scope: connection.granted,
			createdAt: connection.createdAt,
			refreshedAt: connection.refreshedAt,
			expiresAt: connection.expiresAt,
			link: deps.connections.linkTo(connection.slug),
		}),
	);
	const open = listServers(deps.db).filter(
		(server) =>
			server.signsIn &&
			mayUse(server, subject) &&
			!known.some(
				({ serverId, userId }) =>
					serverId === server.id && userId === subject.userId,
			),
	);
	const missing = open.map(
		({ slug }): ConnectionView => ({
			serverName: slug,
			username: subject.userId && emailOf(deps.db, subject.userId),
			status: "not_connected",
			issuer: null,
			account: null,
			scope: null,
			createdAt: null,
			refreshedAt: null,
			expiresAt: null,
			link: deps.connections.linkTo(slug),
		}),
	);
	return { body: { connections: [...views, ...missing] } };
}

/** The link that the person opens to sign in. */
async function add(ask: Ask): Promise<Answer> {
	const { deps, actor, request } = ask;
	const { serverName, username } = (await readBody(request, Named)).value;
	const subject = subjectOf(deps.db, actor, username);
	const server = requireVisible(ask, serverName, subject);
	return {
		body: {
			serverName: server.slug,
			signsIn: server.signsIn,
			link: deps.connections.linkTo(server.slug),
		},
	};
}

function providers(): Answer {
	return {
		body: {
			providers: listProviders().map(({ name, title }) => ({ name, title })),
		},
	};
}

/** Who this gateway is with the service of a server, and how its users sign in. */
async function configure({ deps, actor, request }: Ask): Promise<Answer> {
	const { serverName, clientSecret, ...changes } = (
		await readBody(request, Client)
	).value;
	const server = requireServer(deps.db, serverName);
	await deps.connections.configure(
		server,
		definedOf(changes),
		clientSecret,
		actorName(actor),
	);
	return {
		body: {
			serverName: server.slug,
			redirectUri: `${deps.connections.linkTo(server.slug)}/callback`,
			link: deps.connections.linkTo(server.slug),
		},
	};
}

async function refresh(ask: Ask): Promise<Answer> {
	const { deps, actor, request } = ask;
	const { serverName, username } = (await readBody(request, Named)).value;
	const subject = requireSubject(deps.db, actor, username);
	const server = requireVisible(ask, serverName, subject);
	await deps.connections.refresh(server, subject.userId);
	return {
		body: {
			serverName: server.slug,
			username: emailOf(deps.db, subject.userId),
		},
	};
}

/** Ends a connection: its tokens are gone, and its service is told where it can be. */
async function remove(ask: Ask): Promise<Answer> {
	const { deps, actor, request } = ask;
	const { serverName, username } = (await readBody(request, Named)).value;
	const subject = requireSubject(deps.db, actor, username);
	const server = requireVisible(ask, serverName, subject);
	const removed = await deps.connections.disconnect(
		{ userId: subject.userId, serverId: server.id },
		actorName(actor),
	);
	return {
		body: {
			serverName: server.slug,
			username: emailOf(deps.db, subject.userId),
			removed,
		},
	};
}

/** What was given, and nothing that was not. */
function definedOf(
	changes: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
	return Object.fromEntries(
		Object.entries(changes).flatMap(([name, value]) =>
			value === undefined ? [] : [[name, value] as const],
		),
	);
}
