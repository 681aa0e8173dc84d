/**
 * A recording: one client's way from a pasted address to a tool call, as data. What it asks, in its order; how it
 * says who it is; what it sends to the authorization and token endpoints; its first MCP messages. `{name}` stands for
 * what the client has learned by then (`replay.ts` says which names there are).
 *
 * A recording says where each fact is from, and which of it nobody has verified.
 */

/** Parameters by name; those without a value that was learned (`{scope}` of a challenge without one) are left out. */
export type Parameters = Readonly<Record<string, string>>;

/** One request before the client knows enough, and the answer it needs. */
export type Probe = {
	/** `HEAD /mcp`, or a placeholder for a whole URL. */
	readonly send: `${"GET" | "HEAD" | "POST" | "OPTIONS"} ${string}`;
	readonly headers?: Parameters;
	/** JSON; `"initialize"` is this client's own first message. */
	readonly body?: unknown;
	readonly status: number;
	/** What it reads from the answer. */
	readonly reads?: "challenge" | "resource" | "server";
	/** How it compares `resource` with what was pasted. */
	readonly resource?: "same URL" | "same origin and path" | "prefix";
};

export type Identity =
	| {
			readonly kind: "registered";
			/** Its registration, as it sends it. */
			readonly body: Readonly<Record<string, unknown>>;
			/** How often it registers; the last one counts. */
			readonly times?: number;
			/** The redirect URIs that it needs back. */
			readonly accepted: readonly string[];
			/** Whether an administrator has to let it in, because its host is its operator's own. */
			readonly waits?: true;
	  }
	| { readonly kind: "document"; readonly url: string }
	/** Made by an administrator, with a secret or without. */
	| {
			readonly kind: "made";
			readonly name: string;
			readonly redirectUris: readonly string[];
			readonly secret: boolean;
	  };

export type Recording = {
	readonly client: string;
	/** Which of its ways this is. */
	readonly way: string;
	readonly sources: readonly string[];
	readonly unverified: readonly string[];
	/** What the program calls itself when it signs in, and when it calls, if that is another name. */
	readonly agent: string;
	readonly mcpAgent?: string;
	/** Whether it asks from machines of its vendor's, not from where its person is. */
	readonly hosted?: true;
	/** The path that a person pastes. */
	readonly endpoint: "/mcp" | "/mcp/" | "/";
	readonly discovery: readonly Probe[];
	readonly identity: Identity;
	/** Where it wants its answer, as it sends it. */
	readonly redirectUri: string;
	/** Beside response_type, client_id, redirect_uri and PKCE, which all send. */
	readonly authorize: Parameters;
	readonly token: {
		/** Beside grant_type, code, code_verifier and redirect_uri. */
		readonly parameters: Parameters;
		readonly auth: "none" | "client_secret_basic" | "client_secret_post";
		/** How often it posts the same request at the same time. */
		readonly times?: number;
	};
	readonly mcp: {
		readonly revision:
			| "2025-03-26"
			| "2025-06-18"
			| "2025-11-25"
			| "2026-07-28";
		readonly clientInfo: { readonly name: string; readonly version: string };
		readonly capabilities: Readonly<Record<string, unknown>>;
		/** Whether it opens the stream of a legacy session before it calls. */
		readonly stream?: true;
	};
	readonly refresh: {
		/** Beside grant_type and refresh_token. */
		readonly parameters: Parameters;
		/** Whether it also presents a token of an earlier generation, and must not lose its sign-in for it. */
		readonly stale?: true;
	};
};

/** What every client sends that asks without a token first. */
export const FIRST_CALL: Probe = {
	send: "POST {endpoint}",
	body: "initialize",
	status: 401,
	reads: "challenge",
};

/** Discovery as the SDKs do it: the document that the challenge names, then the server's. */
export const SDK_DISCOVERY: readonly Probe[] = [
	FIRST_CALL,
	{
		send: "GET {resource_metadata}",
		headers: { "MCP-Protocol-Version": "{revision}" },
		status: 200,
		reads: "resource",
		resource: "prefix",
	},
	{
		send: "GET {issuer}/.well-known/oauth-authorization-server",
		headers: { "MCP-Protocol-Version": "{revision}" },
		status: 200,
		reads: "server",
	},
];

/** Where the facts of a recording are from. */
export const RESEARCH = "the project's research of client quirks, 2026-11";
