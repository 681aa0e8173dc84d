/** `/api/clients`: who asks people for access. `waiting` ones may not until an administrator lets them in. */
import * as z from "zod";
import { SallyportError } from "../errors.ts";
import {
	approveClient,
	endGrantsOf,
	makeClient,
	revokeClient,
} from "../ops/clients.ts";
import { may } from "../rights.ts";
import { type ListedClient, listClients } from "../store/clients.ts";
import { requireServer } from "../store/servers.ts";
import { readBody } from "./body.ts";
import {
	type Answer,
	type ApiDeps,
	type Ask,
	actorName,
	type Route,
} from "./route.ts";
import { emailField } from "./server-body.ts";
import { emailOf, requireSubject } from "./subject.ts";

/** A client as the API shows it; never its secret. */
export type ClientView = {
	readonly id: string;
	readonly kind: ListedClient["kind"];
	readonly name: string;
	readonly status: "approved" | "waiting";
	readonly redirectUris: readonly string[];
	readonly authMethod: ListedClient["authMethod"];
	/** As whom it acts without a person. */
	readonly username: string | null;
	readonly introspects: readonly string[];
	/** Living grants of all people. */
	readonly grants: number;
	readonly createdAt: number;
	readonly lastUsedAt: number | null;
	readonly lastAddress: string | null;
};

const REDIRECT_URIS_MAX = 10;
const INTROSPECTS_MAX = 100;
const KEYS_MAX = 10;

const NewClient = z.strictObject({
	name: z.string(),
	redirectUris: z.array(z.string()).max(REDIRECT_URIS_MAX).optional(),
	secret: z.boolean().optional(),
	jwks: z
		.object({ keys: z.array(z.record(z.string(), z.unknown())).max(KEYS_MAX) })
		.optional(),
	username: emailField.optional(),
	introspects: z.array(z.string()).max(INTROSPECTS_MAX).optional(),
});

/** Routes of clients. */
export const clientRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/clients", who: "admins", run: list },
	{ method: "POST", path: "/api/clients", who: "admins", run: add },
	{
		method: "POST",
		path: "/api/clients/:id/approve",
		who: "admins",
		run: letIn,
	},
	{
		method: "DELETE",
		path: "/api/clients/:id/grants",
		who: "admins",
		run: endGrants,
	},
	{ method: "DELETE", path: "/api/clients/:id", who: "admins", run: revoke },
];

function list({ deps }: Ask): Answer {
	return {
		body: {
			clients: listClients(deps.db).map((client) => viewClient(deps, client)),
		},
	};
}

async function add({ deps, actor, request }: Ask): Promise<Answer> {
	const body = (await readBody(request, NewClient)).value;
	const subject =
		body.username === undefined
			? null
			: requireSubject(deps.db, actor, body.username);
	if (subject?.role === "owner" && !may(actor.role, "act as the owner"))
		throw new SallyportError(
			"forbidden",
			"only the owner may make a client that acts as the owner",
			{ hint: "name another user" },
		);
	const { client, secret } = makeClient(
		keeping(deps),
		{
			name: body.name,
			redirectUris: body.redirectUris ?? [],
			confidential: body.secret ?? false,
			jwks: body.jwks ?? null,
			userId: subject?.userId ?? null,
			introspects: (body.introspects ?? []).map((slug) => {
				requireServer(deps.db, slug);
				return `/mcp/${slug}`;
			}),
		},
		actorName(actor),
	);
	return {
		status: 201,
		body: {
			...viewClient(deps, {
				...client,
				grants: 0,
				lastUsedAt: null,
				lastAddress: null,
			}),
			...(secret === null ? {} : { secret }),
		},
	};
}

function letIn({ deps, actor, params }: Ask): Answer {
	const id = params["id"] as string;
	approveClient(keeping(deps), id, actorName(actor));
	return { body: { approved: id } };
}

function endGrants({ deps, actor, params }: Ask): Answer {
	const ended = endGrantsOf(
		keeping(deps),
		params["id"] as string,
		actorName(actor),
	);
	return { body: { ended } };
}

function revoke({ deps, actor, params }: Ask): Answer {
	const id = params["id"] as string;
	revokeClient(keeping(deps), id, actorName(actor));
	return { body: { revoked: id } };
}

function keeping(deps: ApiDeps): ApiDeps & { readonly invalidate: () => void } {
	return { ...deps, invalidate: deps.credentialsChanged };
}

function viewClient({ db }: ApiDeps, client: ListedClient): ClientView {
	const { id, kind, name, redirectUris, authMethod, introspects } = client;
	const { userId, approvedAt, grants, createdAt } = client;
	const { lastUsedAt, lastAddress } = client;
	return {
		id,
		kind,
		name,
		status: approvedAt === null ? "waiting" : "approved",
		redirectUris,
		authMethod,
		username: userId === null ? null : emailOf(db, userId),
		introspects,
		grants,
		createdAt,
		lastUsedAt,
		lastAddress,
	};
}
