/**
 * `/api/secrets`: the values of slots go in here, and nothing brings them out again. Who sets what: a shared slot is
 * the administrators', a personal one is each user's own (or an administrator's for them).
 */
import * as z from "zod";
import { SallyportError } from "../errors.ts";
import { clearSecret, putSecret, type SecretOf } from "../ops/secrets.ts";
import { listSecrets, SHARED } from "../store/secrets.ts";
import { listServers, mayUse, type Server } from "../store/servers.ts";
import { readBody } from "./body.ts";
import {
	type Answer,
	type Ask,
	actorName,
	isAdmin,
	type Route,
	requireAdmin,
} from "./route.ts";
import { emailField } from "./server-body.ts";
import { requireVisible } from "./servers.ts";
import { emailOf, requireSubject, subjectOf } from "./subject.ts";

/** A slot and one owner of it: whether there is a value, never which. */
export type SecretView = {
	readonly serverName: string;
	readonly secretName: string;
	/** `shared`, an e-mail address, or null where nobody could own it yet. */
	readonly owner: string | null;
	readonly optional: boolean;
	readonly set: boolean;
	readonly updatedAt: number | null;
};

const Named = z.strictObject({
	serverName: z.string(),
	secretName: z.string(),
	username: emailField.optional(),
	shared: z.boolean().optional(),
});

const Valued = Named.extend({ secretValue: z.string() });

/** Routes of secrets. */
export const secretRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/secrets", who: "anyone", run: list },
	{ method: "POST", path: "/api/secrets/set", who: "anyone", run: set },
	{ method: "POST", path: "/api/secrets/delete", who: "anyone", run: clear },
];

/** Every slot that concerns the person, set or not; an administrator who names nobody sees all that is set. */
function list(ask: Ask): Answer {
	const { deps, actor, query } = ask;
	const username = query.get("username") ?? undefined;
	const subject = subjectOf(deps.db, actor, username);
	const named = query.get("serverName");
	const servers =
		named === null
			? listServers(deps.db).filter(
					(server) => isAdmin(actor) || mayUse(server, subject),
				)
			: [requireVisible(ask, named, subject)];
	const everyone = isAdmin(actor) && username === undefined;
	return {
		body: {
			secrets: servers.flatMap((server) =>
				secretsOf(ask, server, subject.userId, everyone),
			),
		},
	};
}

function secretsOf(
	{ deps }: Ask,
	server: Server,
	userId: string | null,
	everyone: boolean,
): readonly SecretView[] {
	const stored = listSecrets(deps.db, server.id);
	return server.slots.flatMap((slot) => {
		const own = slot.personal ? userId : SHARED;
		const mine = stored.filter(({ slot: name }) => name === slot.name);
		const owners = new Set([
			own,
			...(everyone ? mine.map(({ owner }) => owner) : []),
		]);
		return [...owners].map((owner) => {
			const secret = mine.find((candidate) => candidate.owner === owner);
			return {
				serverName: server.slug,
				secretName: slot.name,
				owner:
					owner === null || owner === SHARED ? owner : emailOf(deps.db, owner),
				optional: slot.optional,
				set: secret !== undefined,
				updatedAt: secret?.updatedAt ?? null,
			};
		});
	});
}

async function set(ask: Ask): Promise<Answer> {
	const { deps, actor, request } = ask;
	const { secretValue, ...named } = (await readBody(request, Valued)).value;
	const place = placeOf(ask, named);
	await putSecret(deps, place, secretValue, actorName(actor), deps.clock.now());
	return changed(ask, place);
}

async function clear(ask: Ask): Promise<Answer> {
	const { deps, actor, request } = ask;
	const place = placeOf(ask, (await readBody(request, Named)).value);
	await clearSecret(deps, place, actorName(actor), deps.clock.now());
	return changed(ask, place);
}

/** The slot that is meant and whose value of it. @throws SallyportError */
function placeOf(
	ask: Ask,
	{ serverName, secretName, username, shared }: z.infer<typeof Named>,
): SecretOf {
	const { deps, actor } = ask;
	const subject = subjectOf(deps.db, actor, username);
	const server = requireVisible(ask, serverName, subject);
	const slot = server.slots.find((candidate) => candidate.name === secretName);
	if (!slot)
		throw new SallyportError(
			"not_found",
			`${server.slug} has no slot of that name`,
			{
				hint:
					server.slots.length === 0
						? `declare one when the server is added: sallyport servers add --help`
						: `its slots are ${server.slots.map(({ name }) => name).join(", ")}`,
			},
		);
	if (slot.personal) {
		if (shared === true)
			throw new SallyportError("invalid", `the slot ${slot.name} is personal`, {
				hint: "each user sets their own",
			});
		return {
			server,
			slot,
			owner: requireSubject(deps.db, actor, username).userId,
		};
	}
	if (username !== undefined || shared === false)
		throw new SallyportError("invalid", `the slot ${slot.name} is shared`, {
			hint: "its one value serves everyone: leave out the user",
		});
	requireAdmin(actor, "set a shared secret");
	return { server, slot, owner: SHARED };
}

function changed({ deps }: Ask, { server, slot, owner }: SecretOf): Answer {
	return {
		body: {
			serverName: server.slug,
			secretName: slot.name,
			owner: slot.personal ? emailOf(deps.db, owner) : SHARED,
		},
	};
}
