/**
 * Providers that do not describe themselves, or do otherwise than they should: where they sign people in, and how they
 * differ from the specifications. Data only; `token-requests.ts` and `connect.ts` act on it.
 *
 * A provider is for the API behind a server (its token then fills a slot, or is the server's bearer). A remote MCP
 * server that describes itself needs none of this, but for `quirksOf` its issuer.
 */

export type Provider = {
	readonly name: string;
	/** For people. */
	readonly title: string;
	readonly authorize: string;
	readonly token: string;
	/** Where tokens are renewed, if not at `token`. */
	readonly refresh?: string;
	readonly revoke?: string;
	/** Who signed in: a URL that answers JSON, and the members that name the account, the first there counts. */
	readonly account?: {
		readonly url: string;
		readonly members: readonly string[];
	};
	readonly pkce: boolean;
	readonly scopeSeparator: " " | ",";
	readonly authorizeParams: Readonly<Record<string, string>>;
	/** `secret_as_user`: the secret is the user of Basic, without a password (Stripe). */
	readonly auth:
		| "client_secret_basic"
		| "client_secret_post"
		| "secret_as_user";
	readonly body: "form" | "json";
	/** `draft5`: `type` instead of `grant_type` and `response_type` (37signals). */
	readonly dialect: "rfc6749" | "draft5";
	/** Members of the token response in which the user's own token may be, instead of at the top. */
	readonly nested?: string;
};

/** What most of them do. */
const PLAIN = {
	pkce: true,
	scopeSeparator: " ",
	authorizeParams: {},
	auth: "client_secret_post",
	body: "form",
	dialect: "rfc6749",
} as const;

const PROVIDERS: readonly Provider[] = [
	{
		...PLAIN,
		name: "airtable",
		title: "Airtable",
		authorize: "https://airtable.com/oauth2/v1/authorize",
		token: "https://airtable.com/oauth2/v1/token",
		auth: "client_secret_basic",
	},
	{
		...PLAIN,
		name: "asana",
		title: "Asana",
		authorize: "https://app.asana.com/-/oauth_authorize",
		token: "https://app.asana.com/-/oauth_token",
	},
	{
		...PLAIN,
		name: "atlassian",
		title: "Atlassian",
		authorize: "https://auth.atlassian.com/authorize",
		token: "https://auth.atlassian.com/oauth/token",
		authorizeParams: { audience: "api.atlassian.com", prompt: "consent" },
	},
	{
		...PLAIN,
		name: "basecamp",
		title: "Basecamp",
		authorize: "https://launchpad.37signals.com/authorization/new",
		token: "https://launchpad.37signals.com/authorization/token",
		pkce: false,
		dialect: "draft5",
	},
	{
		...PLAIN,
		name: "cloudflare",
		title: "Cloudflare",
		authorize: "https://dash.cloudflare.com/oauth2/auth",
		token: "https://dash.cloudflare.com/oauth2/token",
	},
	{
		...PLAIN,
		name: "discord",
		title: "Discord",
		authorize: "https://discord.com/oauth2/authorize",
		token: "https://discord.com/api/oauth2/token",
		revoke: "https://discord.com/api/oauth2/token/revoke",
	},
	{
		...PLAIN,
		name: "dropbox",
		title: "Dropbox",
		authorize: "https://www.dropbox.com/oauth2/authorize",
		token: "https://api.dropboxapi.com/oauth2/token",
		authorizeParams: { token_access_type: "offline" },
	},
	{
		...PLAIN,
		name: "figma",
		title: "Figma",
		authorize: "https://www.figma.com/oauth",
		token: "https://api.figma.com/v1/oauth/token",
		refresh: "https://api.figma.com/v1/oauth/refresh",
		auth: "client_secret_basic",
		scopeSeparator: ",",
	},
	{
		// Without a scope it gives the old ones again in silence; errors come as 200; scopes come back with commas.
		...PLAIN,
		name: "github",
		title: "GitHub",
		authorize: "https://github.com/login/oauth/authorize",
		token: "https://github.com/login/oauth/access_token",
		account: { url: "https://api.github.com/user", members: ["login", "id"] },
		authorizeParams: { prompt: "select_account" },
	},
	{
		...PLAIN,
		name: "gitlab",
		title: "GitLab",
		authorize: "https://gitlab.com/oauth/authorize",
		token: "https://gitlab.com/oauth/token",
	},
	{
		// Gives a refresh token only when it is asked for like this.
		...PLAIN,
		name: "google",
		title: "Google",
		authorize: "https://accounts.google.com/o/oauth2/v2/auth",
		token: "https://oauth2.googleapis.com/token",
		revoke: "https://oauth2.googleapis.com/revoke",
		authorizeParams: { access_type: "offline", prompt: "consent" },
	},
	{
		...PLAIN,
		name: "hubspot",
		title: "HubSpot",
		authorize: "https://app.hubspot.com/oauth/authorize",
		token: "https://api.hubapi.com/oauth/v1/token",
		pkce: false,
	},
	{
		...PLAIN,
		name: "linear",
		title: "Linear",
		authorize: "https://linear.app/oauth/authorize",
		token: "https://api.linear.app/oauth/token",
		scopeSeparator: ",",
		authorizeParams: { prompt: "consent" },
	},
	{
		...PLAIN,
		name: "microsoft",
		title: "Microsoft",
		authorize: "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
		token: "https://login.microsoftonline.com/common/oauth2/v2.0/token",
	},
	{
		...PLAIN,
		name: "notion",
		title: "Notion",
		authorize: "https://api.notion.com/v1/oauth/authorize",
		token: "https://api.notion.com/v1/oauth/token",
		authorizeParams: { owner: "user" },
		auth: "client_secret_basic",
		body: "json",
	},
	{
		// A bot's token is at the top, a person's in `authed_user`; errors come as 200 with `ok: false`.
		...PLAIN,
		name: "slack",
		title: "Slack",
		authorize: "https://slack.com/oauth/v2/authorize",
		token: "https://slack.com/api/oauth.v2.access",
		scopeSeparator: ",",
		nested: "authed_user",
	},
	{
		...PLAIN,
		name: "slack-user",
		title: "Slack (as a person)",
		authorize: "https://slack.com/oauth/v2_user/authorize",
		token: "https://slack.com/api/oauth.v2.user.access",
		scopeSeparator: ",",
		nested: "authed_user",
	},
	{
		...PLAIN,
		name: "stripe",
		title: "Stripe",
		authorize: "https://marketplace.stripe.com/oauth/v2/authorize",
		token: "https://api.stripe.com/v1/oauth/token",
		pkce: false,
		auth: "secret_as_user",
	},
];

/** Every provider, by name. */
export function listProviders(): readonly Provider[] {
	return PROVIDERS;
}

/**
 * The provider of that name, or null.
 * @param origin where it is run by oneself (GitLab, GitHub Enterprise): all of it is there then
 */
export function findProvider(
	name: string,
	origin: string | null = null,
): Provider | null {
	const provider = PROVIDERS.find((each) => each.name === name) ?? null;
	if (!provider || origin === null) return provider;
	const moved = (url: string): string => {
		const { pathname } = new URL(url);
		return `${origin.replace(/\/$/, "")}${pathname}`;
	};
	return {
		...provider,
		authorize: moved(provider.authorize),
		token: moved(provider.token),
		...(provider.refresh && { refresh: moved(provider.refresh) }),
		...(provider.revoke && { revoke: moved(provider.revoke) }),
		...(provider.account && {
			account: { ...provider.account, url: moved(provider.account.url) },
		}),
	};
}

/** How an authorization server that describes itself does otherwise than it should. */
export type Quirks = {
	/** It fails when a `resource` is named (RFC 8707). */
	readonly refusesResource: boolean;
	/** It checks S256 challenges, and its metadata does not say so (RFC 8414 2). */
	readonly hidesPkce: boolean;
};

const NO_QUIRKS: Quirks = { refusesResource: false, hidesPkce: false };

/** By the host of the issuer. Microsoft: AADSTS9010010 for any `resource`, and metadata without challenge methods. */
const QUIRKS: Readonly<Record<string, Quirks>> = {
	"login.microsoftonline.com": { refusesResource: true, hidesPkce: true },
	"sts.windows.net": { refusesResource: true, hidesPkce: true },
};

/** The quirks of an issuer. */
export function quirksOf(issuer: string): Quirks {
	const host = URL.canParse(issuer) ? new URL(issuer).host : "";
	return QUIRKS[host] ?? NO_QUIRKS;
}
