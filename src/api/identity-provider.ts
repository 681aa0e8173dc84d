/** `/api/identity-provider`: the OpenID provider that people may sign in with. Its secret goes in and never comes out. */
import * as z from "zod";
import { SallyportError } from "../errors.ts";
import { recordAudit } from "../store/audit.ts";
import { transaction } from "../store/database.ts";
import { deleteIdentityProvider } from "../store/identities.ts";
import { readBody } from "./body.ts";
import { type Answer, type Ask, actorName, type Route } from "./route.ts";

/** The provider as the API shows it. */
export type IdentityProviderView = {
	readonly issuer: string;
	readonly clientId: string;
	readonly hasSecret: boolean;
	readonly domains: readonly string[];
	readonly provisions: boolean;
	/** What the provider must be told. */
	readonly redirectUri: string;
};

const TEXT_LENGTH_MAX = 512;
const DOMAINS_MAX = 50;

const Settings = z.strictObject({
	issuer: z.string().max(TEXT_LENGTH_MAX),
	clientId: z.string().max(TEXT_LENGTH_MAX),
	/** Null for none; left out, the same client keeps its own. */
	clientSecret: z.string().max(TEXT_LENGTH_MAX).nullable().optional(),
	domains: z.array(z.string()).max(DOMAINS_MAX).optional(),
	provisions: z.boolean().optional(),
});

const PATH = "/api/identity-provider";

/** Routes of the identity provider. */
export const identityProviderRoutes: readonly Route[] = [
	{ method: "GET", path: PATH, who: "admins", run: show },
	{ method: "PUT", path: PATH, who: "admins", run: set },
	{ method: "DELETE", path: PATH, who: "admins", run: remove },
];

function show({ deps }: Ask): Answer {
	const redirectUri = `${deps.publicUrl}/login/provider/callback`;
	const provider = deps.provider.find();
	if (!provider) return { body: { identityProvider: null, redirectUri } };
	const { issuer, clientId, secretSealed, domains, provisions } = provider;
	const view: IdentityProviderView = {
		issuer,
		clientId,
		hasSecret: secretSealed !== null,
		domains,
		provisions,
		redirectUri,
	};
	return { body: { identityProvider: view, redirectUri } };
}

async function set(ask: Ask): Promise<Answer> {
	const { deps, actor, request } = ask;
	const {
		issuer,
		clientId,
		clientSecret,
		domains = [],
		provisions = false,
	} = (await readBody(request, Settings)).value;
	await deps.provider.configure({
		issuer,
		clientId,
		clientSecret,
		domains,
		provisions,
	});
	recordAudit(
		deps.db,
		{
			actor: actorName(actor),
			action: "identity-provider.set",
			object: issuer,
			detail: `${domains.join(" ")} ${provisions ? "provisions" : ""}`.trim(),
		},
		deps.clock.now(),
	);
	return show(ask);
}

function remove({ deps, actor }: Ask): Answer {
	transaction(deps.db, () => {
		if (!deleteIdentityProvider(deps.db))
			throw new SallyportError("not_found", "there is no identity provider", {
				hint: "set one with: sallyport identity-provider set",
			});
		recordAudit(
			deps.db,
			{
				actor: actorName(actor),
				action: "identity-provider.remove",
				object: "identity-provider",
			},
			deps.clock.now(),
		);
	});
	return { body: { removed: true } };
}
