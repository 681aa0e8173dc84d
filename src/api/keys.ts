/** `/api/keys`: API keys. A key is shown once, when it is made; members see and end their own. */
import * as z from "zod";
import { SallyportError } from "../errors.ts";
import { mintCredential } from "../mint.ts";
import { may } from "../rights.ts";
import {
	type ApiKey,
	createApiKey,
	listApiKeys,
	revokeApiKey,
} from "../store/api-keys.ts";
import { recordAudit } from "../store/audit.ts";
import { transaction } from "../store/database.ts";
import { readBody } from "./body.ts";
import {
	type Answer,
	type Ask,
	actorName,
	isAdmin,
	type Route,
} from "./route.ts";
import { emailField } from "./server-body.ts";
import { requireSubject } from "./subject.ts";

/** A key as the API shows it; never the key itself. */
export type KeyView = {
	readonly id: string;
	readonly name: string;
	readonly username: string;
	readonly createdAt: number;
	readonly lastUsedAt: number | null;
};

const NewKey = z.strictObject({
	name: z.string(),
	username: emailField.optional(),
});

/** Routes of API keys. */
export const keyRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/keys", who: "anyone", run: list },
	{
		method: "POST",
		path: "/api/keys",
		who: "anyone",
		dangerous: true,
		run: create,
	},
	{ method: "DELETE", path: "/api/keys/:id", who: "anyone", run: revoke },
];

function list({ deps, actor }: Ask): Answer {
	return { body: { keys: listApiKeys(deps.db, ownOnly(actor)).map(viewKey) } };
}

async function create({ deps, actor, request }: Ask): Promise<Answer> {
	const { name, username } = (await readBody(request, NewKey)).value;
	const { userId, role } = requireSubject(deps.db, actor, username);
	if (role === "owner" && !may(actor.role, "act as the owner"))
		throw new SallyportError(
			"forbidden",
			"only the owner may make a key that acts as the owner",
			{
				hint: "make one for yourself: leave out the username",
			},
		);
	const key = mintCredential("apiKey");
	const now = deps.clock.now();
	const created = transaction(deps.db, () => {
		const row = createApiKey(
			deps.db,
			deps.vault.mac(key),
			{ userId, name },
			now,
		);
		recordAudit(
			deps.db,
			{
				actor: actorName(actor),
				action: "key.create",
				object: row.id,
				detail: row.email,
			},
			now,
		);
		return row;
	});
	return { status: 201, body: { key, ...viewKey(created) } };
}

function revoke({ deps, actor, params }: Ask): Answer {
	const id = params["id"] as string;
	const now = deps.clock.now();
	transaction(deps.db, () => {
		revokeApiKey(deps.db, id, now, ownOnly(actor));
		recordAudit(
			deps.db,
			{ actor: actorName(actor), action: "key.revoke", object: id },
			now,
		);
	});
	deps.credentialsChanged();
	return { body: { revoked: id } };
}

/** The user that a member is kept to; administrators are kept to none. */
function ownOnly(actor: Ask["actor"]): string | undefined {
	return isAdmin(actor) ? undefined : (actor.userId ?? "");
}

function viewKey({ id, name, email, createdAt, lastUsedAt }: ApiKey): KeyView {
	return { id, name, username: email, createdAt, lastUsedAt };
}
