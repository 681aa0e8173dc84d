/**
 * What people do about clients: make one, let one in, end what it was allowed. Each change is written to the audit
 * trail, and whoever keeps judged credentials in memory forgets them.
 *
 * @see RFC 6749 2.1, RFC 7009 1
 */
import type { Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { mintCredential, mintId } from "../mint.ts";
import {
	isAdmissible,
	placeOfAnswer,
	REDIRECT_URIS_MAX,
} from "../oauth/redirect-uris.ts";
import { recordAudit } from "../store/audit.ts";
import {
	approveClient as approve,
	type Client,
	deleteClient,
	type ListedClient,
	putClient,
} from "../store/clients.ts";
import { type Database, transaction } from "../store/database.ts";
import {
	findGrantOwner,
	listGrantIdsOf,
	listGrants,
	revokeGrant,
} from "../store/grants.ts";
import type { Vault } from "../vault.ts";

type ClientDeps = {
	readonly db: Database;
	readonly clock: Clock;
	/** Forgets judged credentials. */
	readonly invalidate: () => void;
};

const NAME_LENGTH_MAX = 64;

/** A JSON Web Key Set (RFC 7517 5). */
export type KeySet = {
	readonly keys: readonly Readonly<Record<string, unknown>>[];
};

const KEYS_MAX = 10;
/** Members that only a private or shared key has (RFC 7518 6). */
const PRIVATE_MEMBERS = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"] as const;

/** What an administrator says of a client that they make. */
type NewClient = {
	readonly name: string;
	readonly redirectUris: readonly string[];
	/** Whether it gets a secret. */
	readonly confidential: boolean;
	/** Its public keys, as a JSON Web Key Set, when it signs instead. */
	readonly jwks: KeySet | null;
	/** As whom it acts without a person. */
	readonly userId: string | null;
	/** The resources whose tokens it may look at. */
	readonly introspects: readonly string[];
};

/**
 * Makes a client; it does not expire. The secret is given once, and only if it is confidential.
 * @throws SallyportError `invalid` for a redirect URI that nobody may have, or a client that could do nothing
 */
export function makeClient(
	deps: ClientDeps & { readonly vault: Vault },
	fields: NewClient,
	actor: string,
): { readonly client: Client; readonly secret: string | null } {
	requireSense(fields);
	const now = deps.clock.now();
	const secret = fields.confidential ? mintCredential("clientSecret") : null;
	const client: Client = {
		id: mintId("cli"),
		kind: "made",
		name: fields.name.trim(),
		redirectUris: [...new Set(fields.redirectUris)],
		authMethod:
			fields.jwks !== null
				? "private_key_jwt"
				: secret === null
					? "none"
					: "client_secret_basic",
		secretHash: secret === null ? null : deps.vault.mac(secret),
		jwks: fields.jwks === null ? null : JSON.stringify(fields.jwks),
		userId: fields.userId,
		introspects: fields.introspects,
		createdAt: now,
		approvedAt: now,
		expiresAt: null,
	};
	transaction(deps.db, () => {
		putClient(deps.db, client);
		recordAudit(
			deps.db,
			{ actor, action: "client.add", object: client.id, detail: client.name },
			now,
		);
	});
	return { client, secret };
}

type Alike = Pick<
	ListedClient,
	"id" | "kind" | "name" | "authMethod" | "redirectUris" | "grants"
>;

/** Clients that are one to a person: the last used of them, and the ids of all. */
export type AlikeClients<C extends Alike = ListedClient> = {
	readonly client: C;
	readonly ids: readonly string[];
	/** Living grants of all of them. */
	readonly grants: number;
};

/**
 * Folds clients that differ in nothing but their ids: some register anew each time they connect. For the eye only;
 * each keeps its own id. @param clients the last used first, and so are the folded ones
 */
export function foldAlike<C extends Alike>(
	clients: readonly C[],
	isWaiting: (client: C) => boolean,
): readonly AlikeClients<C>[] {
	const folded = new Map<string, AlikeClients<C>>();
	for (const client of clients) {
		const { kind, name, authMethod, redirectUris } = client;
		const places = redirectUris.map(placeOfAnswer).toSorted();
		const key =
			// One that was made, or that has a document, is what it is by its id.
			kind === "registered"
				? JSON.stringify([name, authMethod, isWaiting(client), places])
				: client.id;
		const known = folded.get(key);
		folded.set(key, {
			client: known?.client ?? client,
			ids: [...(known?.ids ?? []), client.id],
			grants: (known?.grants ?? 0) + client.grants,
		});
	}
	return [...folded.values()];
}

/** Lets a waiting client ask people. @throws SallyportError `not_found` */
export function approveClient(
	deps: ClientDeps,
	id: string,
	actor: string,
): void {
	const now = deps.clock.now();
	transaction(deps.db, () => {
		if (!approve(deps.db, id, now)) throw noClient();
		recordAudit(deps.db, { actor, action: "client.approve", object: id }, now);
	});
}

/** Forgets a client and ends everything it was allowed, at once. @throws SallyportError `not_found` */
export function revokeClient(
	deps: ClientDeps,
	id: string,
	actor: string,
): void {
	transaction(deps.db, () => {
		if (!deleteClient(deps.db, id)) throw noClient();
		recordAudit(
			deps.db,
			{ actor, action: "client.revoke", object: id },
			deps.clock.now(),
		);
	});
	deps.invalidate();
}

/** Ends what every person allowed a client; the client may ask again. Returns how many grants ended. */
export function endGrantsOf(
	deps: ClientDeps,
	clientId: string,
	actor: string,
): number {
	const ids = listGrantIdsOf(deps.db, clientId);
	endGrants(deps, ids, null, actor);
	return ids.length;
}

/** Ends everything that a user allowed, or all users did. Returns how many grants ended. */
export function endAllGrants(
	deps: ClientDeps,
	userId: string | null,
	actor: string,
): number {
	const ids = listGrants(deps.db, userId, deps.clock.now()).map(({ id }) => id);
	endGrants(deps, ids, userId, actor);
	return ids.length;
}

/**
 * Ends grants and their tokens at once, all or none.
 * @param userId only if they are this user's
 * @throws SallyportError `not_found`
 */
export function endGrants(
	deps: ClientDeps,
	ids: readonly string[],
	userId: string | null,
	actor: string,
): void {
	const now = deps.clock.now();
	transaction(deps.db, () => {
		for (const id of ids) {
			const owner = findGrantOwner(deps.db, id);
			if (owner === null || (userId !== null && owner !== userId))
				throw new SallyportError("not_found", "there is no such grant", {
					hint: "see them with: sallyport grants list",
				});
			revokeGrant(deps.db, id, now);
			recordAudit(deps.db, { actor, action: "grant.revoke", object: id }, now);
		}
	});
	deps.invalidate();
}

function requireSense(fields: NewClient): void {
	const name = fields.name.trim();
	if (name === "" || name.length > NAME_LENGTH_MAX)
		throw new SallyportError(
			"invalid",
			`a client's name has 1 to ${NAME_LENGTH_MAX} characters`,
			{ hint: "name it after what it is" },
		);
	if (
		fields.redirectUris.length > REDIRECT_URIS_MAX ||
		!fields.redirectUris.every((uri) => isAdmissible(uri, "any"))
	)
		throw new SallyportError(
			"invalid",
			"a redirect URI is not one that a client may have",
			{
				hint: `at most ${REDIRECT_URIS_MAX}, each https with a host in lower case, or http on this computer`,
			},
		);
	if (fields.jwks !== null) requirePublicKeys(fields.jwks);
	if (fields.jwks !== null && fields.confidential)
		throw new SallyportError(
			"invalid",
			"a client proves itself by a secret or by its keys, not by both",
			{ hint: "leave one of them out" },
		);
	const isAlone = fields.userId !== null || fields.introspects.length > 0;
	if (isAlone && !fields.confidential && fields.jwks === null)
		throw new SallyportError(
			"invalid",
			"a client without a secret or keys cannot act alone or look at tokens",
			{ hint: "give it a secret: --secret" },
		);
	if (!isAlone && fields.redirectUris.length === 0)
		throw new SallyportError("invalid", "the client could do nothing", {
			hint: "say where its answers go: --redirect-uri",
		});
}

function requirePublicKeys({ keys }: KeySet): void {
	const isPublic = (key: Readonly<Record<string, unknown>>): boolean =>
		["EC", "OKP", "RSA"].includes(String(key["kty"])) &&
		!PRIVATE_MEMBERS.some((member) => member in key);
	if (keys.length > 0 && keys.length <= KEYS_MAX && keys.every(isPublic))
		return;
	throw new SallyportError(
		"invalid",
		`a client has 1 to ${KEYS_MAX} keys, each an EC, OKP or RSA public key`,
		{ hint: "keep the private keys with the client" },
	);
}

function noClient(): SallyportError {
	return new SallyportError("not_found", "there is no such client", {
		hint: "see them with: sallyport clients list",
	});
}
